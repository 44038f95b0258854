/** The StoragePool where the data of a disk is, which is not always the one that its spec names. Pure. */
import { type MoveRecord, recordedPlaceOf } from '../api/disk-move.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { Kinds } from './context.ts';

type Pools = Pick<Kinds, 'storagePools'>;

export const poolByUid = ({ storagePools }: Pools, uid: string): StoragePool | undefined =>
  storagePools.store.byIndex('uid', uid)[0];

/**
 * A pool that was made anew under its name is the one that the spec names: the data did not go anywhere. `record`
 * comes first, since a status can be lost, and for that case what was written with our finalizer comes last. That they may have been written by somebody else does no harm, because names
 * of volumes are derived from the uid of the disk wherever they are used (docs/adr/0010-a-status-is-no-evidence.md).
 */
export const homePoolOf = (kinds: Pools, disk: VirtualDisk, record?: MoveRecord): StoragePool | undefined => {
  if (record !== undefined) return poolByUid(kinds, record.from.pool);
  const named = kinds.storagePools.store.get(disk.spec.storagePoolRef.name);
  const uid = disk.status?.volume?.pool ?? recordedPlaceOf(disk)?.pool;
  return uid === undefined || uid === named?.metadata.uid ? named : (poolByUid(kinds, uid) ?? named);
};
