/** One holder at a time, in order of asking. */
export interface Turns {
  /** Wait for the turn; the answer gives it back. Rejects with the signal's reason when aborted before. */
  take(signal: AbortSignal): Promise<() => void>;
}

/** Make a queue of turns for something that serves one user at a time. */
export const createTurns = (): Turns => {
  const waiting: (() => void)[] = [];
  let held = false;
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) held = false;
    else next();
  };
  const releaseOnce = (): (() => void) => {
    let released = false;
    return () => {
      if (!released) release();
      released = true;
    };
  };
  return {
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        if (!held) {
          held = true;
          resolve(releaseOnce());
          return;
        }
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(signal.reason as Error);
        };
        const onTurn = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve(releaseOnce());
        };
        waiting.push(onTurn);
        signal.addEventListener('abort', onAbort, { once: true });
      }),
  };
};
