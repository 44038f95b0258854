/**
 * One open pool: keeps its endpoints as the spec and the Secrets say, knows the last answer of every host, hands on
 * the hints of the driver and surveys the hosts once per audit period. Its timers are per pool, none per machine.
 */
import type {
  Change,
  HostCredentials,
  HostEndpoint,
  HostId,
  HostSeen,
  HypervisorPool,
  SurveySeen,
} from '../drivers/hypervisor/contract.ts';
import type { Clock } from '../runtime/clock.ts';
import { deepEqual } from '../runtime/equal.ts';
import { isFault, toFault } from '../runtime/fault.ts';
import type { Log } from '../runtime/log.ts';
import { within } from '../runtime/within.ts';
import type { PoolSession } from './context.ts';
import type { KnownHost } from './fleet-endpoints.ts';
import { type Blocked, guardPool } from './fleet-guard.ts';

/** What a Secret gave: credentials, or why there are none. */
export type SecretSight =
  | { readonly kind: 'found'; readonly credentials: HostCredentials }
  | { readonly kind: 'lack'; readonly reason: 'SecretNotFound' | 'SecretInvalid'; readonly message: string };

export interface SessionOptions {
  readonly name: string;
  readonly pool: HypervisorPool;
  /** All hosts the pool has now; read again whenever `wake` is called. */
  readonly hosts: () => readonly KnownHost[];
  readonly auditPeriodMs: () => number;
  readonly readSecret: (name: string, signal: AbortSignal) => Promise<SecretSight>;
  readonly tell: (change: Change) => void;
  /** Rows of a finished survey. */
  readonly audited: (rows: readonly SurveySeen[]) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FleetSession extends PoolSession {
  /** The hosts or the way to them may have changed. */
  wake(): void;
  close(): Promise<void>;
}

/** Until then a host that has not been tried is left out of `hosts()`; afterwards it counts as unreachable. */
const graceMs = 10_000;
/** While a host is untried, its answer is asked for this often; the driver tells of most changes by itself. */
const untriedPollMs = 250;
const troubledSecretsMs = 10_000;
const settledSecretsMs = 600_000;
const retryMs = 2_000;
const callMs = 60_000;

interface State {
  /** What the driver was last configured with. */
  endpoints: readonly HostEndpoint[];
  readonly blocked: Map<HostId, Blocked>;
  /** Since when each host is known, monotonic. */
  readonly since: Map<HostId, number>;
  seen: ReadonlyMap<HostId, HostSeen>;
}

const isUntried = (seen: HostSeen | undefined): boolean =>
  seen === undefined || (seen.kind === 'unreachable' && seen.reason === 'Connecting');

const sameAnswer = (a: HostSeen | undefined, b: HostSeen | undefined): boolean =>
  deepEqual(
    a?.kind === 'unreachable' ? { ...a, sinceMs: 0 } : a,
    b?.kind === 'unreachable' ? { ...b, sinceMs: 0 } : b,
  );

/** Runs one at a time; asked for while it runs, it runs once more after. */
const createRunner = (run: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | undefined;
  let again = false;
  const loop = async (): Promise<void> => {
    do {
      again = false;
      await run();
    } while (again);
  };
  return () => {
    if (running !== undefined) {
      again = true;
      return running;
    }
    running = loop().finally(() => {
      running = undefined;
    });
    return running;
  };
};

const lacking = (host: HostId, nowMs: number, reason: string, message: string): Blocked => ({
  kind: 'unreachable',
  host,
  sinceMs: nowMs,
  reason,
  message,
});

/** Endpoints with credentials, and hosts that cannot be tried. A Secret that could not be asked for keeps the old. */
const createResolver = ({ readSecret, clock, log, name }: SessionOptions, state: State) => {
  const known = new Map<string, SecretSight>();
  const sight = async (secret: string, signal: AbortSignal): Promise<SecretSight | undefined> => {
    try {
      known.set(secret, await readSecret(secret, signal));
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ pool: name, secret, fault: toFault(error).kind }, 'secret of a host not read');
    }
    return known.get(secret);
  };
  return async (hosts: readonly KnownHost[], signal: AbortSignal): Promise<readonly HostEndpoint[]> => {
    const names = [...new Set(hosts.flatMap(({ secret }) => secret ?? []))];
    const sights = new Map(
      await Promise.all(names.map(async (secret) => [secret, await sight(secret, signal)] as const)),
    );
    for (const secret of known.keys()) if (!names.includes(secret)) known.delete(secret);
    const before = new Map(state.blocked);
    state.blocked.clear();
    const block = (host: HostId, reason: string, message: string): void => {
      const sinceMs = before.get(host)?.sinceMs ?? clock.nowMs();
      state.blocked.set(host, lacking(host, sinceMs, reason, message));
    };
    return hosts.flatMap(({ host, uri, secret }): readonly HostEndpoint[] => {
      if (uri === undefined) {
        block(
          host,
          'NotInPool',
          'The host is no longer listed in its pool, and how to reach it is not known.',
        );
        return [];
      }
      if (secret === undefined) return [{ host, uri }];
      const found = sights.get(secret);
      if (found === undefined) return [];
      if (found.kind === 'found') return [{ host, uri, credentials: found.credentials }];
      block(host, found.reason, found.message);
      return [];
    });
  };
};

