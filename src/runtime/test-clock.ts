import { type Clock, sleepWith } from './clock.ts';
import { createHeap } from './heap.ts';

/** A clock that only moves when told. Timers fire in order of due time, then of creation. */
export interface TestClock extends Clock {
  /**
   * Moves both clocks on by `ms`, firing what comes due on the way; between two timers everything that promises
   * and `setImmediate` can carry out is carried out. `advance(0)` just lets pending work run.
   */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone, forwards or backwards, as an operator or NTP would. */
  jumpWall(ms: number): void;
  /** Number of timers not yet fired nor cancelled. */
  pending(): number;
}

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Starts at `nowMs` (default 2026-01-01T00:00:00Z) on the wall and at 0 on the monotonic clock. */
export const createTestClock = (nowMs: number = Date.UTC(2026, 0, 1)): TestClock => {
  const live = new Set<Timer>();
  const timers = createHeap<Timer>((a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order));
  let elapsedMs = 0;
  let wallMs = nowMs;
  let order = 0;

  const after = (delayMs: number, run: () => void): (() => void) => {
    order += 1;
    const timer: Timer = { dueMs: elapsedMs + Math.max(0, delayMs), order, run };
    live.add(timer);
    timers.push(timer);
    return () => {
      live.delete(timer);
    };
  };

  const moveTo = (targetMs: number): void => {
    wallMs += targetMs - elapsedMs;
    elapsedMs = targetMs;
  };

  const nextDue = (untilMs: number): Timer | undefined => {
    for (let timer = timers.peek(); timer !== undefined; timer = timers.peek()) {
      if (live.has(timer)) {
        return timer.dueMs <= untilMs ? timers.pop() : undefined;
      }
      timers.pop();
    }
    return undefined;
  };

  const advance = async (ms: number): Promise<void> => {
    const untilMs = elapsedMs + ms;
    await tick();
    for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
      live.delete(timer);
      moveTo(Math.max(elapsedMs, timer.dueMs));
      timer.run();
      await tick();
    }
    moveTo(untilMs);
  };

  return {
    nowMs: () => wallMs,
    monotonicMs: () => elapsedMs,
    after,
    sleep: (delayMs, signal) => sleepWith(after, delayMs, signal),
    advance,
    jumpWall: (ms) => {
      wallMs += ms;
    },
    pending: () => live.size,
  };
};
