/**
 * A volume group of the host as a place. libvirt's `logical` pool is the handle to it, with these traps (libvirt,
 * src/storage/storage_backend_logical.c):
 * - Building and deleting the pool are vgcreate and vgremove: neither is ever called.
 * - Stopping it is `vgchange -aln` on the whole group, volumes of other people included. So it is stopped only when
 *   nothing is left in the group. It is transient, and else ends with the host's next boot.
 * - Whose group it is no pool tells, and others may have a pool on it as well: a mark does, which is a volume of one
 *   extent. Its name is made of the installation, the StoragePool and the host, so that neither two StoragePools nor
 *   two hosts that see one disk ever share a group: without a lock between hosts that would destroy it.
 */
import { createHash } from 'node:crypto';
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePool } from '../../../wire/libvirt/protocol.gen.ts';
import type { PlaceSeen, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { findPool, hasVolume, isActive, isGroup, poolOf, refresh } from './storage-place.ts';
import { groupXml, volumeXml } from './storage-xml.ts';
import { saidNo } from './to-fault.ts';

/** The place, and the host's own uuid: libvirt's, which is the mainboard's. */
export interface GroupShelf {
  readonly remote: Remote;
  readonly place: StoragePlace;
  readonly hostUuid: string;
}

const MARK = 'ovcp-pool-';

const markOf = ({ place, hostUuid }: GroupShelf): string => {
  const owner = `${place.clusterId}\n${place.poolUid}\n${hostUuid}`;
  return MARK + createHash('sha256').update(owner).digest('hex').slice(0, 16);
};

const groupNameOf = ({ place }: GroupShelf): string => {
  if (isGroup(place)) return place.volumeGroup;
  throw new Fault('bug', 'A folder was taken for a volume group.');
};

const takenMessage = (shelf: GroupShelf): string =>
  `The volume group ${groupNameOf(shelf)} carries the mark of another StoragePool, host or installation (a volume named ${MARK}…), and is left alone.`;

const taken = (shelf: GroupShelf): Fault => new Fault('denied', takenMessage(shelf), { reason: 'NameTaken' });

const marksIn = async (
  { remote }: GroupShelf,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const args = { pool, need_results: 1, flags: 0 };
  const { vols } = await remote.call('STORAGE_POOL_LIST_ALL_VOLUMES', args, signal);
  return vols.map(({ name }) => name).filter((name) => name.startsWith(MARK));
};

/** The running pool, read anew; undefined when there is none. A pool whose group is gone ends as it is read. */
const runningPool = async (
  { remote, place }: GroupShelf,
  signal: AbortSignal,
): Promise<StoragePool | undefined> => {
  const found = await findPool(remote, place, signal);
  if (found === undefined || !(await isActive(remote, found, signal))) return undefined;
  await refresh(remote, found, signal);
  return findPool(remote, place, signal);
};

export const seeGroup = async (shelf: GroupShelf, signal: AbortSignal): Promise<PlaceSeen> => {
  const pool = await runningPool(shelf, signal);
  if (pool === undefined) return { kind: 'absent' };
  const marks = await marksIn(shelf, pool, signal);
  if (!marks.includes(markOf(shelf))) {
    return marks.length === 0
      ? { kind: 'absent' }
      : { kind: 'broken', reason: 'NameTaken', message: takenMessage(shelf) };
  }
  const { capacity, available } = await shelf.remote.call('STORAGE_POOL_GET_INFO', { pool }, signal);
  return {
    kind: 'ready',
    capacityBytes: Number(capacity),
    availableBytes: Number(available),
    sharedMarker: true,
  };
};

const start = async (shelf: GroupShelf, signal: AbortSignal): Promise<StoragePool> => {
  const { name, uuid } = poolOf(shelf.place);
  const group = groupNameOf(shelf);
  try {
    const xml = groupXml(group, name, uuid);
    return (await shelf.remote.call('STORAGE_POOL_CREATE_XML', { xml, flags: 0 }, signal)).pool;
  } catch (error) {
    const missing = /cannot find logical volume group|volume group "[^"]*" not found/i;
    if (!(error instanceof LibvirtError) || !missing.test(error.message)) throw error;
    throw new Fault('invalid', `The volume group ${group} does not exist on the host.`, {
      reason: 'VolumeGroupNotFound',
      cause: error,
    });
  }
};

const dropMark = async (shelf: GroupShelf, signal: AbortSignal): Promise<void> => {
  const name = markOf(shelf);
  const vol = { pool: poolOf(shelf.place).name, name, key: `${shelf.place.path}/${name}` };
  try {
    await shelf.remote.call('STORAGE_VOL_DELETE', { vol, flags: 0 }, signal);
  } catch (error) {
    if (!saidNo(error, errorCodes.noStorageVol)) throw error;
  }
};

const putMark = async (shelf: GroupShelf, pool: StoragePool, signal: AbortSignal): Promise<void> => {
  const xml = volumeXml({ name: markOf(shelf), format: 'raw', sizeBytes: 1, allocationBytes: 1 });
  try {
    await shelf.remote.call('STORAGE_VOL_CREATE_XML', { pool, xml, flags: 0 }, signal);
  } catch (error) {
    if (!(error instanceof LibvirtError) || !/already exists/i.test(error.message)) throw error;
    const group = groupNameOf(shelf);
    throw new Fault(
      'unreachable',
      `The volume group ${group} is not active on the host: \`vgchange -ay ${group}\` there.`,
      { reason: 'VolumeGroupInactive', cause: error },
    );
  }
};

/** Two that mark a group at the same time see each other afterwards: the mark that comes first by name stays. */
export const prepareGroup = async (shelf: GroupShelf, signal: AbortSignal): Promise<void> => {
  const pool = (await runningPool(shelf, signal)) ?? (await start(shelf, signal));
  const mine = markOf(shelf);
  const before = await marksIn(shelf, pool, signal);
  if (before.includes(mine)) return;
  if (before.length > 0) throw taken(shelf);
  await putMark(shelf, pool, signal);
  await refresh(shelf.remote, pool, signal);
  const [first] = (await marksIn(shelf, pool, signal)).toSorted();
  if (first === mine) return;
  await dropMark(shelf, signal);
  throw taken(shelf);
};

/** The group stays as it is but for our mark; disks that were retained stay, too. */
export const forgetGroup = async (shelf: GroupShelf, signal: AbortSignal): Promise<void> => {
  if ((await runningPool(shelf, signal)) === undefined) return;
  await dropMark(shelf, signal);
  const pool = await runningPool(shelf, signal);
  if (pool === undefined) return;
  const { allocation } = await shelf.remote.call('STORAGE_POOL_GET_INFO', { pool }, signal);
  // Thin volumes and inactive ones are in no list of libvirt's, and take room all the same.
  if (allocation !== 0n) return;
  await shelf.remote.call('STORAGE_POOL_DESTROY', { pool }, signal);
};

/** Throws Fault `unreachable` (`StorageNotReady`) unless our mark is in the group: without it nothing is ours. */
export const checkMarked = async (shelf: GroupShelf, signal: AbortSignal): Promise<void> => {
  const { remote, place } = shelf;
  try {
    if (await hasVolume(remote, poolOf(place), markOf(shelf), signal)) return;
  } catch (error) {
    if (!saidNo(error, errorCodes.noStoragePool)) throw error;
  }
  throw new Fault('unreachable', `The pool ${place.poolName} is not prepared on the host.`, {
    reason: 'StorageNotReady',
  });
};
