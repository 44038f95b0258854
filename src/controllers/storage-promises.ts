/**
 * What is promised to disks on each StoragePool: sizes of those that are there, and of those whose making is allowed,
 * which our finalizer on them says. A hold is taken in the same turn of the event loop as the choice, and one process
 * decides at a time (lease): many disks made at once never pass the limit. Kept by change, so that a choice costs
 * nothing per disk.
 */
import { moveOf } from '../api/disk-move.ts';
import { FINALIZER } from '../api/identity.ts';
import { bytesOf } from '../api/quantity.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { StoreReader } from '../kube/contract.ts';
import type { Clock } from '../runtime/clock.ts';
import { Fault, isFault } from '../runtime/fault.ts';

interface Promised {
  /** `uid:` or `name:` and what the disk knows of its pool. */
  readonly pool: string;
  readonly bytes: number;
}

export interface StoragePromises {
  /** In bytes, of disks of all namespaces. */
  promised(pool: StoragePool): number;
  /** Why so many bytes more cannot be promised to a disk, in one sentence; undefined when they can. */
  refusal(pool: StoragePool, diskUid: string, bytes: number): string | undefined;
  /** Promises them until the cache shows it, or it is taken back. */
  hold(pool: StoragePool, diskUid: string, bytes: number): void;
  release(diskUid: string): void;
}

const promisesOf = (disk: VirtualDisk | undefined): readonly Promised[] => {
  if (disk === undefined) return [];
  const { metadata, spec, status } = disk;
  const move = moveOf(disk);
  const bytes = bytesOf(status?.size ?? spec.size);
  const home = move?.from.pool ?? status?.volume?.pool;
  const coming =
    move === undefined || move.phase === 'Dropping' ? [] : [{ pool: `uid:${move.to.pool}`, bytes }];
  if (home !== undefined) return [{ pool: `uid:${home}`, bytes }, ...coming];
  return metadata.finalizers?.includes(FINALIZER) === true
    ? [{ pool: `name:${spec.storagePoolRef.name}`, bytes: bytesOf(spec.size) }]
    : [];
};

const bytesMax = Number.MAX_SAFE_INTEGER;

/** For sentences: `12.5Gi`. */
export const roughly = (bytes: number): string => {
  const units = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi'];
  let [rest, unit] = [bytes, ''];
  for (const next of units) {
    if (rest < 1024) break;
    [rest, unit] = [rest / 1024, next];
  }
  return `${Math.round(rest * 10) / 10}${unit}`;
};

/** How much may be promised; undefined: as much as anybody likes, or it cannot be told yet. */
export const promiseLimit = ({ spec, status }: Pick<StoragePool, 'spec' | 'status'>): number | undefined => {
  const { overProvisionPercent: percent } = spec;
  const capacity = status?.capacity;
  return percent === undefined || capacity === undefined
    ? undefined
    : Math.min(bytesMax, Math.floor((bytesOf(capacity) / 100) * percent));
};

export const createStoragePromises = (disks: StoreReader<VirtualDisk>): StoragePromises => {
  const totals = new Map<string, number>();
  const counted = new Map<string, readonly Promised[]>();
  const holds = new Map<string, Promised>();
  const count = (promises: readonly Promised[], sign: 1 | -1): void => {
    for (const { pool, bytes } of promises) totals.set(pool, (totals.get(pool) ?? 0) + sign * bytes);
  };
  const release = (diskUid: string): void => {
    const held = holds.get(diskUid);
    if (held !== undefined) count([held], -1);
    holds.delete(diskUid);
  };
  const same = (a: readonly Promised[], b: readonly Promised[]): boolean =>
    a.length === b.length && a.every(({ pool, bytes }, at) => pool === b[at]?.pool && bytes === b[at].bytes);
  const recount = (key: string, disk: VirtualDisk | undefined): boolean => {
    const [was, is] = [counted.get(key) ?? [], promisesOf(disk)];
    if (same(was, is)) return false;
    count(was, -1);
    count(is, 1);
    if (is.length === 0) counted.delete(key);
    else counted.set(key, is);
    return true;
  };
  for (const disk of disks.list()) recount(`${disk.metadata.namespace}/${disk.metadata.name}`, disk);
  disks.subscribe((change) => {
    // An object that this version cannot read still has its disk: what it was promised stays promised.
    if (change.unreadable !== undefined) return;
    const changed = recount(change.key, change.new);
    const uid = (change.new ?? change.old)?.metadata.uid;
    if (uid !== undefined && (changed || change.new === undefined)) release(uid);
  });
  const promised = ({ metadata }: StoragePool): number =>
    (totals.get(`uid:${metadata.uid}`) ?? 0) + (totals.get(`name:${metadata.name}`) ?? 0);
  return {
    promised,
    refusal: (pool, diskUid, bytes) => {
      const { name } = pool.metadata;
      const percent = pool.spec.overProvisionPercent;
      if (percent === undefined) return undefined;
      const limit = promiseLimit(pool);
      if (limit === undefined) return `The size of StoragePool ${name} is not known yet.`;
      const held = holds.get(diskUid);
      // What is held for it already is what it asks for.
      const own = held?.pool === `uid:${pool.metadata.uid}` ? held.bytes : 0;
      const now = promised(pool) - own;
      if (now + bytes <= limit) return undefined;
      const words = [now, limit, bytes].map(roughly);
      return `StoragePool ${name} has promised ${words[0]} to disks and may promise ${words[1]} (${percent} % of its capacity); this would be ${words[2]} more.`;
    },
    hold: (pool, diskUid, bytes) => {
      release(diskUid);
      const held = { pool: `uid:${pool.metadata.uid}`, bytes };
      holds.set(diskUid, held);
      count([held], 1);
    },
    release,
  };
};

/** The API server gives up on a request long before this. */
const lateWriteMs = 180_000;

/** The hold goes when the cache shows what became of it, or nothing did. */
export const withPromise = async <T>(
  { promises, clock }: { readonly promises: StoragePromises; readonly clock: Pick<Clock, 'after'> },
  pool: StoragePool,
  diskUid: string,
  bytes: number,
  run: () => Promise<T>,
): Promise<T> => {
  if (promises.refusal(pool, diskUid, bytes) !== undefined)
    throw new Fault('conflict', 'The storage pool was promised to others meanwhile.');
  promises.hold(pool, diskUid, bytes);
  try {
    return await run();
  } catch (error) {
    // Refused is refused; what has an unknown end may still arrive.
    if (isFault(error) && error.kind !== 'unreachable' && error.kind !== 'busy') promises.release(diskUid);
    else clock.after(lateWriteMs, () => promises.release(diskUid));
    throw error;
  }
};
