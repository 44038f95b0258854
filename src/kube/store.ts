import type { Change, StoreReader } from './contract.ts';
import type { Indexer } from './indexes.ts';
import { isNewer, isOlder } from './resource-version.ts';
import {
  createStoreTable,
  type Entry,
  isUnreadable,
  keyOfEntry,
  type StoreTable,
  type Version,
  versionOf,
} from './store-table.ts';
import { createTombstones, type Tombstones } from './tombstones.ts';
import type { KubeObject, ObjectKey } from './types.ts';

/**
 * The cache of one kind. Three writers meet here: the watch, the answers of our own writes (`absorb`) and the
 * relist. The rules that let them meet in any order:
 * 1. An object enters only if its resourceVersion is later than what the store holds under that key and no
 *    tombstone covers it. An answer of our own must also be later than the watch's position: everything up to there
 *    has been seen already, so an older answer is history.
 * 2. Another uid under a key is another object; the later version wins.
 * 3. A relist is authoritative: what it lists replaces, what it lacks is gone, even when resource versions went
 *    backwards because etcd was restored from a snapshot. Only our own writes that were absorbed while it was
 *    read, and that are later than the list, survive it: the list cannot know them, the watch from it will.
 */

/** Collects one list; nothing is visible before `commit`. */
export interface Relist<T> {
  /** True when the store holds exactly this version: it counts as listed and needs no parsing. */
  keep(key: ObjectKey, version: Version, listVersion: string): boolean;
  add(entry: Entry<T>): void;
  commit(listVersion: string): void;
}

/** What the resource verbs tell about our own writes and reads. */
export interface StoreSink<T> {
  absorb(entry: Entry<T>): void;
  /** Our own delete was answered "gone". */
  absorbDeleted(key: ObjectKey, uid: string | undefined): void;
}

export interface Store<T> extends StoreReader<T>, StoreSink<T> {
  /** Whether this version would enter: what our own write was answered need not be parsed again. */
  isNews(key: ObjectKey, version: Version): boolean;
  /** A watch event ADDED or MODIFIED. */
  observe(entry: Entry<T>): void;
  /** A watch event DELETED, with the version of the deletion. */
  observeDeleted(key: ObjectKey, version: Version): void;
  /** The watch has delivered everything up to here. */
  observePosition(resourceVersion: string): void;
  /** Starts a list; call it before the list's first request. */
  relist(): Relist<T>;
}

export interface StoreOptions<T> {
  readonly indexes?: Readonly<Record<string, Indexer<T>>>;
  /** Told what a subscriber threw; without it the error ends the process, as an uncaught one. */
  readonly onListenerError?: (error: unknown) => void;
  /** Our own writes may be outside the watched selection: then only known objects are updated by them. */
  readonly selective?: boolean;
  /** How many deletions are remembered. */
  readonly tombstones?: number;
}

/** `same`: the store holds the listed version already. */
type Listed<T> = ReadonlyMap<ObjectKey, Entry<T> | 'same'>;

interface State<T extends KubeObject> {
  readonly table: StoreTable<T>;
  readonly tombstones: Tombstones;
  readonly notify: (changes: readonly (Change<T> | undefined)[]) => void;
  readonly selective: boolean;
  /** The resourceVersion up to which list and watch have told everything. */
  position: string | undefined;
  /** Keys that our own writes touched since the running relist began. */
  touched: Set<ObjectKey> | undefined;
}

const TOMBSTONES = 4_096;

/**
 * The server deletes an object in the same write that takes its last finalizer away (registry
 * `ShouldDeleteDuringUpdate`); the answer of that write still shows the object.
 */
const isGone = <T extends KubeObject>(entry: Entry<T>): boolean =>
  !isUnreadable(entry) &&
  entry.metadata.deletionTimestamp !== undefined &&
  (entry.metadata.finalizers ?? []).length === 0 &&
  (entry.metadata.deletionGracePeriodSeconds ?? 0) === 0;

const isNews = <T extends KubeObject>(state: State<T>, key: ObjectKey, candidate: Version): boolean => {
  const known = state.table.versionAt(key);
  return (
    !state.tombstones.covers(key, candidate) &&
    (known === undefined || isNewer(candidate.resourceVersion, known.resourceVersion))
  );
};

const bury = <T extends KubeObject>(
  state: State<T>,
  key: ObjectKey,
  gone: Version,
): Change<T> | undefined => {
  state.tombstones.set(key, gone);
  return state.table.drop(key);
};

const observe = <T extends KubeObject>(state: State<T>, entry: Entry<T>): void => {
  const key = keyOfEntry(entry);
  if (isNews(state, key, versionOf(entry))) {
    state.notify([state.table.put(key, entry)]);
  }
};

const observeDeleted = <T extends KubeObject>(state: State<T>, key: ObjectKey, gone: Version): void => {
  const known = state.table.versionAt(key);
  const successor =
    known !== undefined && known.uid !== gone.uid && isNewer(known.resourceVersion, gone.resourceVersion);
  if (!successor) {
    state.notify([bury(state, key, gone)]);
  }
};

/**
 * The answer of a write that deleted bears the version from before it (registry `deleteWithoutFinalizers`), so age
 * says nothing about it; the uid does.
 */
const absorbGone = <T extends KubeObject>(state: State<T>, key: ObjectKey, version: Version): void => {
  const known = state.table.versionAt(key);
  if (known !== undefined && known.uid === version.uid) {
    state.touched?.add(key);
    state.notify([bury(state, key, known)]);
  }
};

