/**
 * The server side of one StoragePool: opened as the spec and the Secrets say, opened anew when they change, and looked
 * at no more often than needed. Its timers are per pool, none per disk.
 */
import type { Reason } from '../api/reasons.ts';
import type {
  ChapCredentials,
  PoolIdentity,
  ServerCredentials,
  ServerEndpoint,
  ServerSeen,
  ServerStep,
  ServerWish,
  StorageServer,
} from '../drivers/storage/contract.ts';
import type { Clock } from '../runtime/clock.ts';
import { deepEqual } from '../runtime/equal.ts';
import { type Fault, toFault } from '../runtime/fault.ts';
import type { Log } from '../runtime/log.ts';
import { within } from '../runtime/within.ts';
import { chapOf, type LoginKeys } from './storage-login.ts';
import { endpointOf, type ServerSetup } from './storage-setup.ts';

export type ServerSecretSight =
  | {
      readonly kind: 'found';
      readonly credentials: ServerCredentials;
      readonly login?: LoginKeys | undefined;
      /** Another one after every change of the Secret; tells nothing of what is in it. */
      readonly version: string;
    }
  | { readonly kind: 'lack'; readonly reason: Reason; readonly message: string };

/** What a server is opened with. */
export interface ServerSettings {
  /** Version of the Secret that the login of `wish` comes from. */
  readonly loginVersion?: string | undefined;
  readonly identity: PoolIdentity;
  readonly wish: ServerWish;
  readonly endpoints: readonly ServerEndpoint[];
}

export type ServerState =
  /** The driver is being loaded, or the Secrets are being read. */
  | { readonly kind: 'opening' }
  /** It cannot be opened as things stand. */
  | { readonly kind: 'lack'; readonly reason: Reason; readonly message: string }
  | { readonly kind: 'open'; readonly server: StorageServer };

export interface Login extends ChapCredentials {
  readonly version: string;
}

export interface StorageSession {
  /** `opening` too while the pool's spec is newer than what the server was opened with. */
  state(generation: number): ServerState;
  /**
   * What is on the servers: as it was last seen while that is fresh enough, else by a sweep. After a failure the same
   * Fault is thrown until the time for another try has come.
   */
  look(how: 'fresh' | 'recent', signal: AbortSignal): Promise<ServerSeen>;
  take(step: ServerStep, signal: AbortSignal): Promise<void>;
  /** For how long a failure keeps the servers from being asked, in ms. */
  retryMs(): number;
  /** What hosts log in with, in memory alone; undefined while that is not known, and where they need nothing. */
  login(): Login | undefined;
  /** Nothing of ours was found on it, just before it was given up by the hosts; forgotten with this process. */
  emptied: boolean;
}

export interface SessionControl extends StorageSession {
  /** The spec, the hosts or a Secret may have changed. */
  wake(): void;
  close(): Promise<void>;
}

