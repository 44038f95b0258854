/** What long work on one host is made of. */
import type { Remote } from './remote.ts';
import { poolOf } from './storage-place.ts';
import { deleteVolume, handleOf, placed, type Shelf } from './storage-volumes.ts';
import { type VolumeWish, volumeXml } from './storage-xml.ts';

/** Some calls are answered when the whole volume is written. */
export const LONG_CALL_MS = 24 * 3_600_000;
const CLEAN_UP_LIMIT_MS = 30_000;

/** `bulk` is a connection that may be blocked for as long as a copy takes. */
export interface Workshop extends Shelf {
  readonly bulk: Remote;
}

export const createFrom = async (
  shop: Workshop,
  from: string,
  wish: VolumeWish,
  signal: AbortSignal,
): Promise<void> => {
  await shop.bulk.call(
    'STORAGE_VOL_CREATE_XML_FROM',
    {
      pool: poolOf(shop.place),
      xml: volumeXml(placed(shop, wish)),
      clonevol: handleOf(shop.place, from),
      flags: 0,
    },
    signal,
    { timeoutMs: LONG_CALL_MS },
  );
  // A conversion keeps the size of its source, whatever was asked for.
  const vol = handleOf(shop.place, wish.name);
  const { capacity } = await shop.remote.call('STORAGE_VOL_GET_INFO', { vol }, signal);
  if (capacity >= BigInt(wish.sizeBytes)) return;
  await shop.remote.call('STORAGE_VOL_RESIZE', { vol, capacity: BigInt(wish.sizeBytes), flags: 0 }, signal);
};

/**
 * After a failure nothing of the volume stays, if the host can still be reached; else its marker tells. What another
 * process finished meanwhile, as `isDone` says, is not ours to remove.
 */
export const orNothing = async (
  shop: Workshop,
  volume: string,
  work: () => Promise<void>,
  isDone: (signal: AbortSignal) => Promise<boolean> = async () => false,
): Promise<void> => {
  try {
    await work();
  } catch (error) {
    const signal = AbortSignal.timeout(CLEAN_UP_LIMIT_MS);
    const keep = await isDone(signal).catch(() => true);
    if (!keep) await deleteVolume(shop, volume, signal).catch(() => undefined);
    throw error;
  }
};
