/** The administrator's hands on the API server, and a watched copy of it that tests wait on. */

import { host } from '../../src/api/host.ts';
import { hostPool } from '../../src/api/host-pool.ts';
import { storagePool } from '../../src/api/storage-pool.ts';
import { virtualDisk } from '../../src/api/virtual-disk.ts';
import { virtualMachine } from '../../src/api/virtual-machine.ts';
import { virtualMachineImage } from '../../src/api/virtual-machine-image.ts';
import { virtualMachineSize } from '../../src/api/virtual-machine-size.ts';
import { virtualNetwork } from '../../src/api/virtual-network.ts';
import { loadAccess } from '../../src/kube/auth.ts';
import { createCachedKind } from '../../src/kube/cached-kind.ts';
import type { CachedKind, StoreReader, Transport } from '../../src/kube/contract.ts';
import { NAMESPACE } from '../../src/kube/core-kinds.ts';
import { createTransport } from '../../src/kube/transport.ts';
import type { KindInfo, KubeObject } from '../../src/kube/types.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { isFault } from '../../src/runtime/fault.ts';
import { silentLog } from '../../src/runtime/log.ts';

export const clock = systemClock();
export const forever = new AbortController().signal;

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** Any object, as loosely as tests look at it. */
export interface Thing extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly conditions?: readonly Condition[];
    readonly observedGeneration?: number;
    readonly host?: string;
    readonly powerState?: string;
  };
}

const core = (kind: string, plural: string): KindInfo => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  scope: 'Namespaced',
});

const watched = {
  HostPool: hostPool,
  Host: host,
  StoragePool: storagePool,
  VirtualNetwork: virtualNetwork,
  VirtualMachineSize: virtualMachineSize,
  VirtualMachineImage: virtualMachineImage,
  VirtualDisk: virtualDisk,
  VirtualMachine: virtualMachine,
} satisfies Record<string, KindInfo>;

const others = {
  Namespace: NAMESPACE,
  Secret: core('Secret', 'secrets'),
  ConfigMap: core('ConfigMap', 'configmaps'),
} satisfies Record<string, KindInfo>;

const infos: Readonly<Record<string, KindInfo>> = { ...watched, ...others };

export type Watched = keyof typeof watched;
export type Kind = Watched | keyof typeof others;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface Api {
  readonly transport: Transport;
  readonly stores: Readonly<Record<Watched, StoreReader<Thing>>>;
  /** What the watch has. */
  get(kind: Watched, name: string, namespace?: string): Thing | undefined;
  /** What the server has. */
  read(kind: Kind, name: string, namespace?: string): Promise<Thing | undefined>;
  create(manifest: Manifest): Promise<Thing>;
  /** Creates, or replaces what a former apply of ours set. */
  apply(...manifests: readonly Manifest[]): Promise<void>;
  /** Merge patch (RFC 7386). */
  patch(
    kind: Kind,
    name: string,
    namespace: string | undefined,
    body: object,
    part?: 'status',
  ): Promise<Thing>;
  remove(kind: Kind, name: string, namespace?: string): Promise<void>;
  /** Resolves with what `read` answers once that is neither undefined nor false; it is asked at every change. */
  until<T>(what: string, read: () => T | undefined | false, limitMs?: number): Promise<T>;
  /** Asks all who wait again; the world calls it. */
  ring(): void;
  close(): Promise<void>;
}

const pathOf = (info: KindInfo, namespace: string | undefined, name?: string): string => {
  const root = info.group === '' ? `/api/${info.version}` : `/apis/${info.group}/${info.version}`;
  const place = info.scope === 'Namespaced' ? `/namespaces/${namespace ?? 'default'}` : '';
  return `${root}${place}/${info.plural}${name === undefined ? '' : `/${name}`}`;
};

const infoOf = (kind: string): KindInfo => {
  const info = infos[kind];
  if (info === undefined) throw new Error(`no kind ${kind}`);
  return info;
};

