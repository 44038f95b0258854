import type { Clock } from './clock.ts';
import { createHeap } from './heap.ts';

/** Items with a due moment (monotonic ms) behind one timer. */
export interface Schedule<T> {
  add(item: T): void;
  /** Drops all and stops the timer. */
  clear(): void;
}

export interface ScheduleOptions<T> {
  readonly clock: Clock;
  /** False for an item superseded since; such items are dropped lazily, and swept once they are the majority. */
  readonly isLive: (item: T) => boolean;
  readonly liveCount: () => number;
  /** Receives the live items that came due together, in order. */
  readonly onDue: (items: readonly T[]) => void;
}

const sweepFrom = 64;

export const createSchedule = <T extends { readonly dueMs: number }>(
  options: ScheduleOptions<T>,
): Schedule<T> => {
  const { clock, isLive, liveCount, onDue } = options;
  const heap = createHeap<T>((a, b) => a.dueMs < b.dueMs);
  let timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  const arm = (): void => {
    const next = heap.peek();
    if (next === undefined || (timer !== undefined && timer.atMs <= next.dueMs)) {
      return;
    }
    timer?.cancel();
    const cancel = clock.after(Math.max(0, next.dueMs - clock.monotonicMs()), fire);
    timer = { atMs: next.dueMs, cancel };
  };

  const fire = (): void => {
    timer = undefined;
    const nowMs = clock.monotonicMs();
    const due: T[] = [];
    for (let item = heap.peek(); item !== undefined && item.dueMs <= nowMs; item = heap.peek()) {
      heap.pop();
      if (isLive(item)) {
        due.push(item);
      }
    }
    arm();
    onDue(due);
  };

  return {
    add: (item) => {
      heap.push(item);
      if (heap.size() > 2 * liveCount() + sweepFrom) {
        heap.compact(isLive);
      }
      arm();
    },
    clear: () => {
      timer?.cancel();
      timer = undefined;
      heap.compact(() => false);
    },
  };
};
