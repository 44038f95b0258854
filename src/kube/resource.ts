import { Fault, isFault } from '../runtime/fault.ts';
import type { DeleteOptions, DeleteOutcome, KubeRequest, Query, Resource, Transport } from './contract.ts';
import { createListVerbs } from './list-verbs.ts';
import { toRawObject } from './raw-object.ts';
import { objectPath } from './resource-path.ts';
import type { StoreSink } from './store.ts';
import {
  apiVersionOf,
  type KindInfo,
  type KubeObject,
  keyOfName,
  type ObjectName,
  type Parse,
} from './types.ts';
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

/** A JSON patch whose `test` fails is a 422 that names no field; the server's own text is all that tells. */
const isFailedTest = (error: unknown): boolean =>
  isFault(error, 'invalid') && /test(ing)? .*failed|test failed/i.test(error.message);

const preconditionsOf = ({ uid, resourceVersion }: DeleteOptions): object | undefined =>
  uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };

/** A `Status` of success names the object it speaks of. */
const uidOfStatus = (answer: unknown): string | undefined => {
  const uid = (answer as { details?: { uid?: unknown } } | null)?.details?.uid;
  return typeof uid === 'string' && uid !== '' ? uid : undefined;
};

export const createResource = <T extends KubeObject>(
  transport: Transport,
  kindInfo: KindInfo,
  options: ResourceOptions<T>,
): Resource<T> => {
  const { sink } = options;

  const call = ({ subresource, ...verb }: Verb, signal: AbortSignal): Promise<unknown> => {
    const resource = subresource === undefined ? kindInfo.plural : `${kindInfo.plural}/${subresource}`;
    return transport.request({ ...verb, resource }, signal);
  };

  /** Parsed and in the store; what cannot be parsed is known to the store as unreadable. */
  const taken = (answer: unknown): T => {
    const raw = toRawObject(kindInfo, answer);
    if (raw === undefined) {
      throw new Fault('bug', `the answer for ${kindInfo.plural} is not an object`, { reason: 'BadAnswer' });
    }
    let object: T;
    try {
      object = options.parse(raw);
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

  const whole = (object: object): object => ({
    ...object,
    apiVersion: apiVersionOf(kindInfo),
    kind: kindInfo.kind,
  });

  const get: Resource<T>['get'] = async (name, signal) => {
    try {
      return taken(await call({ method: 'GET', verb: 'get', path: objectPath(kindInfo, name) }, signal));
    } catch (error) {
      if (isMissing(error)) {
        return undefined;
      }
      throw error;
    }
  };

  const create: Resource<T>['create'] = async (object, signal) => {
    const path = objectPath(kindInfo, object.metadata).replace(/\/[^/]*$/, '');
    return taken(await call({ method: 'POST', verb: 'create', path, body: whole(object) }, signal));
  };

  const replace: Resource<T>['replace'] = async (object, signal) => {
    const path = objectPath(kindInfo, object.metadata);
    return taken(await call({ method: 'PUT', verb: 'update', path, body: whole(object) }, signal));
  };

  const applyAt =
    (subresource: 'status' | undefined): Resource<T>['apply'] =>
    async (object, { fieldManager, force }, signal) => {
      const path = objectPath(kindInfo, object.metadata, subresource);
      const query: Query = { fieldManager, force };
      const body = whole(object);
      const verb = { method: 'PATCH', verb: 'apply', path, query, body, contentType: APPLY } as const;
      return taken(await call(subresource === undefined ? verb : { ...verb, subresource }, signal));
    };

  const patchJson: Resource<T>['patchJson'] = async (name, patch, { fieldManager, subresource }, signal) => {
    const path = objectPath(kindInfo, name, subresource);
    const verb = { method: 'PATCH', verb: 'patch', path, body: patch, contentType: JSON_PATCH } as const;
    try {
      const query = { fieldManager };
      return taken(await call({ ...verb, query, ...(subresource && { subresource }) }, signal));
    } catch (error) {
      if (isFailedTest(error) && patch.some(({ op }) => op === 'test')) {
        throw new Fault(
          'conflict',
          `patch ${kindInfo.plural} ${keyOfName(name)}: a precondition does not hold`,
          {
            reason: 'PatchTestFailed',
            cause: error,
          },
        );
      }
      throw error;
    }
  };

  const remove = async (
    name: ObjectName,
    how: DeleteOptions,
    signal: AbortSignal,
  ): Promise<DeleteOutcome<T>> => {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: preconditionsOf(how),
      propagationPolicy: how.propagation,
    };
    const path = objectPath(kindInfo, name);
    let answer: unknown;
    try {
      answer = await call({ method: 'DELETE', verb: 'delete', path, body }, signal);
    } catch (error) {
      if (isMissing(error)) {
        return { kind: 'absent' };
      }
      throw error;
    }
    if ((answer as { kind?: unknown } | null)?.kind === kindInfo.kind) {
      return { kind: 'terminating', object: taken(answer) };
    }
    sink?.absorbDeleted(keyOfName(name), uidOfStatus(answer) ?? how.uid);
    return { kind: 'deleted' };
  };

  return {
    get,
    ...createListVerbs(transport, kindInfo),
    create,
    replace,
    apply: applyAt(undefined),
    applyStatus: applyAt('status'),
    patchJson,
    delete: remove,
  };
};
