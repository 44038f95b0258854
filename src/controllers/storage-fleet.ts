/** The open storage servers: one session per StoragePool that has a server side, from when it is seen until it is gone. */
import { hash } from 'node:crypto';
import type { StoragePool } from '../api/storage-pool.ts';
import type { ServerWish, StorageServer, StorageServerDriver } from '../drivers/storage/contract.ts';
import type { Resource } from '../kube/contract.ts';
import { readSecret, type Secret } from '../kube/core-kinds.ts';
import type { Clock } from '../runtime/clock.ts';
import { Fault, isFault } from '../runtime/fault.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Kinds } from './context.ts';
import { loginKeysOf } from './storage-login.ts';
import { measureServer } from './storage-metrics.ts';
import {
  openStorageSession,
  type ServerSecretSight,
  type ServerSettings,
  type SessionControl,
  type StorageSession,
} from './storage-session.ts';
import { clientNames, serverCredentialsOf, setupOf } from './storage-setup.ts';

type OpenDriver<Kind extends ServerWish['kind']> = () => Promise<
  StorageServerDriver<Extract<ServerWish, { readonly kind: Kind }>>
>;

/** By kind of the wish; loaded when first used. What is left out is told as `Unsupported`. */
export type StorageDrivers = { readonly [Kind in ServerWish['kind']]?: OpenDriver<Kind> };

/** Addresses of a name; rejects when it cannot be looked up. */
export type LookUp = (name: string) => Promise<readonly string[]>;

