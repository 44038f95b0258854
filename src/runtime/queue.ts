import type { Clock } from './clock.ts';
import { type Backoff, delayMs } from './policy.ts';
import { createReadySet, type ReadySet } from './ready-set.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import { createWaiters, type Waiters } from './waiters.ts';

/** Higher runs first. A person waits for `userChange`; `resync` is the initial list and periodic looks. */
export const priorities = { userChange: 10, mapped: 0, resync: -100 } as const;

export interface AddOptions {
  /** Default `priorities.mapped`. A key that waits already keeps the higher of the two. */
  readonly priority?: number;
  /** Not before so many milliseconds; a key that waits already keeps the earlier of the two moments. */
  readonly afterMs?: number;
}

/** Told of every step of a key, for metrics. */
export interface QueueObserver {
  added(): void;
  taken(waitedMs: number): void;
  done(workedMs: number): void;
  retried(): void;
}

export interface QueueOptions<K extends string> {
  readonly clock: Clock;
  /** Uniform in [0, 1), as Math.random. */
  readonly random: () => number;
  /** The group inside which order holds and between which turns are taken: the namespace, or the host. */
  readonly fairnessOf: (key: K) => string;
  readonly observer?: QueueObserver;
}

/**
 * Keys that want a reconcile. A key is handed to one worker at a time; added while it runs, it runs once more after.
 * Everything is synchronous but `take`.
 */
export interface Queue<K extends string> {
  add(key: K, options?: AddOptions): void;
  /** The next key, or undefined once the queue is closed. Rejects with the signal's reason when aborted. */
  take(signal: AbortSignal): Promise<K | undefined>;
  /** The worker is through with a taken key. */
  done(key: K): void;
  /** Adds the key again after its backoff, which grows with each call until `forget`. Answers the delay in ms. */
  retry(key: K, backoff: Backoff): number;
  /** Ends the key's row of faults. */
  forget(key: K): void;
  /** Faults in a row. */
  failures(key: K): number;
  /** Keys ready to be taken now. */
  depth(): number;
  /** Age in ms of the key that is ready for the longest time. */
  oldestMs(): number | undefined;
  /** Taken keys and the monotonic moment of it, for health and metrics. */
  running(): ReadonlyMap<K, number>;
  /** Drops what waits and refuses more; resolves when every taken key is done. */
  close(): Promise<void>;
}

interface Entry<K> {
  readonly key: K;
  readonly group: string;
  readonly priority: number;
  readonly dueMs: number;
  readonly place: 'held' | 'delayed' | 'ready';
}

const silentObserver: QueueObserver = { added: () => {}, taken: () => {}, done: () => {}, retried: () => {} };

/** Where a waiting key is kept. `held` means that it runs now and comes back when that pass is done. */
interface Room<K extends string> {
  /** One entry per key. Entries are immutable: a changed one supersedes the old, which the others drop lazily. */
  readonly waiting: Map<K, Entry<K>>;
  readonly working: Map<K, number>;
  readonly readySince: Map<K, number>;
  readonly ready: ReadySet<Entry<K>>;
  readonly delayed: Schedule<Entry<K>>;
}

const createRoom = <K extends string>(clock: Clock, onReady: () => void): Room<K> => {
  const waiting = new Map<K, Entry<K>>();
  const isLive = (entry: Entry<K>): boolean => waiting.get(entry.key) === entry;
  const onDue = (entries: readonly Entry<K>[]): void => {
    for (const entry of entries) {
      place(room, entry, clock.monotonicMs());
    }
    onReady();
  };
  const room: Room<K> = {
    waiting,
    working: new Map(),
    readySince: new Map(),
    ready: createReadySet<Entry<K>>(isLive),
    delayed: createSchedule<Entry<K>>({ clock, isLive, liveCount: () => waiting.size, onDue }),
  };
  return room;
};

const place = <K extends string>(room: Room<K>, wanted: Omit<Entry<K>, 'place'>, nowMs: number): void => {
  const { key, group, priority, dueMs } = wanted;
  if (room.working.has(key)) {
    room.waiting.set(key, { key, group, priority, dueMs, place: 'held' });
    return;
  }
  if (dueMs > nowMs) {
    const entry: Entry<K> = { key, group, priority, dueMs, place: 'delayed' };
    room.waiting.set(key, entry);
    room.delayed.add(entry);
    return;
  }
  const entry: Entry<K> = { key, group, priority, dueMs, place: 'ready' };
  room.waiting.set(key, entry);
  room.readySince.set(key, room.readySince.get(key) ?? nowMs);
  room.ready.push(entry);
};

