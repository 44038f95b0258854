import { isNewer } from './resource-version.ts';
import type { Version } from './store-table.ts';
import type { ObjectKey } from './types.ts';

export interface Tombstones {
  set(key: ObjectKey, gone: Version): void;
  /** True when `candidate` is the dead object itself or an earlier holder of its name. */
  covers(key: ObjectKey, candidate: Version): boolean;
  /** Forgets all but these. */
  retain(keys: ReadonlySet<ObjectKey>): void;
}

/** The last `limit` deletions. A late answer arrives within seconds, so the oldest ones are safe to forget. */
export const createTombstones = (limit: number): Tombstones => {
  const graves = new Map<ObjectKey, Version>();
  return {
    set: (key, gone) => {
      graves.delete(key);
      graves.set(key, gone);
      if (graves.size > limit) {
        for (const oldest of graves.keys()) {
          graves.delete(oldest);
          break;
        }
      }
    },
    covers: (key, candidate) => {
      const grave = graves.get(key);
      return (
        grave !== undefined &&
        (grave.uid === candidate.uid || !isNewer(candidate.resourceVersion, grave.resourceVersion))
      );
    },
    retain: (keys) => {
      for (const key of graves.keys()) {
        if (!keys.has(key)) {
          graves.delete(key);
        }
      }
    },
  };
};
