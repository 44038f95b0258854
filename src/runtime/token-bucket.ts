import type { Clock } from './clock.ts';

/** Tokens per key, refilled with time; at most `maxKeys` keys are remembered, the longest unused forgotten first. */
export interface TokenBuckets {
  /** Whether there was a token for this key; it is taken then. */
  take(key: string): boolean;
}

export interface TokenBucketOptions {
  readonly clock: Clock;
  readonly burst: number;
  /** One more token every so many milliseconds. */
  readonly refillMs: number;
  readonly maxKeys: number;
}

export const createTokenBuckets = (options: TokenBucketOptions): TokenBuckets => {
  const { clock, burst, refillMs, maxKeys } = options;
  const buckets = new Map<string, { readonly tokens: number; readonly atMs: number }>();
  return {
    take: (key) => {
      const nowMs = clock.monotonicMs();
      const last = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, last.tokens + (nowMs - last.atMs) / refillMs);
      buckets.delete(key);
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      if (buckets.size > maxKeys) {
        const oldest = buckets.keys().next();
        if (oldest.done !== true) {
          buckets.delete(oldest.value);
        }
      }
      return tokens >= 1;
    },
  };
};