/** Adds a key, or brings the one that waits forward: the higher priority and the earlier moment win. */
const merge = <K extends string>(room: Room<K>, wanted: Omit<Entry<K>, 'place'>, nowMs: number): void => {
  const old = room.waiting.get(wanted.key);
  if (old === undefined) {
    place(room, wanted, nowMs);
    return;
  }
  const priority = Math.max(wanted.priority, old.priority);
  const dueMs = Math.min(wanted.dueMs, old.dueMs);
  if (priority > old.priority || (old.place !== 'ready' && dueMs < old.dueMs)) {
    place(room, { ...wanted, priority, dueMs }, nowMs);
  }
};

/** Takes the next ready key out of the room. */
const pop = <K extends string>(room: Room<K>, nowMs: number, observer: QueueObserver): K | undefined => {
  const entry = room.ready.take();
  if (entry === undefined) {
    return undefined;
  }
  const { key } = entry;
  room.waiting.delete(key);
  room.working.set(key, nowMs);
  observer.taken(nowMs - (room.readySince.get(key) ?? nowMs));
  room.readySince.delete(key);
  return key;
};

const empty = <K extends string>({ waiting, ready, readySince, delayed }: Room<K>): void => {
  waiting.clear();
  ready.clear();
  readySince.clear();
  delayed.clear();
};

const oldestMs = <K extends string>({ readySince }: Room<K>, nowMs: number): number | undefined => {
  const first = readySince.values().next();
  return first.done === true ? undefined : nowMs - first.value;
};

/** Faults in a row per key, and the delay that the next one earns. */
const createRows = <K extends string>(random: () => number) => {
  const rows = new Map<K, number>();
  const count = (key: K): number => rows.get(key) ?? 0;
  return {
    count,
    forget: (key: K): void => {
      rows.delete(key);
    },
    next: (key: K, backoff: Backoff): number => {
      rows.set(key, count(key) + 1);
      return delayMs(backoff, count(key), random);
    },
  };
};

/** Hands ready keys to those who wait for one. */
const hand = <K extends string>(
  room: Room<K>,
  takers: Waiters<K | undefined>,
  nowMs: number,
  observer: QueueObserver,
): void => {
  while (takers.any()) {
    const key = pop(room, nowMs, observer);
    if (key === undefined) {
      return;
    }
    takers.give(key);
  }
};

/** See Queue. */
export const createQueue = <K extends string>(options: QueueOptions<K>): Queue<K> => {
  const { clock, random, fairnessOf, observer = silentObserver } = options;
  const rows = createRows<K>(random);
  const takers = createWaiters<K | undefined>();
  const idle = Promise.withResolvers<void>();
  let closed = false;

  const serve = (): void => hand(room, takers, clock.monotonicMs(), observer);
  const room = createRoom<K>(clock, serve);

  const add = (key: K, { priority = priorities.mapped, afterMs = 0 }: AddOptions = {}): void => {
    if (closed) {
      return;
    }
    observer.added();
    const nowMs = clock.monotonicMs();
    const dueMs = nowMs + Math.max(0, afterMs);
    merge(room, { key, group: fairnessOf(key), priority, dueMs }, nowMs);
    serve();
  };

  const take = async (signal: AbortSignal): Promise<K | undefined> => {
    signal.throwIfAborted();
    const key = closed ? undefined : pop(room, clock.monotonicMs(), observer);
    return closed || key !== undefined ? key : takers.wait(signal);
  };

  const endWhenIdle = (): void => {
    if (closed && room.working.size === 0) {
      idle.resolve();
    }
  };

  const done = (key: K): void => {
    const nowMs = clock.monotonicMs();
    const startedMs = room.working.get(key);
    if (startedMs === undefined) {
      return;
    }
    room.working.delete(key);
    observer.done(nowMs - startedMs);
    const held = room.waiting.get(key);
    if (held !== undefined) {
      place(room, held, nowMs);
      serve();
    }
    endWhenIdle();
  };

  const retry = (key: K, backoff: Backoff): number => {
    const afterMs = rows.next(key, backoff);
    observer.retried();
    add(key, { afterMs });
    return afterMs;
  };

  const close = (): Promise<void> => {
    closed = true;
    empty(room);
    while (takers.give(undefined)) {
      // every worker that waits learns of the end
    }
    endWhenIdle();
    return idle.promise;
  };

  return {
    add,
    take,
    done,
    retry,
    forget: rows.forget,
    failures: rows.count,
    depth: () => room.readySince.size,
    oldestMs: () => oldestMs(room, clock.monotonicMs()),
    running: () => room.working,
    close,
  };
};
