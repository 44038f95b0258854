/** Growing delays between tries. */
export interface Backoff {
  /** Delay before the next try in milliseconds. */
  next(): number;
  reset(): void;
}

/**
 * Exponential from `baseMs` by 2 up to `capMs`, each delay drawn from its upper half, so that many clients that
 * lost the same server do not return together.
 */
export const createBackoff = (random: () => number, baseMs = 800, capMs = 30_000): Backoff => {
  let failures = 0;
  return {
    next: () => {
      const fullMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
      failures += 1;
      return fullMs * (0.5 + random() / 2);
    },
    reset: () => {
      failures = 0;
    },
  };
};
