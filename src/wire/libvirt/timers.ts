/** The clock of this client: `after` runs once and returns how to call it off. */
export type Timers = { after(delayMs: number, run: () => void): () => void };

export const systemTimers: Timers = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
