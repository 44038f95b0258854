/**
 * Volumes of a place. libvirt cannot rename a volume and keeps no notes on one, so files beside it speak for it:
 * `<volume>.making` lies there as long as the volume is not to be trusted, and `<volume>.digest-<algorithm>-<hex>`
 * (announced by `<volume>.digest`, which can be asked for by name) tells what an image was made from.
 */
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StorageVol } from '../../../wire/libvirt/protocol.gen.ts';
import type { StoragePlace, VolumeSeen, VolumeSight } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import { hasVolume, isGroup, poolOf, putMarker, refresh, sharedMarker } from './storage-place.ts';
import { parseFormat, parseVolume, type VolumeWish, volumeXml } from './storage-xml.ts';
import { saidNo } from './to-fault.ts';

/** Lies beside a volume that is not to be trusted. */
export const MAKING = '.making';
const DIGEST = '.digest';
/** Where an import lands before it is converted, and a volume of a group is put while it grows. */
export const PART = '.part';
const BESIDE = /\.(making|part|digest(-[a-z0-9]+-[0-9a-f]+)?)$/;
const DELETE_TRIES = 20;
const DELETE_PAUSE_MS = 100;
const EPERM = 1;
const EACCES = 13;

export interface Shelf {
  readonly remote: Remote;
  readonly place: StoragePlace;
  /** By which a mark in a volume group tells this host from another. */
  readonly hostUuid: string;
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

/** Throws Fault `invalid` for anything but a name of ours: nothing that leaves the folder, no marker. */
export const checkVolumeName = (name: string): void => {
  if (/^ovcp-[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/.test(name) && !name.includes('..') && !BESIDE.test(name))
    return;
  throw new Fault('invalid', 'The volume has a name that is not one of ours.', { reason: 'Invalid' });
};

/** In a volume group, where others may keep anything, disks alone are ours; an iSCSI pool's have no extension. */
const isOurVolume = (name: string, place: StoragePlace): boolean =>
  isGroup(place)
    ? /^ovcp-disk-[0-9A-Za-z-]+\.raw$/.test(name)
    : name.startsWith('ovcp-') && !BESIDE.test(name) && name !== sharedMarker(place);

const pathOf = (place: StoragePlace, name: string): string => `${place.path}/${name}`;

export const handleOf = (place: StoragePlace, name: string): StorageVol => ({
  pool: poolOf(place).name,
  name,
  key: pathOf(place, name),
});

export const has = (shelf: Shelf, name: string, signal: AbortSignal): Promise<boolean> =>
  hasVolume(shelf.remote, poolOf(shelf.place), name, signal);

const describeVolume = async (shelf: Shelf, name: string, signal: AbortSignal) => {
  try {
    const vol = handleOf(shelf.place, name);
    const { xml } = await shelf.remote.call('STORAGE_VOL_GET_XML_DESC', { vol, flags: 0 }, signal);
    return parseVolume(xml);
  } catch (error) {
    if (saidNo(error, errorCodes.noStorageVol)) return undefined;
    // The file vanished behind libvirt's back: reading the folder again tells.
    await refresh(shelf.remote, poolOf(shelf.place), signal);
    if (!(await has(shelf, name, signal))) return undefined;
    throw error;
  }
};

const namesOf = async (shelf: Shelf, signal: AbortSignal): Promise<readonly string[]> => {
  const { vols } = await shelf.remote.call(
    'STORAGE_POOL_LIST_ALL_VOLUMES',
    { pool: poolOf(shelf.place), need_results: 1, flags: 0 },
    signal,
  );
  return vols.map(({ name }) => name);
};

const digestIn = (names: readonly string[], volume: string): string | undefined => {
  const prefix = `${volume}${DIGEST}-`;
  const marker = names.find((name) => name.startsWith(prefix));
  return marker?.slice(prefix.length).replace('-', ':');
};

/** What a disk of a volume group was, while it is made anew with another size (storage-group-work.ts). */
const wasPutAside = async (
  shelf: Shelf,
  name: string,
  signal: AbortSignal,
): Promise<VolumeSeen | undefined> => {
  if (!isGroup(shelf.place) || (await has(shelf, name + PART + MAKING, signal))) return undefined;
  const part = await describeVolume(shelf, name + PART, signal);
  if (part === undefined) return undefined;
  return { ...part, name, path: pathOf(shelf.place, name), format: 'raw', complete: false, growing: true };
};

const seenOf = async (
  shelf: Shelf,
  name: string,
  names: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<VolumeSeen | undefined> => {
  const described = await describeVolume(shelf, name, signal);
  if (described === undefined) return wasPutAside(shelf, name, signal);
  const beside = (suffix: string): Promise<boolean> =>
    names === undefined ? has(shelf, name + suffix, signal) : Promise.resolve(names.includes(name + suffix));
  const [making, hasDigest] = await Promise.all([beside(MAKING), beside(DIGEST)]);
  const aside = making ? await wasPutAside(shelf, name, signal) : undefined;
  if (aside !== undefined) return aside;
  const left = isGroup(shelf.place) && !making && (await beside(PART));
  const digest = hasDigest ? digestIn(names ?? (await namesOf(shelf, signal)), name) : undefined;
  return {
    ...described,
    complete: !making,
    ...(left ? { growing: true } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
};

export const seeVolume = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<VolumeSight> => {
  checkVolumeName(name);
  let volume = await seenOf(shelf, name, undefined, signal);
  if (volume === undefined && shelf.place.topology === 'Shared') {
    // Another host may have made it.
    await refresh(shelf.remote, poolOf(shelf.place), signal);
    volume = await seenOf(shelf, name, undefined, signal);
  }
  return volume === undefined ? { kind: 'absent' } : { kind: 'present', volume };
};

export const listVolumes = async (shelf: Shelf, signal: AbortSignal): Promise<readonly VolumeSeen[]> => {
  // Another host may have made some: an image is deleted when nothing in this list stands on it.
  if (shelf.place.topology === 'Shared') await refresh(shelf.remote, poolOf(shelf.place), signal);
  const names = await namesOf(shelf, signal);
  const aside = isGroup(shelf.place)
    ? names.flatMap((name) => (name.endsWith(PART) ? name.slice(0, -PART.length) : []))
    : [];
  const ours = [...new Set([...names, ...aside])].filter((name) => isOurVolume(name, shelf.place));
  const seen = await Promise.all(ours.map((name) => seenOf(shelf, name, names, signal)));
  return seen.flatMap((volume) => volume ?? []);
};

/**
 * On NFS libvirt takes a file away as the user whose it is, not as root. Files that machines only read stay QEMU's
 * after they stopped, and so does every file of a host that lost power.
 */
const deleteFault = ({ place }: Shelf, error: unknown): unknown => {
  const refused = error instanceof LibvirtError && [EPERM, EACCES].includes(error.numbers[0] ?? 0);
  if (!refused || place.mount?.kind !== 'nfs') return error;
  const { server, export: folder } = place.mount;
  return new Fault(
    'unreachable',
    `QEMU's user may not take its files from ${folder} of ${server}: the folder needs QEMU's group and mode 1731.`,
    { reason: 'StorageNotReady', cause: error },
  );
};

export const deleteFile = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    try {
      await shelf.remote.call('STORAGE_VOL_DELETE', { vol: handleOf(shelf.place, name), flags: 0 }, signal);
      return;
    } catch (error) {
      if (saidNo(error, errorCodes.noStorageVol)) return;
      // The daemon lets go of a file a moment after it confirmed the end of an upload.
      if (!saidNo(error, errorCodes.operationInvalid) || tries >= DELETE_TRIES)
        throw deleteFault(shelf, error);
      await shelf.sleep(DELETE_PAUSE_MS, signal);
    }
  }
};

/** The volume first, what speaks for it after, the sign that it is not to be trusted last. */
export const deleteVolume = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<void> => {
  checkVolumeName(name);
  await deleteFile(shelf, name, signal);
  await deleteFile(shelf, name + PART, signal);
  if (await has(shelf, name + DIGEST, signal)) {
    const markers = (await namesOf(shelf, signal)).filter((each) => each.startsWith(`${name}${DIGEST}-`));
    for (const marker of markers) await deleteFile(shelf, marker, signal);
    await deleteFile(shelf, name + DIGEST, signal);
  }
  if (isGroup(shelf.place)) await deleteFile(shelf, name + PART + MAKING, signal);
  await deleteFile(shelf, name + MAKING, signal);
};

/** What libvirt takes a file of ours for; it reads the head to tell. Undefined when the file is not there. */
export const formatTold = async (
  shelf: Shelf,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { xml } = await shelf.remote.call(
    'STORAGE_VOL_GET_XML_DESC',
    { vol: handleOf(shelf.place, name), flags: 0 },
    signal,
  );
  return parseFormat(xml);
};

export const createVolume = async (shelf: Shelf, wish: VolumeWish, signal: AbortSignal): Promise<void> => {
  await shelf.remote.call(
    'STORAGE_VOL_CREATE_XML',
    { pool: poolOf(shelf.place), xml: volumeXml(placed(shelf, wish)), flags: 0 },
    signal,
  );
};

/** A volume of a group takes its whole size at once. */
export const placed = ({ place }: Pick<Shelf, 'place'>, wish: VolumeWish): VolumeWish =>
  isGroup(place) ? { ...wish, allocationBytes: wish.sizeBytes } : wish;

/** From here on the volume is not to be trusted; what was left of an earlier try is gone. */
export const beginMaking = async (shelf: Shelf, name: string, signal: AbortSignal): Promise<void> => {
  // In a group a whole volume put aside, with the sign of mistrust beside it, would be a disk that is being grown.
  if (isGroup(shelf.place)) await deleteFile(shelf, name + PART, signal);
  await putMarker(shelf.remote, shelf.place, name + MAKING, signal);
  await deleteFile(shelf, name, signal);
  await deleteFile(shelf, name + PART, signal);
};

/** The volume is whole: the digest is written first, the sign of mistrust goes last. */
export const endMaking = async (
  shelf: Shelf,
  name: string,
  digest: string | undefined,
  signal: AbortSignal,
): Promise<void> => {
  await deleteFile(shelf, name + PART, signal);
  if (digest !== undefined) {
    const word = digest.toLowerCase().replace(':', '-');
    if (!/^[a-z0-9]+-[0-9a-f]{1,128}$/.test(word))
      throw new Fault('bug', 'The digest of the image is not one.');
    await putMarker(shelf.remote, shelf.place, name + DIGEST, signal);
    await putMarker(shelf.remote, shelf.place, `${name}${DIGEST}-${word}`, signal);
  }
  await deleteFile(shelf, name + MAKING, signal);
};

/** The complete volume of that name. Throws Fault `conflict` when it is not there or not whole. */
export const completeVolume = async (
  shelf: Shelf,
  name: string,
  signal: AbortSignal,
): Promise<VolumeSeen> => {
  const sight = await seeVolume(shelf, name, signal);
  if (sight.kind === 'present' && sight.volume.complete) return sight.volume;
  throw new Fault('conflict', `The volume ${name} is not there yet.`);
};

/**
 * libvirt resizes and copies a volume as what its head says: a raw one that it takes for anything else is left alone
 * (reliability.md S7). The look that told of it read the head anew. Throws Fault `denied`.
 */
export const checkUndisguised = (volume: VolumeSeen): void => {
  if (volume.disguisedAs === undefined) return;
  throw new Fault('denied', `The raw volume ${volume.name} holds what looks like ${volume.disguisedAs}.`, {
    reason: 'ImageFormatRefused',
  });
};
