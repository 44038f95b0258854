import type { Clock } from '../runtime/clock.ts';
import type { Fault } from '../runtime/fault.ts';

/** A signal that follows another one and has a time limit of its own. */
export interface Limit {
  readonly signal: AbortSignal;
  /** Ends the time limit, keeps following the parent. */
  readonly disarm: () => void;
  readonly release: () => void;
}

/** Rejects as soon as the signal is aborted, even when `work` (a credential plugin) takes no notice. */
export const abortable = <R>(work: Promise<R>, signal: AbortSignal): Promise<R> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
    }
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });

/** Mirrors `signal` and adds a time limit; `release` must be called when the call is over. */
export const limited = (
  signal: AbortSignal,
  clock: Clock,
  limit: { readonly ms: number; readonly fault: () => Fault },
): Limit => {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const disarm = clock.after(limit.ms, () => controller.abort(limit.fault()));
  return {
    signal: controller.signal,
    disarm,
    release: () => {
      disarm();
      signal.removeEventListener('abort', onAbort);
    },
  };
};
