import { Fault, isFault } from '../runtime/fault.ts';
import type { DeleteOptions, KubeRequest, Resource, Transport } from './contract.ts';
import { createListVerbs } from './list-verbs.ts';
import { toRawObject } from './raw-object.ts';
import { collectionOf, objectPath } from './resource-path.ts';
import type { StoreSink } from './store.ts';
import { apiVersionOf, type KindInfo, type KubeObject, keyOfName, type Parse } from './types.ts';
import { unreadableOf } from './unreadable.ts';

const APPLY = 'application/apply-patch+yaml';
const JSON_PATCH = 'application/json-patch+json';

export interface ResourceOptions<T extends KubeObject> {
  readonly parse: Parse<T>;
  /** The store that own writes (and single reads) are put into. */
  readonly sink?: StoreSink<T>;
}

type Verb = Pick<KubeRequest, 'method' | 'verb' | 'path'> &
  Partial<Pick<KubeRequest, 'query' | 'body' | 'contentType'>> & { readonly subresource?: 'status' };

const isMissing = (error: unknown): boolean => isFault(error, 'conflict') && error.reason === 'NotFound';

/**
 * The server does not tell a failing `test` from another operation that cannot be carried out; with a `test` in
 * the patch both mean that the object is not what we took it for.
 */
const isFailedTest = (error: unknown): boolean =>
  isFault(error, 'invalid') && error.reason === 'PatchRejected';

const preconditionsOf = ({ uid, resourceVersion }: DeleteOptions): object | undefined =>
  uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };

const kindOf = (answer: unknown): unknown => (answer as { kind?: unknown } | null)?.kind;

/** A `Status` of success names the object it speaks of. */
const uidOfStatus = (answer: unknown): string | undefined => {
  const uid = (answer as { details?: { uid?: unknown } } | null)?.details?.uid;
  return typeof uid === 'string' && uid !== '' ? uid : undefined;
};

type Taken<T> = (answer: unknown) => T;

/** Parses an answer and puts it into the store; what cannot be parsed is known to the store as unreadable. */
const createTaken =
  <T extends KubeObject>(kindInfo: KindInfo, { parse, sink }: ResourceOptions<T>): Taken<T> =>
  (answer) => {
    const raw = toRawObject(kindInfo, answer);
    if (raw === undefined) {
      throw new Fault('bug', `the answer for ${kindInfo.plural} is not an object`, { reason: 'BadAnswer' });
    }
    let object: T;
    try {
      object = parse(raw);
    } catch (error) {
      const unreadable = unreadableOf(raw, error);
      sink?.absorb(unreadable);
      throw new Fault('invalid', `${kindInfo.kind} ${unreadable.key} cannot be read: ${unreadable.error}`, {
        reason: 'Unreadable',
      });
    }
    sink?.absorb(object);
    return object;
  };

type Call = (verb: Verb, signal: AbortSignal) => Promise<unknown>;

const createCall =
  (transport: Transport, kindInfo: KindInfo): Call =>
  ({ subresource, ...verb }, signal) => {
    const resource = subresource === undefined ? kindInfo.plural : `${kindInfo.plural}/${subresource}`;
    return transport.request({ ...verb, resource }, signal);
  };

/** The value, or undefined where the server says that there is no such object. */
const orMissing = async <R>(work: Promise<R>): Promise<R | undefined> => {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) {
      return undefined;
    }
    throw error;
  }
};

const createPatchJson =
  <T extends KubeObject>(kindInfo: KindInfo, call: Call, taken: Taken<T>): Resource<T>['patchJson'] =>
  async (name, patch, { fieldManager, subresource }, signal) => {
    const path = objectPath(kindInfo, name, subresource);
    const verb = { method: 'PATCH', verb: 'patch', path, body: patch, contentType: JSON_PATCH } as const;
    try {
      return taken(
        await call({ ...verb, query: { fieldManager }, ...(subresource && { subresource }) }, signal),
      );
    } catch (error) {
      if (isFailedTest(error) && patch.some(({ op }) => op === 'test')) {
        const message = `patch ${kindInfo.plural} ${keyOfName(name)}: a precondition does not hold`;
        throw new Fault('conflict', message, { reason: 'PatchTestFailed', cause: error });
      }
      throw error;
    }
  };

const createDelete =
  <T extends KubeObject>(
    kindInfo: KindInfo,
    call: Call,
    { taken, sink }: { readonly taken: Taken<T>; readonly sink: StoreSink<T> | undefined },
  ): Resource<T>['delete'] =>
  async (name, how, signal) => {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: preconditionsOf(how),
      propagationPolicy: how.propagation,
    };
    const path = objectPath(kindInfo, name);
    const answer = await orMissing(call({ method: 'DELETE', verb: 'delete', path, body }, signal));
    if (answer === undefined) {
      return { kind: 'absent' };
    }
    if (kindOf(answer) === kindInfo.kind) {
      return { kind: 'terminating', object: taken(answer) };
    }
    sink?.absorbDeleted(keyOfName(name), uidOfStatus(answer) ?? how.uid);
    return { kind: 'deleted' };
  };

export const createResource = <T extends KubeObject>(
  transport: Transport,
  kindInfo: KindInfo,
  options: ResourceOptions<T>,
): Resource<T> => {
  const call = createCall(transport, kindInfo);
  const taken = createTaken(kindInfo, options);
  const whole = (object: object): object => ({
    ...object,
    apiVersion: apiVersionOf(kindInfo),
    kind: kindInfo.kind,
  });

  const applyAt =
    (subresource?: 'status'): Resource<T>['apply'] =>
    async (object, { fieldManager, force }, signal) => {
      const path = objectPath(kindInfo, object.metadata, subresource);
      const query = { fieldManager, force };
      const verb = {
        method: 'PATCH',
        verb: 'apply',
        path,
        query,
        body: whole(object),
        contentType: APPLY,
      } as const;
      return taken(await call({ ...verb, ...(subresource && { subresource }) }, signal));
    };

  return {
    ...createListVerbs(transport, kindInfo),
    get: async (name, signal) => {
      const path = objectPath(kindInfo, name);
      const answer = await orMissing(call({ method: 'GET', verb: 'get', path }, signal));
      return answer === undefined ? undefined : taken(answer);
    },
    create: async (object, signal) => {
      const path = collectionOf(kindInfo, object.metadata);
      return taken(await call({ method: 'POST', verb: 'create', path, body: whole(object) }, signal));
    },
    replace: async (object, signal) => {
      const path = objectPath(kindInfo, object.metadata);
      return taken(await call({ method: 'PUT', verb: 'update', path, body: whole(object) }, signal));
    },
    apply: applyAt(),
    applyStatus: applyAt('status'),
    patchJson: createPatchJson(kindInfo, call, taken),
    delete: createDelete(kindInfo, call, { taken, sink: options.sink }),
  };
};