export interface StorageFleetOptions {
  readonly kinds: Pick<Kinds, 'storagePools' | 'hostPools' | 'hosts'>;
  readonly secrets: Pick<Resource<Secret>, 'get'>;
  /** The operator's own, where the Secrets of servers are. */
  readonly namespace: string;
  readonly clusterId: string;
  readonly drivers: StorageDrivers;
  readonly lookUp: LookUp;
  readonly metrics: Pick<Metrics, 'driverCall'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What other controllers may use. */
export interface StorageFleet {
  /** Undefined for a pool without a server side, and until it was seen. */
  session(poolName: string): StorageSession | undefined;
}

export interface StorageFleetControl extends StorageFleet {
  /** Told when a session changed its state, and when it is time to look again. Unsubscribes. */
  subscribe(listener: (poolName: string) => void): () => void;
  /** Opens sessions as pools are seen, until the signal ends; they stay open for passes that are in flight. */
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const versionOf = ({ metadata: { uid, resourceVersion } }: Secret): string =>
  hash('sha256', `${uid}/${resourceVersion}`).slice(0, 16);

const createSecretReader =
  ({ secrets, namespace }: StorageFleetOptions) =>
  async (name: string, signal: AbortSignal): Promise<ServerSecretSight> => {
    const lack = (message: string): ServerSecretSight => ({
      kind: 'lack',
      reason: 'SecretNotFound',
      message,
    });
    try {
      const secret = await secrets.get({ namespace, name }, signal);
      const data = await readSecret({ get: async () => secret }, { namespace, name }, signal);
      if (secret === undefined || data === undefined)
        return lack(`Secret ${name} does not exist in the namespace of the operator.`);
      return {
        kind: 'found',
        credentials: serverCredentialsOf(data),
        login: loginKeysOf(data),
        version: versionOf(secret),
      };
    } catch (error) {
      if (isFault(error, 'denied')) return lack(`The operator may not read Secret ${name}.`);
      throw error;
    }
  };

const openServer = async (
  drivers: StorageDrivers,
  { wish, ...settings }: ServerSettings & { readonly existed: () => boolean },
): Promise<StorageServer> => {
  const lacking = new Fault('unsupported', `This operator has no driver for ${wish.kind} storage servers.`);
  switch (wish.kind) {
    case 'gluster': {
      if (drivers.gluster === undefined) throw lacking;
      return (await drivers.gluster()).open({ ...settings, wish });
    }
    case 'iscsi': {
      if (drivers.iscsi === undefined) throw lacking;
      return (await drivers.iscsi()).open({ ...settings, wish });
    }
    case 'simulated': {
      if (drivers.simulated === undefined) throw lacking;
      return (await drivers.simulated()).open({ ...settings, wish });
    }
    default:
      return wish satisfies never;
  }
};

const isAddress = (name: string): boolean => /^[0-9.]+$|:/.test(name);

/** Names become addresses; a name that cannot be looked up now keeps what it was, or stays a name. */
const createResolver = ({ lookUp, log }: StorageFleetOptions) => {
  const known = new Map<string, readonly string[]>();
  return async (names: readonly string[]): Promise<readonly string[]> => {
    const found = await Promise.all(
      names.map(async (name) => {
        if (isAddress(name)) return [name];
        try {
          known.set(name, (await lookUp(name)).toSorted());
        } catch (err) {
          log.warn({ host: name, err }, 'name of a host not looked up');
        }
        return known.get(name) ?? [name];
      }),
    );
    return found.flat();
  };
};

/** What is on the servers was ours once; a lost status only makes it be looked for. */
const wasThere = (pool: StoragePool | undefined): boolean => pool?.status?.origin !== undefined;

const defaultAuditMs = 120_000;

export const createStorageFleet = (options: StorageFleetOptions): StorageFleetControl => {
  const { kinds, clusterId, drivers, metrics, clock, log } = options;
  const pools = kinds.storagePools.store;
  const entries = new Map<string, { readonly uid: string; readonly session: SessionControl }>();
  const listeners = new Set<(poolName: string) => void>();
  const closing = new Set<Promise<void>>();
  const addressesOf = createResolver(options);
  const readServerSecret = createSecretReader(options);

  const auditPeriodMs = (name: string): number => {
    const refs = pools.get(name)?.spec.hostPoolRefs ?? [];
    const periods = refs.flatMap((ref) => kinds.hostPools.store.get(ref.name)?.spec.auditPeriodSeconds ?? []);
    return periods.length === 0 ? defaultAuditMs : Math.min(...periods) * 1000;
  };

  const setup = async (name: string) => {
    const pool = pools.get(name);
    if (pool === undefined) return undefined;
    const names = clientNames(
      pool,
      (ref) => kinds.hostPools.store.get(ref),
      (ref) => kinds.hosts.store.byIndex('hostPool', ref),
    );
    const { generation } = pool.metadata;
    const found = setupOf(pool, await addressesOf(names));
    return found && { ...found, generation };
  };

  const open = ({ metadata: { name, uid } }: StoragePool): void => {
    const session = openStorageSession({
      name,
      identity: { clusterId, poolUid: uid, poolName: name },
      setup: () => setup(name),
      readSecret: readServerSecret,
      open: async (settings) => {
        const server = await openServer(drivers, { ...settings, existed: () => wasThere(pools.get(name)) });
        return measureServer(server, settings.wish.kind, metrics, clock);
      },
      auditPeriodMs: () => auditPeriodMs(name),
      tell: () => {
        for (const listener of listeners) listener(name);
      },
      clock,
      log,
    });
    entries.set(name, { uid, session });
  };

  const drop = (name: string): void => {
    const entry = entries.get(name);
    if (entry === undefined) return;
    entries.delete(name);
    const closed: Promise<void> = entry.session
      .close()
      .catch((err: unknown) => log.warn({ pool: name, err }, 'storage server not closed'))
      .finally(() => closing.delete(closed));
    closing.add(closed);
  };

  const look = (name: string): void => {
    const pool = pools.get(name);
    if (pool === undefined) {
      if (pools.unreadableAt(name) === undefined) drop(name);
      return;
    }
    if (entries.get(name)?.uid !== pool.metadata.uid) drop(name);
    const entry = entries.get(name);
    if (entry !== undefined) entry.session.wake();
    else if (setupOf(pool, []) !== undefined) open(pool);
  };

  /** Clients are the hosts: a pool whose hosts changed is opened anew. */
  const lookAtUsers = (hostPool: string): void => {
    for (const name of entries.keys()) {
      const pool = pools.get(name);
      const refs = pool?.spec.hostPoolRefs.some((ref) => ref.name === hostPool);
      const shown = pool?.status?.hosts?.some((host) => host.name.startsWith(`${hostPool}.`));
      if (refs === true || shown === true) look(name);
    }
  };

  const hostNames = (pool: StoragePool | undefined): string =>
    (pool?.status?.hosts ?? []).map(({ name }) => name).join();

  const follow = (): (() => void)[] => [
    pools.subscribe(({ key, old, new: now }) => {
      const sameSpec =
        old?.metadata.uid === now?.metadata.uid && old?.metadata.generation === now?.metadata.generation;
      if (!sameSpec || hostNames(old) !== hostNames(now)) look(key);
    }),
    kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
      if (old?.metadata.generation !== now?.metadata.generation) lookAtUsers(key);
    }),
    kinds.hosts.store.subscribe(({ old, new: now }) => {
      const hostPool = (now ?? old)?.spec.hostPoolRef.name;
      if ((old === undefined || now === undefined) && hostPool !== undefined) lookAtUsers(hostPool);
    }),
  ];

  return {
    session: (name) => entries.get(name)?.session,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    run: async (signal) => {
      const leave = follow();
      for (const { metadata } of pools.list()) look(metadata.name);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      for (const unsubscribe of leave) unsubscribe();
    },
    close: async () => {
      for (const name of [...entries.keys()]) drop(name);
      await Promise.all(closing);
    },
  };
};
