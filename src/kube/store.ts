import type { Change, StoreReader, Unreadable } from './contract.ts';
import { createIndexes, type Indexer } from './indexes.ts';
import { isNewer, isOlder } from './resource-version.ts';
import { createTombstones, type Version } from './tombstones.ts';
import { type KubeObject, keyOf, type ObjectKey } from './types.ts';

/**
 * The cache of one kind. Three writers meet here: the watch, the answers of our own writes (`absorb`) and the
 * relist. The rules that let them meet in any order:
 * 1. An object enters only if its resourceVersion is later than what the store holds under that key, later than
 *    the watch's position (all up to there has been seen already), and not covered by a tombstone.
 * 2. Another uid under a key is another object; the later version wins.
 * 3. A relist is authoritative: what it lists replaces, what it lacks is gone, even when resource versions went
 *    backwards because etcd was restored from a snapshot. Only our own writes that were absorbed while it was
 *    read, and that are later than the list, survive it: the list cannot know them, the watch from it will.
 */

export type Entry<T> = T | Unreadable;
/** `same`: the store holds the listed version already. */
type Listed<T> = Entry<T> | 'same';

/** Collects one list; nothing is visible before `commit`. */
export interface Relist<T> {
  /** True when the store holds exactly this version: it counts as listed and needs no parsing. */
  keep(key: ObjectKey, version: Version, listVersion: string): boolean;
  add(entry: Entry<T>): void;
  commit(resourceVersion: string): void;
}

/** What the resource verbs tell about our own writes. */
export interface StoreSink<T> {
  absorb(entry: Entry<T>): void;
  /** Our own delete was answered "gone". */
  absorbDeleted(key: ObjectKey, uid: string | undefined): void;
}

export interface Store<T> extends StoreReader<T>, StoreSink<T> {
  /** A watch event ADDED or MODIFIED. */
  observe(entry: Entry<T>): void;
  /** A watch event DELETED. */
  observeDeleted(key: ObjectKey, version: Version): void;
  /** The watch has delivered everything up to here. */
  observePosition(resourceVersion: string): void;
  relist(): Relist<T>;
}

export interface StoreOptions<T> {
  readonly indexes?: Readonly<Record<string, Indexer<T>>>;
  /** Told what a subscriber threw; without it the error ends the process, as an uncaught one. */
  readonly onListenerError?: (error: unknown) => void;
  /** Our own writes may be outside the watched selection: then only known objects are updated by them. */
  readonly selective?: boolean;
  readonly tombstones?: number;
}

const TOMBSTONES = 4_096;

const isUnreadable = <T extends KubeObject>(entry: Entry<T>): entry is Unreadable => !('metadata' in entry);

const versionOf = <T extends KubeObject>(entry: Entry<T>): Version =>
  isUnreadable(entry) ? entry : entry.metadata;

const keyOfEntry = <T extends KubeObject>(entry: Entry<T>): ObjectKey =>
  isUnreadable(entry) ? entry.key : keyOf(entry);

/**
 * The server deletes an object in the same write that takes its last finalizer away (registry
 * `ShouldDeleteDuringUpdate`); the answer of that write still shows the object.
 */
const isGone = <T extends KubeObject>(entry: Entry<T>): boolean =>
  !isUnreadable(entry) &&
  entry.metadata.deletionTimestamp !== undefined &&
  (entry.metadata.finalizers ?? []).length === 0 &&
  (entry.metadata.deletionGracePeriodSeconds ?? 0) === 0;

const throwLater = (error: unknown): void =>
  queueMicrotask(() => {
    throw error;
  });

