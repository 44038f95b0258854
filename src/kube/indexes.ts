import type { ObjectKey } from './types.ts';

/** Names an object by values it can be found under; pure, and called again with the same object on removal. */
export type Indexer<T> = (object: T) => readonly string[];

export interface Indexes<T> {
  /** May throw what an indexer throws; nothing is changed then. */
  replace(key: ObjectKey, old: T | undefined, next: T | undefined): void;
  keysAt(index: string, value: string): Iterable<ObjectKey>;
}

/** A lone key is kept bare: most values (a uid, an owner) name one object, and a Set costs about 200 bytes. */
type Bucket = ObjectKey | Set<ObjectKey>;

const add = (buckets: Map<string, Bucket>, value: string, key: ObjectKey): void => {
  const bucket = buckets.get(value);
  if (bucket === undefined || bucket === key) {
    buckets.set(value, key);
  } else if (typeof bucket === 'string') {
    buckets.set(value, new Set([bucket, key]));
  } else {
    bucket.add(key);
  }
};

const remove = (buckets: Map<string, Bucket>, value: string, key: ObjectKey): void => {
  const bucket = buckets.get(value);
  if (bucket === key) {
    buckets.delete(value);
  } else if (bucket instanceof Set) {
    bucket.delete(key);
    if (bucket.size === 0) {
      buckets.delete(value);
    }
  }
};

export const createIndexes = <T>(indexers: Readonly<Record<string, Indexer<T>>>): Indexes<T> => {
  const indexes = Object.entries(indexers).map(([name, indexer]) => ({
    name,
    indexer,
    buckets: new Map<string, Bucket>(),
  }));
  const byName = new Map(indexes.map((index) => [index.name, index.buckets]));

  const replace = (key: ObjectKey, old: T | undefined, next: T | undefined): void => {
    const values = indexes.map(({ indexer }) => ({
      old: old === undefined ? [] : indexer(old),
      next: next === undefined ? [] : indexer(next),
    }));
    for (const [position, { buckets }] of indexes.entries()) {
      for (const value of values[position]?.old ?? []) {
        remove(buckets, value, key);
      }
      for (const value of values[position]?.next ?? []) {
        add(buckets, value, key);
      }
    }
  };

  const keysAt = (index: string, value: string): Iterable<ObjectKey> => {
    const buckets = byName.get(index);
    if (buckets === undefined) {
      throw new TypeError(`the store has no index "${index}"`);
    }
    const bucket = buckets.get(value);
    return typeof bucket === 'string' ? [bucket] : (bucket ?? []);
  };

  return { replace, keysAt };
};
