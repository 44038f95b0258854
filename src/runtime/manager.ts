import type { Clock } from './clock.ts';
import { Fault, toFault } from './fault.ts';
import type { Leadership, Lease } from './lease.ts';
import type { Log } from './log.ts';

/** A cache that is filled by the API server or by hosts. */
export interface Source {
  readonly name: string;
  /** Runs until aborted; rejects only on what no retry can help. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the first complete list is in. */
  synced(signal: AbortSignal): Promise<void>;
}

/** What the manager needs of a controller. */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface ManagerOptions {
  readonly sources: readonly Source[];
  readonly controllers: readonly Runnable[];
  /** Without one the process always leads. */
  readonly lease?: Lease;
  /** Closed in this order at the very end, each waited for: jobs, drivers, events, transport. */
  readonly closers?: readonly { readonly name: string; close(): Promise<void> }[];
  readonly clock: Clock;
  readonly log: Log;
  /** Passes in flight get this long to end by themselves after a clean stop; default 20,000. */
  readonly drainMs?: number;
  /** All closers together get this long; default 2,000. */
  readonly closeMs?: number;
}

/** `starting` until the caches are synced, `standby` until leading. */
export type ManagerState = 'starting' | 'standby' | 'leading' | 'stopping' | 'stopped';

export interface Manager {
  /**
   * Runs until `signal` is aborted (then stops cleanly within 25 s and resolves), until the lease is lost or a
   * source or controller fails (then stops and rejects with that fault; main logs it and exits 1).
   */
  run(signal: AbortSignal): Promise<void>;
  state(): ManagerState;
  /** Names of sources not synced yet. */
  unsynced(): readonly string[];
}

/** For passes to notice that they were aborted. Drain, grace, release (2 s) and close stay below 25 s together. */
const graceMs = 500;

const wait = async (what: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> => {
  const timer = new AbortController();
  const timeout = clock.sleep(limitMs, timer.signal).then(
    () => false,
    () => false,
  );
  const inTime = await Promise.race([what.then(() => true), timeout]);
  timer.abort();
  return inTime;
};

const stopReason = (): Fault => new Fault('busy', 'The operator is stopping.', { reason: 'Stopping' });

const endedEarly = (name: string): Fault =>
  new Fault('bug', `${name} ended by itself.`, { reason: 'EndedEarly' });

/** What runs in the background: the first failure (or early end) of any of them is `failed`. */
const createTasks = () => {
  const failed = new AbortController();
  return {
    failed: failed.signal,
    run: (name: string, task: (signal: AbortSignal) => Promise<void>, stop: AbortSignal): void => {
      const guarded = async (): Promise<void> => {
        try {
          await task(stop);
        } catch (error) {
          if (!stop.aborted) {
            failed.abort(toFault(error));
          }
          return;
        }
        if (!stop.aborted) {
          failed.abort(endedEarly(name));
        }
      };
      void guarded();
    },
  };
};

/** Resolves when the first of the signals is aborted. */
const firstOf = (...signals: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) {
        resolve();
      }
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });

const closeAll = async ({ closers = [], closeMs = 2_000, clock, log }: ManagerOptions): Promise<void> => {
  const closeEach = async (): Promise<void> => {
    for (const closer of closers) {
      await closer
        .close()
        .catch((error: unknown) => log.warn({ name: closer.name, err: error }, 'not closed'));
    }
  };
  if (!(await wait(closeEach(), closeMs, clock))) {
    log.warn({ closeMs }, 'closing took too long');
  }
};

/** Starts and stops everything in order; see Manager. */
export const createManager = (options: ManagerOptions): Manager => {
  const { sources, controllers, lease, clock, log, drainMs = 20_000 } = options;
  const missing = new Set(sources.map(({ name }) => name));
  let state: ManagerState = 'starting';

  const syncAll = async (signal: AbortSignal): Promise<void> => {
    const sync = async (source: Source): Promise<void> => {
      await source.synced(signal);
      missing.delete(source.name);
      log.info({ source: source.name }, 'source synced');
    };
    await Promise.all(sources.map(sync));
  };

  const drain = async (hard: AbortController): Promise<void> => {
    const closed = Promise.all(controllers.map((controller) => controller.close()));
    if (!hard.signal.aborted && !(await wait(closed, drainMs, clock))) {
      log.warn({ drainMs }, 'passes aborted at stop');
    }
    hard.abort(stopReason());
    if (!(await wait(closed, graceMs, clock))) {
      log.error({}, 'passes ignore their abort');
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    const soft = new AbortController();
    const hard = new AbortController();
    const fetching = createTasks();
    const working = createTasks();
    let leadership: Leadership | undefined;
    const before = AbortSignal.any([signal, fetching.failed]);
    try {
      sources.forEach((source) => fetching.run(source.name, (end) => source.run(end), soft.signal));
      await syncAll(before);
      state = 'standby';
      leadership = await lease?.acquire(before);
      state = 'leading';
      controllers.forEach((controller) =>
        working.run(controller.name, (end) => controller.run(end), hard.signal),
      );
      const lost = leadership?.signal ?? new AbortController().signal;
      lost.addEventListener('abort', () => hard.abort(lost.reason), { once: true });
      await firstOf(before, working.failed, lost);
      AbortSignal.any([fetching.failed, working.failed, lost]).throwIfAborted();
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    } finally {
      state = 'stopping';
      log.info({}, 'stopping');
      soft.abort(stopReason());
      await drain(hard);
      await leadership?.release();
      await closeAll(options);
      state = 'stopped';
      log.info({}, 'stopped');
    }
  };

  return { run, state: () => state, unsynced: () => [...missing] };
};