export const createStore = <T extends KubeObject>(options: StoreOptions<T> = {}): Store<T> => {
  const objects = new Map<ObjectKey, T>();
  const unreadables = new Map<ObjectKey, Unreadable>();
  const indexes = createIndexes(options.indexes ?? {});
  const tombstones = createTombstones(options.tombstones ?? TOMBSTONES);
  const listeners = new Set<(change: Change<T>) => void>();
  const { promise: synced, resolve: resolveSynced } = Promise.withResolvers<void>();
  const onListenerError = options.onListenerError ?? throwLater;
  let isSynced = false;
  let position: string | undefined;
  /** Keys that our own writes touched since the running relist began. */
  let touched: Set<ObjectKey> | undefined;

  const versionAt = (key: ObjectKey): Version | undefined =>
    objects.get(key)?.metadata ?? unreadables.get(key);

  const notify = (change: Change<T> | undefined): void => {
    if (change === undefined) {
      return;
    }
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        onListenerError(error);
      }
    }
  };

  /** An indexer that throws makes its object unreadable rather than the store inconsistent. */
  const indexed = (key: ObjectKey, entry: Entry<T>): Entry<T> => {
    const old = objects.get(key);
    try {
      indexes.replace(key, old, isUnreadable(entry) ? undefined : entry);
      return entry;
    } catch (error) {
      indexes.replace(key, old, undefined);
      const { uid, resourceVersion } = versionOf(entry);
      return { kind: 'unreadable', key, uid, resourceVersion, error: `index: ${String(error)}` };
    }
  };

  const put = (key: ObjectKey, entry: Entry<T>): Change<T> => {
    const next = indexed(key, entry);
    const old = objects.get(key);
    const before = old === undefined ? {} : { old };
    if (isUnreadable(next)) {
      objects.delete(key);
      unreadables.set(key, next);
      return { key, ...before, unreadable: next };
    }
    unreadables.delete(key);
    objects.set(key, next);
    return { key, ...before, new: next };
  };

  const drop = (key: ObjectKey, gone: Version): Change<T> | undefined => {
    const old = objects.get(key);
    const known = versionAt(key) !== undefined;
    tombstones.set(key, gone);
    indexes.replace(key, old, undefined);
    objects.delete(key);
    unreadables.delete(key);
    return known ? { key, ...(old === undefined ? {} : { old }) } : undefined;
  };

  const isNews = (key: ObjectKey, candidate: Version): boolean => {
    if (tombstones.covers(key, candidate)) {
      return false;
    }
    const known = versionAt(key);
    return known === undefined || isNewer(candidate.resourceVersion, known.resourceVersion);
  };

  const observe = (entry: Entry<T>): void => {
    const key = keyOfEntry(entry);
    if (isNews(key, versionOf(entry))) {
      notify(put(key, entry));
    }
  };

  const observeDeleted = (key: ObjectKey, version: Version): void => {
    const known = versionAt(key);
    const successor = known !== undefined && known.uid !== version.uid;
    if (successor && isNewer(known.resourceVersion, version.resourceVersion)) {
      return;
    }
    notify(drop(key, version));
  };

  const absorb = (entry: Entry<T>): void => {
    const key = keyOfEntry(entry);
    const version = versionOf(entry);
    const seen = position !== undefined && !isNewer(version.resourceVersion, position);
    const outside = options.selective === true && versionAt(key) === undefined;
    if (seen || outside || !isNews(key, version)) {
      return;
    }
    touched?.add(key);
    notify(isGone(entry) ? drop(key, version) : put(key, entry));
  };

  const absorbDeleted = (key: ObjectKey, uid: string | undefined): void => {
    const known = versionAt(key);
    if (known !== undefined && (uid === undefined || known.uid === uid)) {
      touched?.add(key);
      notify(drop(key, known));
    }
  };

  /** Keys whose state is our own write, absorbed while the list was read and later than the list. */
  const survivorsOf = (listed: ReadonlyMap<ObjectKey, Listed<T>>, listVersion: string): Set<ObjectKey> => {
    const survives = (key: ObjectKey): boolean => {
      const known = versionAt(key);
      if (known !== undefined) {
        return isNewer(known.resourceVersion, listVersion);
      }
      const entry = listed.get(key);
      return entry === undefined || entry === 'same' || tombstones.covers(key, versionOf(entry));
    };
    return new Set([...(touched ?? [])].filter(survives));
  };

  const commit = (listed: ReadonlyMap<ObjectKey, Listed<T>>, listVersion: string): void => {
    const survivors = survivorsOf(listed, listVersion);
    touched = undefined;
    position = listVersion;
    tombstones.retain(survivors);
    const changes: (Change<T> | undefined)[] = [];
    for (const key of [...objects.keys(), ...unreadables.keys()]) {
      const known = versionAt(key);
      if (known !== undefined && !listed.has(key) && !survivors.has(key)) {
        changes.push(drop(key, known));
      }
    }
    for (const [key, entry] of listed) {
      if (entry !== 'same' && !survivors.has(key)) {
        changes.push(put(key, entry));
      }
    }
    isSynced = true;
    resolveSynced();
    for (const change of changes) {
      notify(change);
    }
  };

  const relist = (): Relist<T> => {
    const listed = new Map<ObjectKey, Listed<T>>();
    touched = new Set();
    return {
      keep: (key, version, listVersion) => {
        const known = versionAt(key);
        // In a restored history the same number may stand for another content.
        const restored = position !== undefined && isOlder(listVersion, position);
        const same =
          !restored && known?.uid === version.uid && known.resourceVersion === version.resourceVersion;
        if (same) {
          listed.set(key, 'same');
        }
        return same;
      },
      add: (entry) => void listed.set(keyOfEntry(entry), entry),
      commit: (resourceVersion) => commit(listed, resourceVersion),
    };
  };

  const byIndex = (index: string, value: string): T[] => {
    const found: T[] = [];
    for (const key of indexes.keysAt(index, value)) {
      const object = objects.get(key);
      if (object !== undefined) {
        found.push(object);
      }
    }
    return found;
  };

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    byIndex,
    get size() {
      return objects.size;
    },
    unreadable: () => [...unreadables.values()],
    unreadableAt: (key) => unreadables.get(key),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    synced,
    get isSynced() {
      return isSynced;
    },
    absorb,
    absorbDeleted,
    observe,
    observeDeleted,
    observePosition: (resourceVersion) => {
      position = resourceVersion;
    },
    relist,
  };
};
