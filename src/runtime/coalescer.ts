import type { Clock } from './clock.ts';

/**
 * What a status is:
 * - `final`  settled or faulty: told at once.
 * - `between` on the way: told once it has lasted.
 * - `early`  tells of a lack that may be made up for in a moment: told once that has lasted longer.
 */
export type Phase = 'final' | 'between' | 'early';

/** Holds back a status that will soon be another; remembers nothing of keys that are settled or gone. */
export interface Coalescer<K extends string> {
  /** Milliseconds until a differing status may be written; 0 for now. */
  heldMs(key: K, phase: Phase): number;
  wrote(key: K): void;
  /** A status equal to the world's is no longer outstanding. */
  same(key: K): void;
  forget(key: K): void;
}

export interface CoalescerOptions {
  readonly clock: Clock;
  /** A status between may be written once it has differed for this long, and not sooner after the one before. */
  readonly coalesceMs: number;
  /** An early one, once it has been early for this long without a break. */
  readonly graceMs: number;
}

interface Entry {
  differsMs: number | undefined;
  earlyMs: number | undefined;
  readonly wroteMs: number;
}

export const createCoalescer = <K extends string>({
  clock,
  coalesceMs,
  graceMs,
}: CoalescerOptions): Coalescer<K> => {
  const entries = new Map<K, Entry>();
  const entryOf = (key: K): Entry => {
    const never = { differsMs: undefined, earlyMs: undefined, wroteMs: Number.NEGATIVE_INFINITY };
    const entry = entries.get(key) ?? never;
    entries.set(key, entry);
    return entry;
  };
  return {
    heldMs: (key, phase) => {
      if (phase === 'final') return 0;
      const nowMs = clock.monotonicMs();
      const entry = entryOf(key);
      entry.differsMs ??= nowMs;
      if (phase === 'between') {
        entry.earlyMs = undefined;
        return Math.max(0, Math.max(entry.differsMs, entry.wroteMs) + coalesceMs - nowMs);
      }
      entry.earlyMs ??= nowMs;
      return Math.max(0, entry.earlyMs + graceMs - nowMs);
    },
    wrote: (key) => {
      entries.set(key, { differsMs: undefined, earlyMs: undefined, wroteMs: clock.monotonicMs() });
    },
    same: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return;
      entry.differsMs = undefined;
      entry.earlyMs = undefined;
    },
    forget: (key) => {
      entries.delete(key);
    },
  };
};