/** The answer of every host: the driver's, else why it cannot be tried, else that it has been silent for too long. */
const mergeAnswers = (
  answers: readonly HostSeen[],
  hosts: readonly KnownHost[],
  { blocked, since }: State,
  clock: Clock,
): ReadonlyMap<HostId, HostSeen> => {
  const told = new Map(answers.map((seen) => [seen.host, seen]));
  const nowMs = clock.monotonicMs();
  for (const host of since.keys()) if (!hosts.some((it) => it.host === host)) since.delete(host);
  return new Map(
    hosts.flatMap(({ host }): readonly (readonly [HostId, HostSeen])[] => {
      const sinceMs = since.get(host) ?? nowMs;
      since.set(host, sinceMs);
      const seen = blocked.get(host) ?? told.get(host);
      if (seen !== undefined && !isUntried(seen)) return [[host, seen]];
      if (nowMs - sinceMs < graceMs) return [];
      const silent = lacking(
        host,
        clock.nowMs(),
        'HostUnreachable',
        `The host ${host} has not answered yet.`,
      );
      return [[host, seen?.kind === 'unreachable' ? { ...silent, message: seen.message } : silent]];
    }),
  );
};

/** Reads hosts again and tells which answers changed. */
const createRefresh = (options: SessionOptions, state: State, signal: AbortSignal) => {
  const { pool, clock, tell, log, name } = options;
  return createRunner(async () => {
    try {
      const answers = await within({ clock, limitMs: callMs, signal }, (inner) => pool.hosts(inner));
      const before = state.seen;
      state.seen = mergeAnswers(answers, options.hosts(), state, clock);
      for (const host of new Set([...before.keys(), ...state.seen.keys()])) {
        if (!sameAnswer(before.get(host), state.seen.get(host))) tell({ kind: 'host', host });
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ pool: name, err: error }, 'hosts of a pool not read');
    }
  });
};

/** Calls `run` again and again, each time after what it answers; until the signal ends. */
const repeat = (clock: Clock, firstMs: number, run: () => Promise<number>, signal: AbortSignal): void => {
  const loop = async (): Promise<void> => {
    let delayMs = firstMs;
    while (!signal.aborted) {
      await clock.sleep(delayMs, signal);
      delayMs = await run();
    }
  };
  void loop().catch(() => undefined);
};

export const openSession = (options: SessionOptions): FleetSession => {
  const { name, pool, clock, log, tell } = options;
  const ends = new AbortController();
  const { signal } = ends;
  const state: State = { endpoints: [], blocked: new Map(), since: new Map(), seen: new Map() };
  const resolve = createResolver(options, state);
  const refresh = createRefresh(options, state, signal);

  const configure = createRunner(async () => {
    try {
      const endpoints = await resolve(options.hosts(), signal);
      if (!signal.aborted && !deepEqual(endpoints, state.endpoints)) {
        state.endpoints = endpoints;
        pool.reconfigure(endpoints);
      }
    } catch (error) {
      if (!signal.aborted) log.error({ pool: name, err: error }, 'pool not configured');
    }
    await refresh();
  });

  const pump = async (): Promise<void> => {
    for await (const change of pool.changes(signal)) {
      if (change.kind === 'host' || change.kind === 'resync') await refresh();
      tell(change);
    }
  };
  const keepPumping = async (): Promise<void> => {
    while (!signal.aborted) {
      await pump().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ pool: name, err: error }, 'changes of a pool interrupted');
      });
      if (!signal.aborted) await clock.sleep(retryMs, signal).catch(() => undefined);
    }
  };

  const untried = (): boolean => options.hosts().some(({ host }) => isUntried(state.seen.get(host)));
  const troubled = (): boolean => [...state.seen.values()].some(({ kind }) => kind === 'unreachable');

  const survey = async (): Promise<number> => {
    try {
      options.audited(await within({ clock, limitMs: callMs, signal }, (inner) => pool.survey(inner)));
      await refresh();
    } catch (error) {
      if (!signal.aborted && !isFault(error, 'busy')) log.warn({ pool: name, err: error }, 'survey failed');
    }
    return options.auditPeriodMs();
  };

  void keepPumping();
  const started = configure();
  repeat(
    clock,
    untriedPollMs,
    async () => {
      if (untried()) await refresh();
      return untried() ? untriedPollMs : graceMs;
    },
    signal,
  );
  repeat(
    clock,
    troubledSecretsMs,
    async () => {
      await configure();
      return troubled() ? troubledSecretsMs : settledSecretsMs;
    },
    signal,
  );
  void started.then(() => repeat(clock, options.auditPeriodMs(), survey, signal));

  return {
    pool: guardPool(pool, state.blocked),
    hosts: () => state.seen,
    wake: () => void configure(),
    close: async () => {
      ends.abort();
      await pool.close();
    },
  };
};
