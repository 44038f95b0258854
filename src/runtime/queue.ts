import type { Clock } from './clock.ts';
import { createFifo } from './fifo.ts';
import { createHeap } from './heap.ts';
import { type Backoff, delayMs } from './policy.ts';
import { createReadySet } from './ready-set.ts';

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

interface Taker<K> {
  readonly give: (key: K | undefined) => void;
  gone: boolean;
}

const silentObserver: QueueObserver = { added: () => {}, taken: () => {}, done: () => {}, retried: () => {} };

/** See Queue. Entries are immutable: a changed one supersedes the old, which heap and ready set drop lazily. */
export const createQueue = <K extends string>(options: QueueOptions<K>): Queue<K> => {
  const { clock, random, fairnessOf, observer = silentObserver } = options;
  const waiting = new Map<K, Entry<K>>();
  const working = new Map<K, number>();
  const failed = new Map<K, number>();
  const isLive = (entry: Entry<K>): boolean => waiting.get(entry.key) === entry;
  const ready = createReadySet<Entry<K>>(isLive);
  const readySince = new Map<K, number>();
  const delayed = createHeap<Entry<K>>((a, b) => a.dueMs < b.dueMs);
  const takers = createFifo<Taker<K>>();
  const idle = Promise.withResolvers<void>();
  let wakeUp: { readonly atMs: number; readonly cancel: () => void } | undefined;
  let closed = false;

  const nextTaker = (): Taker<K> | undefined => {
    for (let taker = takers.peek(); taker !== undefined; taker = takers.peek()) {
      if (!taker.gone) {
        return taker;
      }
      takers.shift();
    }
    return undefined;
  };

  const pop = (): K | undefined => {
    const entry = ready.take();
    if (entry === undefined) {
      return undefined;
    }
    const nowMs = clock.monotonicMs();
    waiting.delete(entry.key);
    working.set(entry.key, nowMs);
    observer.taken(nowMs - (readySince.get(entry.key) ?? nowMs));
    readySince.delete(entry.key);
    return entry.key;
  };

  const serve = (): void => {
    for (let taker = nextTaker(); taker !== undefined; taker = nextTaker()) {
      const key = pop();
      if (key === undefined) {
        return;
      }
      takers.shift();
      taker.give(key);
    }
  };

  const sleepUntilDue = (): void => {
    const next = delayed.peek();
    if (next === undefined || (wakeUp !== undefined && wakeUp.atMs <= next.dueMs)) {
      return;
    }
    wakeUp?.cancel();
    const cancel = clock.after(Math.max(0, next.dueMs - clock.monotonicMs()), onDue);
    wakeUp = { atMs: next.dueMs, cancel };
  };

  const onDue = (): void => {
    wakeUp = undefined;
    const nowMs = clock.monotonicMs();
    for (let entry = delayed.peek(); entry !== undefined && entry.dueMs <= nowMs; entry = delayed.peek()) {
      delayed.pop();
      if (isLive(entry)) {
        place(entry);
      }
    }
    sleepUntilDue();
    serve();
  };

  const place = (wanted: Omit<Entry<K>, 'place'>): void => {
    const { key, group, priority, dueMs } = wanted;
    const nowMs = clock.monotonicMs();
    if (working.has(key)) {
      waiting.set(key, { key, group, priority, dueMs, place: 'held' });
      return;
    }
    if (dueMs > nowMs) {
      const entry: Entry<K> = { key, group, priority, dueMs, place: 'delayed' };
      waiting.set(key, entry);
      delayed.push(entry);
      if (delayed.size() > 2 * waiting.size + 64) {
        delayed.compact(isLive);
      }
      sleepUntilDue();
      return;
    }
    const entry: Entry<K> = { key, group, priority, dueMs, place: 'ready' };
    waiting.set(key, entry);
    readySince.set(key, readySince.get(key) ?? nowMs);
    ready.push(entry);
  };

  const add = (key: K, { priority = priorities.mapped, afterMs = 0 }: AddOptions = {}): void => {
    if (closed) {
      return;
    }
    observer.added();
    const dueMs = clock.monotonicMs() + Math.max(0, afterMs);
    const old = waiting.get(key);
    if (old === undefined) {
      place({ key, group: fairnessOf(key), priority, dueMs });
    } else if (priority > old.priority || (old.place !== 'ready' && dueMs < old.dueMs)) {
      const merged = { priority: Math.max(priority, old.priority), dueMs: Math.min(dueMs, old.dueMs) };
      place({ key, group: old.group, ...merged });
    }
    serve();
  };

  const take = (signal: AbortSignal): Promise<K | undefined> => {
    if (signal.aborted) {
      return Promise.reject(signal.reason);
    }
    const key = closed ? undefined : pop();
    if (closed || key !== undefined) {
      return Promise.resolve(key);
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        taker.gone = true;
        reject(signal.reason);
      };
      const give = (given: K | undefined): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(given);
      };
      const taker: Taker<K> = { give, gone: false };
      takers.push(taker);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  };

  const done = (key: K): void => {
    const startedMs = working.get(key);
    if (startedMs === undefined) {
      return;
    }
    working.delete(key);
    observer.done(clock.monotonicMs() - startedMs);
    const held = waiting.get(key);
    if (held !== undefined) {
      place(held);
      serve();
    }
    if (closed && working.size === 0) {
      idle.resolve();
    }
  };

  const retry = (key: K, backoff: Backoff): number => {
    const count = (failed.get(key) ?? 0) + 1;
    failed.set(key, count);
    const afterMs = delayMs(backoff, count, random);
    observer.retried();
    add(key, { afterMs });
    return afterMs;
  };

  const close = (): Promise<void> => {
    closed = true;
    wakeUp?.cancel();
    wakeUp = undefined;
    waiting.clear();
    ready.clear();
    readySince.clear();
    delayed.compact(() => false);
    for (let taker = nextTaker(); taker !== undefined; taker = nextTaker()) {
      takers.shift();
      taker.give(undefined);
    }
    if (working.size === 0) {
      idle.resolve();
    }
    return idle.promise;
  };

  return {
    add,
    take,
    done,
    retry,
    forget: (key) => {
      failed.delete(key);
    },
    failures: (key) => failed.get(key) ?? 0,
    depth: () => readySince.size,
    oldestMs: () => {
      const first = readySince.values().next();
      return first.done === true ? undefined : clock.monotonicMs() - first.value;
    },
    running: () => working,
    close,
  };
};
