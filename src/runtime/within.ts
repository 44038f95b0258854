import type { Clock } from './clock.ts';
import { Fault } from './fault.ts';

export interface WithinOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  /** The outer end; its reason is handed on. */
  readonly signal: AbortSignal;
  readonly onTimeout?: () => void;
}

/**
 * Runs `work` under a signal that ends with `signal`, or after `limitMs` with a fault `unreachable`, reason
 * `DeadlineExceeded`. What work rejects with after that end and is no Fault (an AbortError, say) becomes the reason.
 * Work that ignores its signal is waited for: abandoning it would let two passes of one key overlap.
 */
export const within = async <T>(
  { clock, limitMs, signal, onTimeout }: WithinOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  signal.throwIfAborted();
  const ends = new AbortController();
  const onAbort = (): void => ends.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const cancel = clock.after(limitMs, () => {
    onTimeout?.();
    ends.abort(
      new Fault('unreachable', `No answer within ${limitMs / 1000} s.`, { reason: 'DeadlineExceeded' }),
    );
  });
  try {
    return await work(ends.signal);
  } catch (error) {
    throw ends.signal.aborted && !(error instanceof Fault) ? ends.signal.reason : error;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
};
