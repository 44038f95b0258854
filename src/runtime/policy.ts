import type { Fault, FaultKind } from './fault.ts';

/**
 * What to do about a fault (docs/adr/0003-faults.md).
 * - `backoff`  ask again, each time after twice as long.
 * - `poll`     the remote is at work: ask again soon, slowing down gently.
 * - `now`      look again at once; doubles too, so that a storm of conflicts does not become a busy loop.
 * - `onChange` only a change of spec, Secret or pool can help; a slow resync stays, because events can be missed.
 */
export interface Policy {
  readonly retry: 'backoff' | 'poll' | 'now' | 'onChange';
  /** A person sees it in conditions and events. */
  readonly shown: boolean;
  /** It means a defect of ours: logged as an error and counted apart. */
  readonly alert: boolean;
  /** Delay after the first fault in a row, in milliseconds. */
  readonly baseMs: number;
  /** The delay never grows beyond this, in milliseconds. */
  readonly maxMs: number;
}

const resyncMs = 600_000;

/** The one table: every kind of fault and its treatment. */
export const policies = {
  unreachable: { retry: 'backoff', shown: true, alert: false, baseMs: 1_000, maxMs: 60_000 },
  busy: { retry: 'poll', shown: false, alert: false, baseMs: 500, maxMs: 10_000 },
  conflict: { retry: 'now', shown: false, alert: false, baseMs: 5, maxMs: 5_000 },
  invalid: { retry: 'onChange', shown: true, alert: false, baseMs: resyncMs, maxMs: resyncMs },
  denied: { retry: 'onChange', shown: true, alert: false, baseMs: resyncMs, maxMs: resyncMs },
  unsupported: { retry: 'onChange', shown: true, alert: false, baseMs: resyncMs, maxMs: resyncMs },
  bug: { retry: 'backoff', shown: true, alert: true, baseMs: 5, maxMs: 1_000_000 },
} as const satisfies Record<FaultKind, Policy>;

/** The policy of one kind, typed by the interface instead of by its literal. */
export const policyOf = (kind: FaultKind): Policy => policies[kind];

/** Bounds of one key's delays; `atLeastMs` is a Retry-After and wins over a shorter delay. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly atLeastMs?: number;
}

/** The backoff of a fault: its kind's policy, plus what the remote asked for, which is believed up to ten minutes. */
export const backoffOf = (fault: Fault): Backoff => {
  const { baseMs, maxMs } = policyOf(fault.kind);
  const asked = fault.retryAfterMs;
  return asked === undefined || !(asked > 0)
    ? { baseMs, maxMs }
    : { baseMs, maxMs, atLeastMs: Math.min(asked, resyncMs) };
};

/**
 * Delay before the retry that follows `failures` faults in a row (1 for the first), in milliseconds. Half of it is
 * jitter, so the result lies in [d/2, d] with d = min(maxMs, baseMs * 2^(failures-1)); a Retry-After is kept in
 * full and spread over a further tenth, so that a thousand keys told the same moment do not return together.
 */
export const delayMs = (backoff: Backoff, failures: number, random: () => number): number => {
  const doublings = Math.min(Math.max(failures, 1) - 1, 40);
  const full = Math.min(backoff.maxMs, backoff.baseMs * 2 ** doublings);
  const jittered = full * (1 - random() / 2);
  const asked = (backoff.atLeastMs ?? 0) * (1 + random() / 10);
  return Math.max(jittered, asked);
};
