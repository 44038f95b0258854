import { createSlots, type Slots } from '../../../wire/slots.ts';

/** One at a time for each key. */
export interface Turns {
  run<T>(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export const createTurns = (): Turns => {
  const lines = new Map<string, { readonly slots: Slots; users: number }>();
  return {
    run: async (key, work, signal) => {
      const line = lines.get(key) ?? { slots: createSlots(1), users: 0 };
      lines.set(key, line);
      line.users += 1;
      try {
        const release = await line.slots.acquire(signal);
        try {
          return await work();
        } finally {
          release();
        }
      } finally {
        line.users -= 1;
        if (line.users === 0) lines.delete(key);
      }
    },
  };
};
