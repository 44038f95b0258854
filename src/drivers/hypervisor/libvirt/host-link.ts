/**
 * One host's connection, kept alive: dialled at once, dialled again after it broke with back-off and jitter, never
 * waiting for another host. Bulk data goes over a second connection, opened when first needed.
 */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import type { HostEndpoint } from '../contract.ts';
import type { Dial, Remote } from './remote.ts';
import { toHostFault } from './to-fault.ts';

const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
const DIAL_LIMIT_MS = 20_000;
/** How long the first caller waits for the first connection before the host counts as unreachable. */
const FIRST_WAIT_MS = 10_000;

export type LinkState<Session> =
  | { readonly kind: 'up'; readonly remote: Remote; readonly session: Session }
  | { readonly kind: 'down'; readonly sinceMs: number; readonly fault: Fault };

export interface HostLink<Session> {
  readonly endpoint: HostEndpoint;
  state(): LinkState<Session>;
  /** The open connection. Waits for the very first attempt only; else throws Fault `unreachable` or `denied` at once. */
  up(signal: AbortSignal): Promise<{ readonly remote: Remote; readonly session: Session }>;
  /** A second connection for bulk data; ends with the first. */
  bulk(signal: AbortSignal): Promise<Remote>;
  close(): Promise<void>;
}

/** What a link needs of the driver around it. */
export interface LinkOptions<Session> {
  readonly endpoint: HostEndpoint;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly dial: Dial;
  /** Makes a fresh connection useful (events first, then the bulk list); the link is up when it resolves. */
  readonly prepare: (remote: Remote, signal: AbortSignal) => Promise<Session>;
  readonly onUp: () => void;
  readonly onDown: (fault: Fault) => void;
}

const pending = (endpoint: HostEndpoint): Fault =>
  new Fault('unreachable', `The host ${endpoint.host} is not connected yet.`, {
    reason: 'Connecting',
    where: endpoint.host,
  });

const firstOf = async (attempt: Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> => {
  const limit = new AbortController();
  const both = AbortSignal.any([signal, limit.signal]);
  try {
    await Promise.race([attempt, clock.sleep(FIRST_WAIT_MS, both).catch(() => undefined)]);
  } finally {
    limit.abort();
  }
};

interface Bulk {
  readonly open: (signal: AbortSignal) => Promise<Remote>;
  readonly close: () => Promise<void>;
}

/** The second connection: one dial however many ask, a new one once it is gone. */
const createBulk = (dial: (signal: AbortSignal) => Promise<Remote>): Bulk => {
  let current: Promise<Remote> | undefined;
  const open = (signal: AbortSignal): Promise<Remote> => {
    if (current !== undefined) return current;
    const dialled = dial(signal);
    current = dialled;
    const forget = (): void => {
      if (current === dialled) current = undefined;
    };
    dialled.then((remote) => remote.closed.then(forget), forget);
    return dialled;
  };
  const close = async (): Promise<void> => {
    const open = current;
    current = undefined;
    await open?.then(
      (remote) => remote.close(),
      () => undefined,
    );
  };
  return { open, close };
};

export const createHostLink = <Session>(options: LinkOptions<Session>): HostLink<Session> => {
  const { endpoint, clock } = options;
  const ending = new AbortController();
  const bulk = createBulk((signal) => options.dial(endpoint, AbortSignal.any([signal, ending.signal])));
  let state: LinkState<Session> = { kind: 'down', sinceMs: clock.nowMs(), fault: pending(endpoint) };
  const first = Promise.withResolvers<void>();

  const goDown = (error: unknown): void => {
    const fault = toHostFault(error, endpoint.host);
    const sinceMs = state.kind === 'down' ? state.sinceMs : clock.nowMs();
    state = { kind: 'down', sinceMs, fault };
    options.onDown(fault);
  };

  const connect = async (): Promise<Remote> => {
    const limit = AbortSignal.timeout(DIAL_LIMIT_MS);
    const signal = AbortSignal.any([ending.signal, limit]);
    const remote = await options.dial(endpoint, signal);
    try {
      const session = await options.prepare(remote, ending.signal);
      state = { kind: 'up', remote, session };
      return remote;
    } catch (error) {
      await remote.close().catch(() => undefined);
      throw error;
    }
  };

  const keep = async (): Promise<void> => {
    for (let failures = 0; !ending.signal.aborted; ) {
      try {
        const remote = await connect();
        failures = 0;
        first.resolve();
        options.onUp();
        const reason = await remote.closed;
        if (ending.signal.aborted) return;
        goDown(reason);
        await bulk.close();
      } catch (error) {
        if (ending.signal.aborted) return;
        goDown(error);
        first.resolve();
      }
      const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(failures, 10));
      failures += 1;
      await clock.sleep(backoffMs * (0.5 + options.random() / 2), ending.signal).catch(() => undefined);
    }
  };
  const kept = keep();

  return {
    endpoint,
    state: () => state,
    up: async (signal) => {
      if (state.kind === 'down') await firstOf(first.promise, clock, signal);
      const now = state;
      if (now.kind === 'down') throw now.fault;
      return now;
    },
    bulk: bulk.open,
    close: async () => {
      ending.abort();
      first.resolve();
      if (state.kind === 'up') await state.remote.close().catch(() => undefined);
      await bulk.close();
      await kept;
    },
  };
};
