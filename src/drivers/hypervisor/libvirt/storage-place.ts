/** A StoragePool's folder on one host as a libvirt pool (`dir`, or `netfs` for a mount) whose derived uuid is our mark. */
import { createHash } from 'node:crypto';
import { uuidV5 } from '../../../api/identity.ts';
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePool } from '../../../wire/libvirt/protocol.gen.ts';
import type { PlaceSeen, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import {
  isOtherVolume,
  isOutdated,
  mountPool,
  networkSourceOf,
  removeFolder,
  unmountPool,
} from './storage-mount.ts';
import { type PoolParsed, parsePool, poolXml, volumeXml } from './storage-xml.ts';
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
export const refresh = async (
  remote: Pick<Remote, 'call'>,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
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

/** VIR_STORAGE_XML_INACTIVE: the definition, not what it was started with. */
const DEFINITION = 1;

const definitionOf = async (remote: Remote, pool: StoragePool, signal: AbortSignal): Promise<PoolParsed> => {
  const read = async (flags: number): Promise<PoolParsed> =>
    parsePool((await remote.call('STORAGE_POOL_GET_XML_DESC', { pool, flags }, signal)).xml);
  try {
    return await read(DEFINITION);
  } catch (error) {
    // The test driver keeps one description of a pool.
    if (!saidNo(error, errorCodes.invalidArgument)) throw error;
    return read(0);
  }
};

/** A definition that does not lead to what the place is. */
const misledBy = (place: StoragePlace, { path, ...parsed }: PoolParsed): PlaceSeen | undefined => {
  if (path !== place.path) {
    const message = `The pool ${place.poolName} is at ${path ?? 'no folder'} on the host, not at ${place.path}.`;
    return { kind: 'broken', reason: 'StorageNotReady', message };
  }
  if (place.mount === undefined || !isOtherVolume({ ...parsed, path }, place.mount)) return undefined;
  const message = `The pool ${place.poolName} mounts ${parsed.source?.dir ?? 'nothing'} on the host.`;
  return { kind: 'broken', reason: 'StorageNotReady', message };
};

const goneAway = (place: StoragePlace): PlaceSeen =>
  place.mount === undefined
    ? { kind: 'broken', reason: 'PathNotFound', message: pathMissing(place, undefined).message }
    : {
        kind: 'broken',
        reason: 'MountLost',
        message: `What was mounted for the pool ${place.poolName} does not answer any more.`,
      };

export const seePlace = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<PlaceSeen> => {
  const pool = await find(remote, place, signal);
  if (pool === undefined) return { kind: 'absent' };
  const definition = await definitionOf(remote, pool, signal);
  const misled = misledBy(place, definition);
  if (misled !== undefined) return misled;
  if (!(await isActive(remote, pool, signal))) return { kind: 'absent' };
  await refresh(remote, pool, signal);
  // A folder that is gone ends the pool.
  if (!(await isActive(remote, pool, signal))) return goneAway(place);
  const info = await remote.call('STORAGE_POOL_GET_INFO', { pool }, signal);
  const outdated = place.mount !== undefined && isOutdated(definition, place.mount);
  return {
    kind: 'ready',
    capacityBytes: Number(info.capacity),
    availableBytes: Number(info.available),
    sharedMarker:
      place.topology === 'HostLocal' || (await hasVolume(remote, pool, sharedMarker(place), signal)),
    ...(outdated ? { outdated } : {}),
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

/** Defines the pool, or defines it anew where it mounts from other servers than it should. */
const define = async (
  remote: Remote,
  place: StoragePlace,
  found: StoragePool | undefined,
  signal: AbortSignal,
): Promise<StoragePool> => {
  const { mount } = place;
  if (found === undefined) await checkPathFree(remote, place, signal);
  else if (mount === undefined || !isOutdated(await definitionOf(remote, found, signal), mount)) return found;
  const { name, uuid } = poolOf(place);
  const xml = poolXml(place, name, uuid, mount && networkSourceOf(mount));
  return (await remote.call('STORAGE_POOL_DEFINE_XML', { xml, flags: 0 }, signal)).pool;
};

/** Down and up again; libvirt may believe that it is mounted when it is not. */
const remount = async (
  remote: Remote,
  place: StoragePlace,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  if (place.mount === undefined) return;
  if (await isActive(remote, pool, signal)) await unmountPool(remote, place, pool, signal);
  await mountPool(remote, place, place.mount, pool, signal);
};

/** What is mounted and has the marker is left alone: machines may use it. */
const ensureMounted = async (
  remote: Remote,
  place: StoragePlace,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  if (await isActive(remote, pool, signal)) await refresh(remote, pool, signal);
  const sound =
    (await isActive(remote, pool, signal)) && (await hasVolume(remote, pool, sharedMarker(place), signal));
  if (!sound) await remount(remote, place, pool, signal);
};

export const preparePlace = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  const pool = await define(remote, place, await find(remote, place, signal), signal);
  if (place.mount !== undefined) await ensureMounted(remote, place, pool, signal);
  else if (!(await isActive(remote, pool, signal))) await activate(remote, place, pool, signal);
  const { autostart } = await remote.call('STORAGE_POOL_GET_AUTOSTART', { pool }, signal);
  if (autostart !== 1) await remote.call('STORAGE_POOL_SET_AUTOSTART', { pool, autostart: 1 }, signal);
};

/** Another host may have taken it away already, or the storage is gone. */
const removeMarker = async (
  remote: Remote,
  place: StoragePlace,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  const name = sharedMarker(place);
  try {
    const vol = { pool: pool.name, name, key: `${place.path}/${name}` };
    await remote.call('STORAGE_VOL_DELETE', { vol, flags: 0 }, signal);
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
  }
};

/** What was mounted is unmounted; the folder of the administrator and all files in it stay, but for our marker. */
export const forgetPlace = async (
  remote: Remote,
  place: StoragePlace,
  withMarker: boolean,
  signal: AbortSignal,
): Promise<void> => {
  const pool = await find(remote, place, signal);
  if (pool === undefined) return;
  const active = await isActive(remote, pool, signal);
  if (active && withMarker && place.topology === 'Shared') await removeMarker(remote, place, pool, signal);
  if (place.mount === undefined) {
    if (active) await remote.call('STORAGE_POOL_DESTROY', { pool }, signal);
  } else {
    if (active) await unmountPool(remote, place, pool, signal);
    await removeFolder(remote, pool, signal);
  }
  await remote.call('STORAGE_POOL_UNDEFINE', { pool }, signal);
};

/** Written once in the life of a pool, and nobody uses it before: so that it surely lands in what is mounted. */
export const writeSharedMarker = async (
  remote: Remote,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  const pool = poolOf(place);
  const name = sharedMarker(place);
  if (await hasVolume(remote, pool, name, signal)) return;
  await remount(remote, place, pool, signal);
  await putMarker(remote, pool, name, signal);
};

/**
 * Throws Fault `unreachable` (`MountLost`; `MarkerMissing` for a shared folder that the administrator mounts) unless
 * the marker file can be opened: libvirt's memory is no proof.
 */
export const checkMounted = async (
  remote: Pick<Remote, 'call'>,
  place: StoragePlace,
  signal: AbortSignal,
): Promise<void> => {
  if (place.topology === 'HostLocal') return;
  const pool = poolOf(place);
  const name = sharedMarker(place);
  const vol = { pool: pool.name, name, key: `${place.path}/${name}` };
  const isThere = async (): Promise<boolean> => {
    try {
      await remote.call('STORAGE_VOL_GET_INFO', { vol }, signal);
      return true;
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      return false;
    }
  };
  if (await isThere()) return;
  // Another host may have written it since this one read the folder.
  await refresh(remote, pool, signal);
  if (await isThere()) return;
  throw new Fault('unreachable', `The pool ${place.poolName} is not mounted on the host.`, {
    reason: place.mount === undefined ? 'MarkerMissing' : 'MountLost',
  });
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
