/** The open pools: one session per HostPool object, from the moment it is seen until it is gone. */
import type { HostPool } from '../api/host-pool.ts';
import type { Change, HypervisorPool, SurveySeen } from '../drivers/hypervisor/contract.ts';
import type { Resource } from '../kube/contract.ts';
import { readSecret, type Secret } from '../kube/core-kinds.ts';
import type { Clock } from '../runtime/clock.ts';
import { isFault } from '../runtime/fault.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Fleet, Kinds } from './context.ts';
import { credentialsOf, type KnownHost, leavingHosts, listedHosts } from './fleet-endpoints.ts';
import { measurePool } from './fleet-metrics.ts';
import { type FleetSession, openSession, type SecretSight } from './fleet-session.ts';
import { readSurvey } from './fleet-survey.ts';

/** Opens a pool without hosts; they come by `reconfigure`. Drivers are loaded when first used. */
export type OpenPool = (clusterId: string) => Promise<HypervisorPool>;
export type FleetDrivers = Readonly<Record<HostPool['spec']['driver'], OpenPool>>;

export interface FleetOptions {
  readonly kinds: Pick<Kinds, 'hostPools' | 'hosts' | 'machines'>;
  readonly secrets: Pick<Resource<Secret>, 'get'>;
  /** The operator's own, where the Secrets of hosts are. */
  readonly namespace: string;
  readonly clusterId: string;
  readonly drivers: FleetDrivers;
  readonly metrics: Pick<Metrics, 'driverCall'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FleetControl extends Fleet {
  /** Told once per pool and audit period, after the survey. */
  onAudit(listener: (hostPoolName: string) => void): () => void;
  /** Opens sessions as pools are seen, until the signal ends; sessions stay open for passes that are in flight. */
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const createListeners = <T extends readonly unknown[]>(log: Log) => {
  const listeners = new Set<(...args: T) => void>();
  return {
    add: (listener: (...args: T) => void): (() => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell: (...args: T): void => {
      for (const listener of listeners) {
        try {
          listener(...args);
        } catch (error) {
          log.error({ err: error }, 'subscriber of the fleet failed');
        }
      }
    },
  };
};

/** What the Secret of a host gives; `denied` and absent are told alike but for the words. */
const createSecretReader =
  ({ secrets, namespace }: FleetOptions) =>
  async (name: string, signal: AbortSignal): Promise<SecretSight> => {
    const lack = (message: string): SecretSight => ({ kind: 'lack', reason: 'SecretNotFound', message });
    try {
      const data = await readSecret(secrets, { namespace, name }, signal);
      return data === undefined
        ? lack(`Secret ${name} does not exist in the namespace of the operator.`)
        : { kind: 'found', credentials: credentialsOf(data) };
    } catch (error) {
      if (isFault(error, 'denied')) return lack(`The operator may not read Secret ${name}.`);
      throw error;
    }
  };

/** An entry is there at once; its session follows as soon as the driver is loaded. */
interface Entry {
  readonly uid: string;
  session: FleetSession | undefined;
  gone: boolean;
}

export const createFleet = (options: FleetOptions): FleetControl => {
  const { kinds, clusterId, drivers, metrics, clock, log } = options;
  const entries = new Map<string, Entry>();
  const changes = createListeners<[string, Change]>(log);
  const audits = createListeners<[string]>(log);
  const closing = new Set<Promise<void>>();
  const readHostSecret = createSecretReader(options);
  let known = new Set<string>();

  const hostsOf = (name: string): readonly KnownHost[] => {
    const pool = kinds.hostPools.store.get(name);
    if (pool === undefined) return [];
    const listed = listedHosts(pool);
    return [...listed, ...leavingHosts(listed, kinds.hosts.store.byIndex('hostPool', name))];
  };

  const audited = (name: string, rows: readonly SurveySeen[]): void => {
    const report = readSurvey(rows, name, clusterId, kinds.machines.store);
    for (const change of report.changes) changes.tell(name, change);
    for (const orphan of report.orphans) {
      const key = `${orphan.host}/${orphan.uuid}`;
      if (!known.has(key)) log.warn(orphan, 'machine of ours without an object');
    }
    const others = [...known].filter((key) => !key.startsWith(`${name}.`));
    known = new Set([...others, ...report.orphans.map(({ host, uuid }) => `${host}/${uuid}`)]);
    audits.tell(name);
  };

  const track = (work: Promise<void>): void => {
    const tracked = work
      .catch((error: unknown) => log.warn({ err: error }, 'pool not closed'))
      .finally(() => closing.delete(tracked));
    closing.add(tracked);
  };

  const load = async (name: string, pool: HostPool, entry: Entry): Promise<void> => {
    const { driver } = pool.spec;
    const opened = measurePool(await drivers[driver](clusterId), driver, metrics, clock);
    if (entry.gone) {
      await opened.close();
      return;
    }
    entry.session = openSession({
      name,
      pool: opened,
      hosts: () => hostsOf(name),
      auditPeriodMs: () => (kinds.hostPools.store.get(name) ?? pool).spec.auditPeriodSeconds * 1000,
      readSecret: readHostSecret,
      tell: (change) => changes.tell(name, change),
      audited: (rows) => audited(name, rows),
      clock,
      log,
    });
  };

  const open = (name: string, pool: HostPool): void => {
    const entry: Entry = { uid: pool.metadata.uid, session: undefined, gone: false };
    entries.set(name, entry);
    log.info({ pool: name, driver: pool.spec.driver }, 'opening pool');
    void load(name, pool, entry).catch((error: unknown) =>
      log.error({ pool: name, err: error }, 'pool not opened'),
    );
  };

  const drop = (name: string, entry: Entry): void => {
    entries.delete(name);
    entry.gone = true;
    log.info({ pool: name }, 'closing pool');
    if (entry.session !== undefined) track(entry.session.close());
  };

  const look = (name: string): void => {
    const pool = kinds.hostPools.store.get(name);
    const entry = entries.get(name);
    const there = pool !== undefined || kinds.hostPools.store.unreadableAt(name) !== undefined;
    if (entry !== undefined && (!there || (pool !== undefined && pool.metadata.uid !== entry.uid))) {
      drop(name, entry);
    }
    if (pool !== undefined && !entries.has(name)) open(name, pool);
    else entry?.session?.wake();
  };

  const follow = (): (() => void)[] => [
    kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
      if (old?.metadata.uid !== now?.metadata.uid || old?.metadata.generation !== now?.metadata.generation) {
        look(key);
      }
    }),
    kinds.hosts.store.subscribe(({ old, new: now }) => {
      const pool = (now ?? old)?.spec.hostPoolRef.name;
      if ((old === undefined || now === undefined) && pool !== undefined) entries.get(pool)?.session?.wake();
    }),
  ];

  const run = async (signal: AbortSignal): Promise<void> => {
    const leave = follow();
    for (const { metadata } of kinds.hostPools.store.list()) look(metadata.name);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const unsubscribe of leave) unsubscribe();
  };

  return {
    session: (name) => entries.get(name)?.session,
    subscribe: changes.add,
    onAudit: audits.add,
    run,
    close: async () => {
      for (const [name, entry] of entries) drop(name, entry);
      await Promise.all(closing);
    },
  };
};
