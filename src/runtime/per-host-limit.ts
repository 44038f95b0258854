import type { Clock } from './clock.ts';
import { Fault, isFault } from './fault.ts';
import { type Backoff, delayMs, policies } from './policy.ts';
import { createWaiters, type Waiters } from './waiters.ts';

/** Calls bounded per host, so that one slow or dead host delays no other. */
export interface PerHostLimit {
  /**
   * Runs `call` when the host has a free place, waiting in line for one. Throws without asking the host:
   * `busy` when the line is full, and the last `unreachable` again while the host is being left alone after it.
   */
  run<T>(host: string, call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** The host is known to answer again (an event, a new connection): ends being left alone. */
  recovered(host: string): void;
  /** Forgets a host that left its pool. */
  forget(host: string): void;
}

export interface PerHostLimitOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls at the same time. */
  readonly limit: number;
  /** Calls that may wait for a place; below the controller's concurrency, or one host's line holds all workers. */
  readonly maxWaiting: number;
}

interface HostState {
  running: number;
  waiting: number;
  readonly line: Waiters<void>;
  failures: number;
  /** The last fault and the monotonic moment until which it is believed. */
  down: { readonly fault: Fault; readonly untilMs: number } | undefined;
}

const newHost = (): HostState => ({
  running: 0,
  waiting: 0,
  line: createWaiters<void>(),
  failures: 0,
  down: undefined,
});

const lineFull = (host: string): Fault =>
  new Fault('busy', `Host ${host} has as many calls as it is given.`, { reason: 'HostBusy', where: host });

const stillDown = ({ message, reason, where }: Fault, retryAfterMs: number, cause: Fault): Fault =>
  new Fault('unreachable', message, {
    ...(reason === undefined ? {} : { reason }),
    ...(where === undefined ? {} : { where }),
    retryAfterMs,
    cause,
  });

const backoff: Backoff = policies.unreachable;

/** Hands the place on to the first in line, or frees it. */
const leave = (state: HostState): void => {
  if (!state.line.give()) {
    state.running -= 1;
  }
};

const recover = (state: HostState): void => {
  state.failures = 0;
  state.down = undefined;
};

/** While a host is down it is asked by one call at a time, and by none before the backoff is over. */
const refuseWhileDown = ({ down }: HostState, others: number, nowMs: number): void => {
  if (down !== undefined && (down.untilMs > nowMs || others > 0)) {
    throw stillDown(down.fault, Math.max(down.untilMs - nowMs, backoff.baseMs), down.fault);
  }
};

/** See PerHostLimit. After an `unreachable` the host is asked by one call at a time until one succeeds. */
export const createPerHostLimit = (options: PerHostLimitOptions): PerHostLimit => {
  const { clock, random, limit, maxWaiting } = options;
  const hosts = new Map<string, HostState>();

  const stateOf = (host: string): HostState => {
    const state = hosts.get(host) ?? newHost();
    hosts.set(host, state);
    return state;
  };

  const enter = async (host: string, state: HostState, signal: AbortSignal): Promise<void> => {
    refuseWhileDown(state, state.running, clock.monotonicMs());
    if (state.running < limit) {
      state.running += 1;
      return;
    }
    if (state.waiting >= maxWaiting) {
      throw lineFull(host);
    }
    state.waiting += 1;
    try {
      await state.line.wait(signal);
    } finally {
      state.waiting -= 1;
    }
    try {
      refuseWhileDown(state, state.running - 1, clock.monotonicMs());
    } catch (fault) {
      leave(state);
      throw fault;
    }
  };

  const note = (state: HostState, error: unknown): void => {
    if (isFault(error, 'unreachable')) {
      state.failures += 1;
      const untilMs = clock.monotonicMs() + delayMs(backoff, state.failures, random);
      state.down = { fault: error, untilMs };
    } else if (isFault(error)) {
      recover(state);
    }
  };

  const run: PerHostLimit['run'] = async (host, call, signal) => {
    signal.throwIfAborted();
    const state = stateOf(host);
    await enter(host, state, signal);
    try {
      const answer = await call(signal);
      recover(state);
      return answer;
    } catch (error) {
      if (!signal.aborted || isFault(error, 'unreachable')) {
        note(state, error);
      }
      throw error;
    } finally {
      leave(state);
    }
  };

  return {
    run,
    recovered: (host) => recover(stateOf(host)),
    forget: (host) => {
      hosts.delete(host);
    },
  };
};
