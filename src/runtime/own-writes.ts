import { Fault } from './fault.ts';

/**
 * The newest resourceVersion that we ourselves wrote, per object, so that no pass acts on a cache older than that.
 * An entry goes away as soon as the cache has caught up, so a settled fleet costs nothing.
 */
export interface OwnWrites<K extends string> {
  /** After every successful write of ours, with the resourceVersion of the answer. */
  wrote(key: K, uid: string, resourceVersion: string): void;
  /**
   * Before acting on a cached object: throws a fault `conflict`, reason `StaleCache`, when the cache is older than our
   * last write of it. `cached` is undefined when the cache has no such object (it was deleted, or not yet seen).
   */
  check(key: K, cached: { readonly uid: string; readonly resourceVersion: string } | undefined): void;
  /** The object is known to be deleted. */
  forget(key: K): void;
  /**
   * Call when a consistent list begins, and the answer once its result is in the cache: what was written before it
   * began is then in it. Only so does a cluster restored from an older backup get out of waiting for a
   * resourceVersion that will not come for a long time.
   */
  relisting(): () => void;
}

/**
 * Order of two resourceVersions of one resource: decimal integers without leading zeros, comparable since
 * Kubernetes 1.35 by contract (KEP-5504) and in fact always with etcd. Negative, 0 or positive.
 */
export const compareResourceVersions = (a: string, b: string): number => {
  if (a.length !== b.length) {
    return a.length - b.length;
  }
  if (a === b) {
    return 0;
  }
  return a < b ? -1 : 1;
};

const staleCache = (): Fault =>
  new Fault('conflict', 'The cache is older than our own last write.', { reason: 'StaleCache' });

/** See OwnWrites. An object recreated under another uid counts as caught up: our write was of the former one. */
export const createOwnWrites = <K extends string>(): OwnWrites<K> => {
  const written = new Map<K, { readonly uid: string; readonly resourceVersion: string }>();
  return {
    wrote: (key, uid, resourceVersion) => {
      const last = written.get(key);
      if (
        last === undefined ||
        last.uid !== uid ||
        compareResourceVersions(last.resourceVersion, resourceVersion) < 0
      ) {
        written.set(key, { uid, resourceVersion });
      }
    },
    check: (key, cached) => {
      const last = written.get(key);
      if (last === undefined) {
        return;
      }
      const behind =
        cached !== undefined &&
        cached.uid === last.uid &&
        compareResourceVersions(cached.resourceVersion, last.resourceVersion) < 0;
      if (behind) {
        throw staleCache();
      }
      written.delete(key);
    },
    forget: (key) => {
      written.delete(key);
    },
    relisting: () => {
      const before = [...written];
      return () => {
        for (const [key, entry] of before) {
          if (written.get(key) === entry) {
            written.delete(key);
          }
        }
      };
    },
  };
};