const absorb = <T extends KubeObject>(state: State<T>, entry: Entry<T>): void => {
  const key = keyOfEntry(entry);
  const version = versionOf(entry);
  if (isGone(entry)) {
    absorbGone(state, key, version);
    return;
  }
  const history = state.position !== undefined && !isNewer(version.resourceVersion, state.position);
  const outside = state.selective && state.table.versionAt(key) === undefined;
  if (history || outside || !isNews(state, key, version)) {
    return;
  }
  state.touched?.add(key);
  state.notify([state.table.put(key, entry)]);
};

const absorbDeleted = <T extends KubeObject>(state: State<T>, key: ObjectKey, uid?: string): void => {
  const known = state.table.versionAt(key);
  if (known !== undefined && (uid === undefined || known.uid === uid)) {
    state.touched?.add(key);
    state.notify([bury(state, key, known)]);
  }
};

/** Keys whose state is our own write, absorbed while the list was read and later than the list. */
const survivorsOf = <T extends KubeObject>(
  state: State<T>,
  listed: Listed<T>,
  listVersion: string,
): Set<ObjectKey> => {
  const survives = (key: ObjectKey): boolean => {
    const known = state.table.versionAt(key);
    if (known !== undefined) {
      return isNewer(known.resourceVersion, listVersion);
    }
    const entry = listed.get(key);
    return entry === undefined || entry === 'same' || state.tombstones.covers(key, versionOf(entry));
  };
  return new Set([...(state.touched ?? [])].filter(survives));
};

const commit = <T extends KubeObject>(state: State<T>, listed: Listed<T>, listVersion: string): void => {
  const survivors = survivorsOf(state, listed, listVersion);
  state.touched = undefined;
  state.position = listVersion;
  state.tombstones.retain(survivors);
  const changes: (Change<T> | undefined)[] = [];
  for (const key of state.table.keys()) {
    const known = state.table.versionAt(key);
    if (known !== undefined && !listed.has(key) && !survivors.has(key)) {
      // Gone by then at the latest; in a restored history the object's own version may be beyond the list's.
      changes.push(bury(state, key, { uid: known.uid, resourceVersion: listVersion }));
    }
  }
  for (const [key, entry] of listed) {
    if (entry !== 'same' && !survivors.has(key)) {
      changes.push(state.table.put(key, entry));
    }
  }
  state.notify(changes);
};

const beginRelist = <T extends KubeObject>(state: State<T>, onCommit: () => void): Relist<T> => {
  const listed = new Map<ObjectKey, Entry<T> | 'same'>();
  state.touched = new Set();
  const keep: Relist<T>['keep'] = (key, version, listVersion) => {
    const known = state.table.versionAt(key);
    // In a restored history the same number may stand for another content.
    const restored = state.position !== undefined && isOlder(listVersion, state.position);
    const same = !restored && known?.uid === version.uid && known.resourceVersion === version.resourceVersion;
    if (same) {
      listed.set(key, 'same');
    }
    return same;
  };
  return {
    keep,
    add: (entry) => void listed.set(keyOfEntry(entry), entry),
    commit: (listVersion) => {
      onCommit();
      commit(state, listed, listVersion);
    },
  };
};

const throwLater = (error: unknown): void =>
  queueMicrotask(() => {
    throw error;
  });

const createListeners = <T>(onError: (error: unknown) => void) => {
  const listeners = new Set<(change: Change<T>) => void>();
  const tell = (listener: (change: Change<T>) => void, change: Change<T>): void => {
    try {
      listener(change);
    } catch (error) {
      onError(error);
    }
  };
  const notify = (changes: readonly (Change<T> | undefined)[]): void => {
    for (const change of changes) {
      if (change !== undefined) {
        listeners.forEach((listener) => tell(listener, change));
      }
    }
  };
  const subscribe: StoreReader<T>['subscribe'] = (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { notify, subscribe };
};

export const createStore = <T extends KubeObject>(options: StoreOptions<T> = {}): Store<T> => {
  const table = createStoreTable(options.indexes ?? {});
  const { notify, subscribe } = createListeners<T>(options.onListenerError ?? throwLater);
  const { promise: synced, resolve: resolveSynced } = Promise.withResolvers<void>();
  let isSynced = false;
  const state: State<T> = {
    table,
    tombstones: createTombstones(options.tombstones ?? TOMBSTONES),
    notify,
    selective: options.selective ?? false,
    position: undefined,
    touched: undefined,
  };
  const onCommit = (): void => {
    isSynced = true;
    resolveSynced();
  };
  return {
    get: (key) => table.objects.get(key),
    list: () => [...table.objects.values()],
    byIndex: table.byIndex,
    get size() {
      return table.objects.size;
    },
    unreadable: () => [...table.unreadables.values()],
    unreadableAt: (key) => table.unreadables.get(key),
    subscribe,
    synced,
    get isSynced() {
      return isSynced;
    },
    absorb: (entry) => absorb(state, entry),
    absorbDeleted: (key, uid) => absorbDeleted(state, key, uid),
    isNews: (key, version) => isNews(state, key, version),
    observe: (entry) => observe(state, entry),
    observeDeleted: (key, gone) => observeDeleted(state, key, gone),
    observePosition: (resourceVersion) => {
      state.position = resourceVersion;
    },
    relist: () => beginRelist(state, onCommit),
  };
};
