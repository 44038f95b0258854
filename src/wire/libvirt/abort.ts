import { LibvirtConnectionError } from './errors.ts';
import type { Timers } from './timers.ts';

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

/** The same, and after `timeoutMs` it aborts with a LibvirtConnectionError (timeout) naming `what`. */
export const withLimit = (
  signals: readonly AbortSignal[],
  timeoutMs: number,
  what: string,
  timers: Timers,
): Linked => {
  const linked = linkSignals(signals);
  const cancel = timers.after(timeoutMs, () =>
    linked.abort(new LibvirtConnectionError('timeout', `${what}: no answer within ${timeoutMs} ms`)),
  );
  return {
    ...linked,
    clear: () => {
      cancel();
      linked.clear();
    },
  };
};
