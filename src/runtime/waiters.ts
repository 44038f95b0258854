import { createFifo } from './fifo.ts';

/** Those who wait for a value, first come first served. */
export interface Waiters<T> {
  /** Resolves with what `give` hands over; rejects with the signal's reason when aborted. */
  wait(signal: AbortSignal): Promise<T>;
  /** Whether somebody waits. */
  any(): boolean;
  /** Hands the value to the first who waits; false when there is none. */
  give(value: T): boolean;
}

interface Waiter<T> {
  readonly give: (value: T) => void;
  gone: boolean;
}

export const createWaiters = <T>(): Waiters<T> => {
  const line = createFifo<Waiter<T>>();

  const first = (): Waiter<T> | undefined => {
    for (let waiter = line.peek(); waiter !== undefined; waiter = line.peek()) {
      if (!waiter.gone) {
        return waiter;
      }
      line.shift();
    }
    return undefined;
  };

  const wait = (signal: AbortSignal): Promise<T> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        waiter.gone = true;
        reject(signal.reason);
      };
      const give = (value: T): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      };
      const waiter: Waiter<T> = { give, gone: false };
      line.push(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });

  const give = (value: T): boolean => {
    const waiter = first();
    if (waiter === undefined) {
      return false;
    }
    line.shift();
    waiter.give(value);
    return true;
  };

  return { wait, any: () => first() !== undefined, give };
};
