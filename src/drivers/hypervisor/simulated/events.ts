/** Events of the simulated world: what happened, as late, as often and as rarely as a test wants. */
import type { Clock } from '../../../runtime/clock.ts';
import type { Change } from '../contract.ts';

export interface EventTrouble {
  /** Events it is true for never arrive. */
  readonly drop?: ((change: Change) => boolean) | undefined;
  /** How often each arrives; 1 when absent. */
  readonly copies?: number | undefined;
  /** Delay of each copy; different answers reorder. Absent: none, and then delivery is at once. */
  readonly delayMs?: (() => number) | undefined;
}

export interface EventBus {
  readonly emit: (change: Change) => void;
  /** Returns how to leave. */
  readonly subscribe: (receive: (change: Change) => void) => () => void;
  /** Replaces the trouble; without a parameter there is none. */
  readonly trouble: (trouble?: EventTrouble) => void;
  readonly subscribers: () => number;
}

export const createEventBus = (clock: Clock): EventBus => {
  const receivers = new Set<(change: Change) => void>();
  let current: EventTrouble = {};

  const deliver = (change: Change): void => {
    for (const receive of receivers) {
      receive(change);
    }
  };

  return {
    emit: (change) => {
      if (receivers.size === 0 || current.drop?.(change) === true) {
        return;
      }
      for (let copy = 0; copy < (current.copies ?? 1); copy += 1) {
        if (current.delayMs === undefined) {
          deliver(change);
        } else {
          clock.after(current.delayMs(), () => deliver(change));
        }
      }
    },
    subscribe: (receive) => {
      receivers.add(receive);
      return () => {
        receivers.delete(receive);
      };
    },
    trouble: (trouble = {}) => {
      current = trouble;
    },
    subscribers: () => receivers.size,
  };
};

/** What tells two hints apart; equal ones are one. */
const keyOf = (change: Change): string =>
  change.kind === 'vm' ? `vm/${change.uuid}` : `${change.kind}/${change.host}`;

export interface ChangeFeed {
  readonly push: (change: Change) => void;
  readonly iterate: (signal: AbortSignal) => AsyncIterable<Change>;
  readonly close: () => void;
}

/** Each iteration has its own backlog, from its begin on; a hint that waits is not queued a second time. */
export const createChangeFeed = (): ChangeFeed => {
  const readers = new Set<{ readonly waiting: Map<string, Change>; wake: () => void }>();
  const ended = new AbortController();

  async function* iterate(signal: AbortSignal): AsyncGenerator<Change> {
    const reader = { waiting: new Map<string, Change>(), wake: (): void => undefined };
    const onAbort = (): void => reader.wake();
    signal.addEventListener('abort', onAbort);
    readers.add(reader);
    try {
      while (!ended.signal.aborted && !signal.aborted) {
        const [first] = reader.waiting;
        if (first === undefined) {
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
          continue;
        }
        reader.waiting.delete(first[0]);
        yield first[1];
      }
    } finally {
      readers.delete(reader);
      signal.removeEventListener('abort', onAbort);
    }
  }

  return {
    push: (change) => {
      for (const reader of readers) {
        reader.waiting.set(keyOf(change), change);
        reader.wake();
      }
    },
    iterate,
    close: () => {
      ended.abort();
      for (const reader of readers) {
        reader.wake();
      }
    },
  };
};