/** People who wait for something: asked again, at most once per turn, whenever the bell rings. */
const createBell = () => {
  const waiting = new Set<() => void>();
  let due = false;
  const ring = (): void => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      for (const ask of waiting) ask();
    });
  };
  const until = <T>(what: string, read: () => T | undefined | false, limitMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        waiting.delete(ask);
        clearTimeout(timer);
        settle();
      };
      const ask = (): void => {
        try {
          const value = read();
          if (value !== undefined && value !== false) end(() => resolve(value));
        } catch (error) {
          end(() => reject(error));
        }
      };
      const timer = setTimeout(
        () => end(() => reject(new Error(`not within ${limitMs} ms: ${what}`))),
        limitMs,
      );
      waiting.add(ask);
      ask();
    });
  return { ring, until };
};

const createVerbs = (transport: Transport) => {
  const send = async (
    verb: string,
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    kind: string,
    at: { readonly name?: string; readonly namespace?: string | undefined; readonly part?: string },
    body?: { readonly value: unknown; readonly type: string },
  ): Promise<Thing> => {
    const info = infoOf(kind);
    const path = pathOf(info, at.namespace, at.name) + (at.part === undefined ? '' : `/${at.part}`);
    const query = verb === 'apply' ? { fieldManager: 'admin', force: true } : {};
    const sent = body === undefined ? {} : { body: body.value, contentType: body.type };
    const request = { method, path, verb, resource: info.plural, query, ...sent };
    return (await transport.request(request, forever)) as Thing;
  };
  const orUndefined = async <T>(what: Promise<T>): Promise<T | undefined> => {
    try {
      return await what;
    } catch (error) {
      if (isFault(error, 'conflict') && error.reason === 'NotFound') return undefined;
      throw error;
    }
  };
  const verbs: Pick<Api, 'read' | 'create' | 'apply' | 'patch' | 'remove'> = {
    read: (kind, name, namespace) => orUndefined(send('get', 'GET', kind, { name, namespace })),
    create: (it) =>
      send(
        'create',
        'POST',
        it.kind,
        { namespace: it.metadata.namespace },
        { value: it, type: 'application/json' },
      ),
    apply: async (...manifests) => {
      for (const it of manifests) {
        const { name, namespace } = it.metadata;
        const body = { value: it, type: 'application/apply-patch+yaml' };
        await send('apply', 'PATCH', it.kind, { name, namespace }, body);
      }
    },
    patch: (kind, name, namespace, value, part) =>
      send(
        'patch',
        'PATCH',
        kind,
        { name, namespace, ...(part === undefined ? {} : { part }) },
        { value, type: 'application/merge-patch+json' },
      ),
    remove: async (kind, name, namespace) => {
      await orUndefined(send('delete', 'DELETE', kind, { name, namespace }));
    },
  };
  return verbs;
};

export const connect = async (kubeconfig: string): Promise<Api> => {
  const access = await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock);
  const transport = createTransport({ access, clock, random: Math.random, userAgent: 'faults-admin' });
  const bell = createBell();
  const ends = new AbortController();
  const cached = Object.fromEntries(
    Object.entries(watched).map(([name, info]): [string, CachedKind<Thing>] => {
      const kind: KindInfo = info;
      const parse = (raw: unknown): Thing => raw as Thing;
      return [
        name,
        createCachedKind<Thing>(transport, kind, { parse, clock, random: Math.random, log: silentLog }),
      ];
    }),
  ) as Record<Watched, CachedKind<Thing>>;
  for (const kind of Object.values(cached)) {
    kind.store.subscribe(bell.ring);
    kind.run(ends.signal).catch(() => undefined);
  }
  await Promise.all(Object.values(cached).map((kind) => kind.synced));
  const stores = Object.fromEntries(Object.entries(cached).map(([name, { store }]) => [name, store]));
  return {
    ...createVerbs(transport),
    transport,
    stores: stores as Record<Watched, StoreReader<Thing>>,
    get: (kind, name, namespace) =>
      cached[kind].store.get(namespace === undefined ? name : `${namespace}/${name}`),
    until: (what, read, limitMs = 180_000) => bell.until(what, read, limitMs),
    ring: bell.ring,
    close: async () => {
      ends.abort();
      await transport.close();
    },
  };
};

export const conditionOf = (thing: Thing | undefined, type: string): Condition | undefined =>
  thing?.status?.conditions?.find((it) => it.type === type);

/** Whether the condition is as said, and speaks of the present spec. */
export const has = (thing: Thing | undefined, type: string, status: string, reason?: string): boolean => {
  const found = conditionOf(thing, type);
  return found?.status === status && (reason === undefined || found.reason === reason);
};
