/** A StoragePool's folder on one host as a libvirt `dir` pool whose uuid is derived and therefore our mark. */
import { createHash } from 'node:crypto';
import { uuidV5 } from '../../../api/identity.ts';
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePool } from '../../../wire/libvirt/protocol.gen.ts';
import type { PlaceSeen, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { parsePool, poolXml, volumeXml } from './storage-xml.ts';
import { saidNo } from './to-fault.ts';

const PLACE_NAMESPACE = '9d3b1f0a-37a1-5f6c-8b0e-6d1f8b0a7c42';

const poolName = (place: StoragePlace): string =>
  `ovcp-${createHash('sha256').update(`${place.clusterId}\n${place.poolUid}`).digest('hex').slice(0, 16)}`;

/** libvirt finds a pool by its uuid; volumes are found by the pool's name, which is derived as well. */
export const poolOf = (place: StoragePlace): StoragePool => ({
  name: poolName(place),
  uuid: uuidV5(PLACE_NAMESPACE, `${place.clusterId}/${place.poolUid}`),
});

/** The file by which a shared folder is known to be mounted. */
export const sharedMarker = (place: StoragePlace): string => `ovcp-pool-${place.poolUid}`;

const pathMissing = (place: StoragePlace, cause: unknown): Fault =>
  new Fault('invalid', `The folder ${place.path} of the pool ${place.poolName} does not exist on the host.`, {
    reason: 'PathNotFound',
    cause,
  });

const find = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<StoragePool | undefined> => {
  try {
    return (await remote.call('STORAGE_POOL_LOOKUP_BY_UUID', { uuid: poolOf(place).uuid }, signal)).pool;
  } catch (error) {
    if (saidNo(error, errorCodes.noStoragePool)) return undefined;
    throw error;
  }
};

const isActive = async (remote: Remote, pool: StoragePool, signal: AbortSignal): Promise<boolean> =>
  (await remote.call('STORAGE_POOL_IS_ACTIVE', { pool }, signal)).active === 1;

/**
 * Makes libvirt read the folder again: it learns of files that came or went without it. Refused while a copy runs
 * in the pool; then what it knows has to do.
 */
export const refresh = async (remote: Remote, pool: StoragePool, signal: AbortSignal): Promise<void> => {
  try {
    await remote.call('STORAGE_POOL_REFRESH', { pool, flags: 0 }, signal);
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
  }
};

export const hasVolume = async (
  remote: Remote,
  pool: StoragePool,
  name: string,
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    await remote.call('STORAGE_VOL_LOOKUP_BY_NAME', { pool, name }, signal);
    return true;
  } catch (error) {
    if (saidNo(error, errorCodes.noStorageVol)) return false;
    throw error;
  }
};

export const seePlace = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<PlaceSeen> => {
  const pool = await find(remote, place, signal);
  if (pool === undefined) return { kind: 'absent' };
  const { xml } = await remote.call('STORAGE_POOL_GET_XML_DESC', { pool, flags: 0 }, signal);
  const { path } = parsePool(xml);
  if (path !== place.path) {
    const message = `The pool ${place.poolName} is at ${path ?? 'no folder'} on the host, not at ${place.path}.`;
    return { kind: 'broken', reason: 'StorageNotReady', message };
  }
  if (!(await isActive(remote, pool, signal))) return { kind: 'absent' };
  await refresh(remote, pool, signal);
  // A folder that is gone ends the pool.
  if (!(await isActive(remote, pool, signal))) {
    return { kind: 'broken', reason: 'PathNotFound', message: pathMissing(place, undefined).message };
  }
  const info = await remote.call('STORAGE_POOL_GET_INFO', { pool }, signal);
  return {
    kind: 'ready',
    capacityBytes: Number(info.capacity),
    availableBytes: Number(info.available),
    sharedMarker:
      place.topology === 'HostLocal' || (await hasVolume(remote, pool, sharedMarker(place), signal)),
  };
};

const checkPathFree = async (remote: Remote, place: StoragePlace, signal: AbortSignal): Promise<void> => {
  try {
    const { pool } = await remote.call('STORAGE_POOL_LOOKUP_BY_TARGET_PATH', { path: place.path }, signal);
    if (pool.uuid.toLowerCase() === poolOf(place).uuid) return;
    throw new Fault(
      'denied',
      `The folder ${place.path} belongs to the libvirt pool ${pool.name} on the host, which is not ours.`,
      { reason: 'NameTaken' },
    );
  } catch (error) {
    if (!saidNo(error, errorCodes.noStoragePool, errorCodes.noSupport)) throw error;
  }
};

const activate = async (
  remote: Remote,
  place: StoragePlace,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await remote.call('STORAGE_POOL_CREATE', { pool, flags: 0 }, signal);
    return;
  } catch (error) {
    if (await isActive(remote, pool, signal)) return;
    // A shared folder that is not there is not mounted: a folder made in its place would hide that.
    if (place.topology === 'Shared') throw pathMissing(place, error);
  }
  await remote.call('STORAGE_POOL_BUILD', { pool, flags: 0 }, signal);
  await remote.call('STORAGE_POOL_CREATE', { pool, flags: 0 }, signal);
};

export const preparePlace = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  let pool = await find(remote, place, signal);
  if (pool === undefined) {
    await checkPathFree(remote, place, signal);
    const { name, uuid } = poolOf(place);
    const made = await remote.call(
      'STORAGE_POOL_DEFINE_XML',
      { xml: poolXml(place, name, uuid), flags: 0 },
      signal,
    );
    pool = made.pool;
  }
  if (!(await isActive(remote, pool, signal))) await activate(remote, place, pool, signal);
  const { autostart } = await remote.call('STORAGE_POOL_GET_AUTOSTART', { pool }, signal);
  if (autostart !== 1) await remote.call('STORAGE_POOL_SET_AUTOSTART', { pool, autostart: 1 }, signal);
};

/** The folder and all files in it stay. */
export const forgetPlace = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  const pool = await find(remote, place, signal);
  if (pool === undefined) return;
  if (await isActive(remote, pool, signal)) await remote.call('STORAGE_POOL_DESTROY', { pool }, signal);
  await remote.call('STORAGE_POOL_UNDEFINE', { pool }, signal);
};

export const writeSharedMarker = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  const pool = poolOf(place);
  const name = sharedMarker(place);
  if (await hasVolume(remote, pool, name, signal)) return;
  await putMarker(remote, pool, name, signal);
};

/** A file that says what it says by being there. */
export const putMarker = async (
  remote: Remote,
  pool: StoragePool,
  name: string,
  signal: AbortSignal,
): Promise<void> => {
  const xml = volumeXml({ name, format: 'raw', sizeBytes: 0 });
  try {
    await remote.call('STORAGE_VOL_CREATE_XML', { pool, xml, flags: 0 }, signal);
  } catch (error) {
    if (saidNo(error, errorCodes.storageVolExists)) return;
    // The file is there, and libvirt has not read the folder since.
    await refresh(remote, pool, signal);
    if (!(await hasVolume(remote, pool, name, signal))) throw error;
  }
};
