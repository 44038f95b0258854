/**
 * Time as a parameter. `nowMs` is wall-clock (for stamps that people and the API read), `monotonicMs` never
 * jumps (for leases, back-off and durations), both in milliseconds.
 */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
  /** Runs `run` once after `delayMs`; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void;
  /** Resolves after `delayMs`, rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** The machine's clock. Timers do not keep the process alive: the manager decides when it ends. */
export const systemClock = (): Clock => {
  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  };
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after,
    sleep: (delayMs, signal) => sleepWith(after, delayMs, signal),
  };
};

/** RFC 3339 with seconds, as `metav1.Time` prints it. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** RFC 3339 with microseconds, as `metav1.MicroTime` prints it. */
export const rfc3339Micro = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z');

/** A cancellable sleep over any `after`; shared with the test clock. */
export const sleepWith = (after: Clock['after'], delayMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = after(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
