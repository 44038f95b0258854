/** What every wire client needs of AbortSignals. */

/** The promise, or the signal's reason if it aborts first; a later failure of the promise is then ignored. */
export const raceAbort = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });

export type Linked = { signal: AbortSignal; abort(reason: unknown): void; clear(): void };

/** Aborts with the first of the given signals; `clear` leaves nothing behind on those that live longer. */
export const linkSignals = (signals: readonly AbortSignal[]): Linked => {
  const own = new AbortController();
  const links = signals.map((signal) => {
    const pass = (): void => own.abort(signal.reason);
    if (signal.aborted) pass();
    else signal.addEventListener('abort', pass, { once: true });
    return () => signal.removeEventListener('abort', pass);
  });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    clear: () => {
      for (const unlink of links) unlink();
    },
  };
};
