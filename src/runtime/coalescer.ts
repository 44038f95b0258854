import type { Clock } from './clock.ts';

/** Holds back a status that will soon be another; remembers nothing of keys that are settled or gone. */
export interface Coalescer<K extends string> {
  /** Milliseconds until a differing status may be written; 0 for now. */
  heldMs(key: K): number;
  wrote(key: K): void;
  /** A status equal to the world's is no longer outstanding. */
  same(key: K): void;
  forget(key: K): void;
}

/** A status may be written once it has differed for `coalesceMs`, and not sooner than that after the one before. */
export const createCoalescer = <K extends string>(clock: Clock, coalesceMs: number): Coalescer<K> => {
  const since = new Map<K, { differsMs: number | undefined; readonly wroteMs: number }>();
  return {
    heldMs: (key) => {
      const nowMs = clock.monotonicMs();
      const entry = since.get(key) ?? { differsMs: undefined, wroteMs: Number.NEGATIVE_INFINITY };
      entry.differsMs ??= nowMs;
      since.set(key, entry);
      return Math.max(0, Math.max(entry.differsMs, entry.wroteMs) + coalesceMs - nowMs);
    },
    wrote: (key) => {
      since.set(key, { differsMs: undefined, wroteMs: clock.monotonicMs() });
    },
    same: (key) => {
      const entry = since.get(key);
      if (entry !== undefined) {
        entry.differsMs = undefined;
      }
    },
    forget: (key) => {
      since.delete(key);
    },
  };
};