export interface StorageSessionOptions {
  readonly name: string;
  readonly identity: PoolIdentity;
  /** Read again whenever `wake` is called; undefined once the pool is gone. `generation` is that of the spec. */
  readonly setup: () => Promise<(ServerSetup & { readonly generation: number }) | undefined>;
  readonly readSecret: (name: string, signal: AbortSignal) => Promise<ServerSecretSight>;
  /** Loads the driver. Throws Fault `unsupported` when there is none. */
  readonly open: (settings: ServerSettings) => Promise<StorageServer>;
  readonly auditPeriodMs: () => number;
  /** Something changed, or it is time to look again. */
  readonly tell: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

const sweepLimitMs = 40_000;
const troubledMs = 10_000;
const settledMs = 600_000;
/** A login is changed in its Secret alone, and nothing else tells of it. */
const loginMs = 60_000;
const firstRetryMs = 2_000;
const longestRetryMs = 60_000;

interface Memory {
  state: ServerState;
  generation: number;
  settings: ServerSettings | undefined;
  seen: ServerSeen | undefined;
  freshUntilMs: number;
  failure: Fault | undefined;
  failures: number;
  retryAtMs: number;
}

const blank = (state: ServerState) => ({
  state,
  seen: undefined,
  freshUntilMs: 0,
  failure: undefined,
  failures: 0,
  retryAtMs: 0,
});

/** Settings as the Secrets make them; or what is lacking. */
const resolve = async (
  { identity, readSecret }: StorageSessionOptions,
  { wish, servers, login }: ServerSetup,
  signal: AbortSignal,
): Promise<ServerSettings | Extract<ServerState, { kind: 'lack' }>> => {
  const logins = login === undefined ? [] : [login.secret];
  const names = [...new Set([...servers.map(({ secret }) => secret), ...logins])];
  const sights = new Map(
    await Promise.all(names.map(async (name) => [name, await readSecret(name, signal)] as const)),
  );
  const lack = [...sights.values()].find((sight) => sight.kind === 'lack');
  if (lack !== undefined) return lack;
  const endpoints = servers.flatMap((server) => {
    const sight = sights.get(server.secret);
    return sight?.kind === 'found' ? [endpointOf(server, sight.credentials)] : [];
  });
  if (login === undefined || wish.kind !== 'iscsi') return { identity, wish, endpoints };
  const sight = sights.get(login.secret);
  if (sight?.kind !== 'found') throw new TypeError(`Secret ${login.secret} was not read`);
  const read = chapOf(login, sight.login ?? {});
  if (read.kind === 'lack') return { ...read, reason: 'SecretInvalid' };
  return { identity, wish: { ...wish, chap: read.chap }, endpoints, loginVersion: sight.version };
};

const createOpener = (options: StorageSessionOptions, memory: Memory, signal: AbortSignal) => {
  const { open, setup, tell, log, name } = options;
  const shut = (server: StorageServer): void =>
    void server.close().catch((err: unknown) => log.warn({ pool: name, err }, 'storage server not closed'));
  const change = (state: ServerState, settings: ServerSettings | undefined): void => {
    const before = memory.state;
    Object.assign(memory, blank(state), { settings });
    if (before.kind === 'open') shut(before.server);
  };
  const openAs = async (wanted: ServerSetup): Promise<void> => {
    try {
      const found = await resolve(options, wanted, signal);
      if ('kind' in found) return change(found, undefined);
      if (deepEqual(found, memory.settings)) return;
      const server = await open(found);
      if (signal.aborted) return shut(server);
      change({ kind: 'open', server }, found);
    } catch (error) {
      const fault = toFault(error);
      if (fault.kind !== 'unsupported' && fault.kind !== 'invalid') throw fault;
      const reason = fault.kind === 'unsupported' ? 'Unsupported' : 'Invalid';
      change({ kind: 'lack', reason, message: fault.message }, undefined);
    }
  };
  return async (): Promise<void> => {
    try {
      const wanted = await setup();
      if (wanted === undefined || signal.aborted) return;
      const { state, generation } = memory;
      await openAs(wanted);
      memory.generation = wanted.generation;
      if (generation !== wanted.generation || !deepEqual(state, memory.state)) tell();
    } catch (err) {
      // A Secret that could not be asked for leaves everything as it was.
      if (!signal.aborted) log.warn({ pool: name, err }, 'storage server not opened');
    }
  };
};

/** Runs one at a time; asked for while it runs, it runs once more after. */
const oneAtATime = (run: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | undefined;
  let again = false;
  const loop = async (): Promise<void> => {
    do {
      again = false;
      await run();
    } while (again);
  };
  return () => {
    again = true;
    running ??= loop().finally(() => {
      running = undefined;
    });
    return running;
  };
};

const createLook = (options: StorageSessionOptions, memory: Memory): StorageSession['look'] => {
  const { clock, auditPeriodMs } = options;
  const remember = (server: StorageServer, seen: ServerSeen): void => {
    const plan = server.plan(seen);
    const restMs = plan.kind === 'wait' ? Math.min(plan.pollMs, auditPeriodMs()) : auditPeriodMs();
    memory.seen = seen;
    memory.freshUntilMs = plan.kind === 'step' ? 0 : clock.monotonicMs() + restMs;
    memory.failure = undefined;
    memory.failures = 0;
  };
  const fail = (error: unknown): Fault => {
    const fault = toFault(error);
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(memory.failures, 10));
    memory.failure = fault;
    memory.failures += 1;
    memory.retryAtMs = clock.monotonicMs() + delayMs;
    memory.freshUntilMs = 0;
    return fault;
  };
  return async (how, signal) => {
    const { state } = memory;
    if (state.kind !== 'open') throw new TypeError('a server that is not open was looked at');
    const nowMs = clock.monotonicMs();
    if (memory.failure !== undefined && nowMs < memory.retryAtMs) throw memory.failure;
    if (how === 'recent' && memory.seen !== undefined && nowMs < memory.freshUntilMs) return memory.seen;
    try {
      const seen = await within({ clock, limitMs: sweepLimitMs, signal }, (inner) => state.server.see(inner));
      if (memory.state === state) remember(state.server, seen);
      return seen;
    } catch (error) {
      signal.throwIfAborted();
      throw memory.state === state ? fail(error) : toFault(error);
    }
  };
};

/** Calls `run` again and again, each time after what `delayMs` says; until the signal ends. */
const repeat = (clock: Clock, delayMs: () => number, run: () => void, signal: AbortSignal): void => {
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(delayMs(), signal);
      run();
    }
  };
  void loop().catch(() => undefined);
};

export const openStorageSession = (options: StorageSessionOptions): SessionControl => {
  const { clock, tell } = options;
  const ends = new AbortController();
  const { signal } = ends;
  const memory: Memory = { ...blank({ kind: 'opening' }), generation: 0, settings: undefined };
  const reopen = oneAtATime(createOpener(options, memory, signal));
  const look = createLook(options, memory);
  void reopen();
  const troubled = (): boolean => memory.state.kind !== 'open' || memory.failure !== undefined;
  repeat(
    clock,
    () => {
      if (troubled()) return troubledMs;
      return memory.settings?.loginVersion === undefined ? settledMs : loginMs;
    },
    () => void reopen(),
    signal,
  );
  repeat(
    clock,
    options.auditPeriodMs,
    () => {
      memory.freshUntilMs = 0;
      tell();
    },
    signal,
  );
  return {
    state: (generation) =>
      memory.state.kind === 'open' && memory.generation < generation ? { kind: 'opening' } : memory.state,
    look,
    take: async (step, inner) => {
      const { state } = memory;
      if (state.kind !== 'open') throw new TypeError('a server that is not open was changed');
      memory.freshUntilMs = 0;
      await state.server.take(step, inner);
    },
    login: () => {
      const { wish, loginVersion: version } = memory.settings ?? {};
      return wish?.kind !== 'iscsi' || wish.chap === undefined || version === undefined
        ? undefined
        : { ...wish.chap, version };
    },
    retryMs: () => (memory.failure === undefined ? 0 : Math.max(0, memory.retryAtMs - clock.monotonicMs())),
    emptied: false,
    wake: () => void reopen(),
    close: async () => {
      ends.abort();
      if (memory.state.kind === 'open') await memory.state.server.close();
    },
  };
};
