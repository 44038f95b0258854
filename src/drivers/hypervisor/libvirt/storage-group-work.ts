/**
 * Disks in a volume group. LVM gives a new volume whatever lay there before, so nothing is complete before all of it
 * was overwritten. libvirt neither grows nor renames a logical volume: one that is to grow is copied aside, deleted,
 * and made anew from the copy.
 *
 * | there is                                         | the disk is         |
 * |--------------------------------------------------|---------------------|
 * | the volume, without `.making`                    | the volume          |
 * | `.part` without `.part.making`, and not the above | `.part`: it grows  |
 * | anything else                                    | not made            |
 *
 * Deleting the volume is the turn: LVM refuses it while somebody has the volume open.
 */
import { Fault, isFault } from '../../../runtime/fault.ts';
import type { StorageWork } from '../host-storage.ts';
import { writeContent, writeZeros } from './storage-content.ts';
import { isGroup, poolOf, putMarker } from './storage-place.ts';
import { createFrom, LONG_CALL_MS, orNothing, type Workshop } from './storage-shop.ts';
import {
  beginMaking,
  completeVolume,
  createVolume,
  deleteFile,
  endMaking,
  handleOf,
  MAKING,
  PART,
  type Shelf,
  seeVolume,
} from './storage-volumes.ts';
import { toHostFault } from './to-fault.ts';

type Progress = (percent: number) => void;
type Fill = Extract<StorageWork, { kind: 'fill' }>;
type Grow = Extract<StorageWork, { kind: 'grow' }>;

/** VIR_STORAGE_VOL_WIPE: zeros over the whole device, and on it before the call ends. A thread of the host's own. */
const wipe = async (shop: Workshop, name: string, signal: AbortSignal): Promise<void> => {
  const args = { vol: handleOf(shop.place, name), flags: 0 };
  await shop.bulk.call('STORAGE_VOL_WIPE', args, signal, { timeoutMs: LONG_CALL_MS });
};

export const fill = async (
  shop: Workshop,
  { volume, sizeBytes, chunks }: Fill,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  await orNothing(shop, volume, async () => {
    await beginMaking(shop, volume, signal);
    await createVolume(shop, { name: volume, format: 'raw', sizeBytes }, signal);
    progress(0);
    if (isGroup(shop.place)) await wipe(shop, volume, signal);
    const tell = (bytes: number): void => progress(Math.min(99, 20 + Math.floor((bytes / sizeBytes) * 79)));
    if (chunks !== undefined) await writeContent(shop, volume, { chunks, sizeBytes }, tell, signal);
    await endMaking(shop, volume, undefined, signal);
  });
  progress(100);
};

const sizeOf = async (shop: Workshop, name: string, signal: AbortSignal): Promise<number> => {
  const vol = handleOf(shop.place, name);
  return Number((await shop.remote.call('STORAGE_VOL_GET_INFO', { vol }, signal)).capacity);
};

/** A copy with zeros behind the end of its source: LVM made it larger, and what lay there is in it. */
export const copyWithin = async (
  shop: Workshop,
  from: string,
  { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
  signal: AbortSignal,
): Promise<void> => {
  const had = await sizeOf(shop, from, signal);
  await createFrom(shop, from, { name, format: 'raw', sizeBytes: Math.max(sizeBytes, had) }, signal);
  await writeZeros(shop, name, { from: had, to: await sizeOf(shop, name, signal) }, signal);
};

const checkRoom = async (shop: Workshop, sizeBytes: number, signal: AbortSignal): Promise<void> => {
  const pool = poolOf(shop.place);
  const { available } = await shop.remote.call('STORAGE_POOL_GET_INFO', { pool }, signal);
  if (available >= BigInt(sizeBytes)) return;
  const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const message = `To grow, the disk is copied: ${gib(sizeBytes)} are needed, and ${gib(Number(available))} are free.`;
  throw new Fault('unreachable', message, { reason: 'StoragePoolFull' });
};

/** The copy is whole before the volume goes. Whoever has the volume open keeps it, and the copy is worth nothing. */
const putAside = async (shop: Workshop, name: string, signal: AbortSignal): Promise<void> => {
  const part = name + PART;
  await putMarker(shop.remote, shop.place, part + MAKING, signal);
  await deleteFile(shop, part, signal);
  await copyWithin(shop, name, { name: part, sizeBytes: 0 }, signal);
  await deleteFile(shop, part + MAKING, signal);
  try {
    await deleteFile(shop, name, signal);
  } catch (error) {
    await deleteFile(shop, part, signal).catch(() => undefined);
    throw error;
  }
};

/** When somebody took the room meanwhile, the disk is what it was. */
const bringBack = async (shop: Workshop, name: string, sizeBytes: number, signal: AbortSignal) => {
  const part = name + PART;
  await putMarker(shop.remote, shop.place, name + MAKING, signal);
  await deleteFile(shop, name, signal);
  let full: Fault | undefined;
  try {
    await copyWithin(shop, part, { name, sizeBytes }, signal);
  } catch (error) {
    full = toHostFault(error, shop.place.poolName);
    if (!isFault(full, 'unreachable') || full.reason !== 'StoragePoolFull') throw error;
    await copyWithin(shop, part, { name, sizeBytes: 0 }, signal);
  }
  await deleteFile(shop, name + MAKING, signal);
  if (full === undefined) return;
  await deleteFile(shop, part, signal);
  throw full;
};

/** What a growing that was cut off at its very end has left. Throws Fault `unsupported` when there is more to do. */
export const tidyUp = async (
  shelf: Shelf,
  { volume, sizeBytes }: Pick<Grow, 'volume' | 'sizeBytes'>,
  signal: AbortSignal,
): Promise<void> => {
  const seen = await completeVolume(shelf, volume, signal);
  if (seen.sizeBytes < sizeBytes)
    throw new Fault('unsupported', 'A logical volume cannot be grown in one step.', {
      reason: 'Unsupported',
    });
  await deleteFile(shelf, volume + PART, signal);
  await deleteFile(shelf, volume + PART + MAKING, signal);
};

/** Throws Fault `conflict` when the volume is not there, `unreachable` (`StoragePoolFull`) when the copy has no room. */
export const growByCopy = async (
  shop: Workshop,
  { volume, sizeBytes }: Grow,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  const sight = await seeVolume(shop, volume, signal);
  const seen = sight.kind === 'present' ? sight.volume : undefined;
  if (seen === undefined || (!seen.complete && seen.growing !== true))
    throw new Fault('conflict', `The volume ${volume} is not there yet.`);
  progress(0);
  if (seen.complete && seen.sizeBytes < sizeBytes) {
    await checkRoom(shop, sizeBytes, signal);
    await putAside(shop, volume, signal);
  }
  progress(50);
  if (!seen.complete || seen.sizeBytes < sizeBytes) await bringBack(shop, volume, sizeBytes, signal);
  await tidyUp(shop, { volume, sizeBytes: 0 }, signal);
  progress(100);
};
