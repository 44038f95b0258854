import type { Change, Unreadable } from './contract.ts';
import { createIndexes, type Indexer } from './indexes.ts';
import { type KubeObject, keyOf, type ObjectKey } from './types.ts';

/** What a store holds under a key: an object, or the note that one is there and cannot be read. */
export type Entry<T> = T | Unreadable;

/** One state of one object. */
export interface Version {
  readonly uid: string;
  readonly resourceVersion: string;
}

export const isUnreadable = <T extends KubeObject>(entry: Entry<T>): entry is Unreadable =>
  !('metadata' in entry);

export const versionOf = <T extends KubeObject>(entry: Entry<T>): Version =>
  isUnreadable(entry) ? entry : entry.metadata;

export const keyOfEntry = <T extends KubeObject>(entry: Entry<T>): ObjectKey =>
  isUnreadable(entry) ? entry.key : keyOf(entry);

/** The content of a store, consistent with its indexes; it knows nothing of versions' order. */
export interface StoreTable<T> {
  readonly objects: ReadonlyMap<ObjectKey, T>;
  readonly unreadables: ReadonlyMap<ObjectKey, Unreadable>;
  readonly keys: () => ObjectKey[];
  versionAt(key: ObjectKey): Version | undefined;
  readonly byIndex: (index: string, value: string) => T[];
  put(key: ObjectKey, entry: Entry<T>): Change<T>;
  /** Undefined when there was nothing. */
  drop(key: ObjectKey): Change<T> | undefined;
}

export const createStoreTable = <T extends KubeObject>(
  indexers: Readonly<Record<string, Indexer<T>>>,
): StoreTable<T> => {
  const objects = new Map<ObjectKey, T>();
  const unreadables = new Map<ObjectKey, Unreadable>();
  const indexes = createIndexes(indexers);

  const versionAt = (key: ObjectKey): Version | undefined =>
    objects.get(key)?.metadata ?? unreadables.get(key);

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

  const drop = (key: ObjectKey): Change<T> | undefined => {
    const old = objects.get(key);
    indexes.replace(key, old, undefined);
    const known = objects.delete(key) || unreadables.delete(key);
    return known ? { key, ...(old === undefined ? {} : { old }) } : undefined;
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

  const keys = (): ObjectKey[] => [...objects.keys(), ...unreadables.keys()];
  return { objects, unreadables, keys, versionAt, byIndex, put, drop };
};
