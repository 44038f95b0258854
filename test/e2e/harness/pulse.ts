/** Waiting for what somebody announces: API watches, virsh events. A slow tick covers what nobody announces. */
import { setTimeout as sleep } from 'node:timers/promises';

const tickMs = 400;

export interface Pulse {
  /** Something may have changed. */
  readonly beat: () => void;
  /**
   * Asks `probe` now and whenever something may have changed, until it answers anything but undefined. Rejects after
   * `limitMs` with `what` and what `explain` says. A probe that throws is asked again, and its error told at the end.
   */
  until<Value>(
    what: string,
    probe: () => Promise<Value | undefined> | Value | undefined,
    options?: { readonly limitMs?: number; readonly explain?: () => Promise<string> | string },
  ): Promise<Value>;
}

export const createPulse = (explainAll: () => string): Pulse => {
  let waiting: (() => void)[] = [];
  const beat = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  const nextBeat = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  return {
    beat,
    until: async (what, probe, { limitMs = 180_000, explain } = {}) => {
      const endMs = performance.now() + limitMs;
      let trouble = '';
      for (;;) {
        const change = nextBeat();
        try {
          const value = await probe();
          if (value !== undefined) return value;
          trouble = '';
        } catch (error) {
          trouble = (error as Error).message;
        }
        if (performance.now() > endMs) {
          const said = [await explain?.(), trouble, explainAll()].filter(
            (it) => it !== undefined && it !== '',
          );
          throw new Error(`${what}: not within ${limitMs} ms\n${said.join('\n')}`);
        }
        await Promise.race([change, sleep(tickMs)]);
      }
    },
  };
};
