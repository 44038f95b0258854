/** Long work on one host: full copies and imports. The host converts; bytes go over a connection of their own. */
import { Fault } from '../../../runtime/fault.ts';
import type { Chunk, StorageWork } from '../host-storage.ts';
import { upload } from './storage-content.ts';
import { copyWithin, fill, growByCopy } from './storage-group-work.ts';
import { flush, makeLasting } from './storage-lasting.ts';
import { isGroup } from './storage-place.ts';
import { createFrom, orNothing, type Workshop } from './storage-shop.ts';
import {
  beginMaking,
  checkUndisguised,
  checkVolumeName,
  completeVolume,
  createVolume,
  endMaking,
  formatTold,
  handleOf,
  PART,
  seeVolume,
} from './storage-volumes.ts';

/** A fresh qcow2 file is smaller than this; a hole in front of it must not keep what lies there. */
const PLAIN_HEAD_BYTES = 1024 * 1024;

type Progress = (percent: number) => void;
type Copy = Extract<StorageWork, { kind: 'copy' }>;
type Import = Extract<StorageWork, { kind: 'import' }>;

const isDone = async (shop: Workshop, volume: string, signal: AbortSignal): Promise<boolean> => {
  const sight = await seeVolume(shop, volume, signal);
  return sight.kind === 'present' && sight.volume.complete;
};

const copy = async (shop: Workshop, work: Copy, progress: Progress, signal: AbortSignal): Promise<void> => {
  const source = await completeVolume(shop, work.from, signal);
  checkUndisguised(source);
  if (work.sizeBytes < source.sizeBytes) {
    throw new Fault('invalid', 'The copy is smaller than its source.', { reason: 'DiskSmallerThanImage' });
  }
  await orNothing(
    shop,
    work.volume,
    async () => {
      await beginMaking(shop, work.volume, signal);
      progress(0);
      const { volume: name, format, sizeBytes } = work;
      if (isGroup(shop.place)) await copyWithin(shop, work.from, { name, sizeBytes }, signal);
      else {
        await createFrom(shop, work.from, { name, format, sizeBytes }, signal);
        await flush(shop, name, signal);
      }
      await endMaking(shop, work.volume, undefined, signal);
    },
    (after) => isDone(shop, work.volume, after),
  );
  progress(100);
};

/** Headers that libvirt or QEMU would take for something else than raw bytes. */
const MAGICS = ['QFI\u00fb', 'QED\0', 'KDMV', 'COWD', 'conectix', 'vhdxfile', '# Disk Descriptor'];

const otherFormat = (said: string, told = 'another format'): Fault =>
  new Fault('invalid', `The image is said to be ${said} and holds ${told}.`, {
    reason: 'ImageFormatRefused',
  });

const checkRawHead = (head: Uint8Array): void => {
  const text = Buffer.from(head.subarray(0, 32)).toString('latin1');
  if (MAGICS.some((magic) => text.startsWith(magic))) throw otherFormat('raw');
};

async function* metered(work: Import, progress: Progress): AsyncGenerator<Chunk, void, void> {
  let received = 0;
  let told = -1;
  for await (const chunk of work.chunks) {
    const isBytes = chunk instanceof Uint8Array;
    const size = isBytes ? chunk.byteLength : chunk.hole;
    if (size === 0) continue;
    if (received === 0 && isBytes && work.sourceFormat !== 'qcow2') checkRawHead(chunk);
    const plain = isBytes ? 0 : Math.min(size, Math.max(0, PLAIN_HEAD_BYTES - received));
    received += size;
    if (received > work.maxBytes) {
      throw new Fault('invalid', 'The stream is longer than the image may be.', { reason: 'ImageTooLarge' });
    }
    if (isBytes) yield chunk;
    else {
      if (plain > 0) yield new Uint8Array(plain);
      if (size > plain) yield { hole: size - plain };
    }
    const percent = Math.min(90, Math.floor((received / work.maxBytes) * 90));
    if (percent > told) progress(percent);
    told = percent;
  }
}

/** A file of one format that is wanted in the same format, and cannot hide another one, needs no conversion. */
const isKept = (work: Import): boolean => work.sourceFormat !== 'qcow2' && work.format !== 'qcow2';

const importImage = async (
  shop: Workshop,
  work: Import,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  // It may reject long before it is awaited.
  work.finished.catch(() => undefined);
  const landing = isKept(work) ? work.volume : work.volume + PART;
  await orNothing(
    shop,
    work.volume,
    async () => {
      await beginMaking(shop, work.volume, signal);
      const sourceFormat = work.sourceFormat === 'qcow2' ? 'qcow2' : 'raw';
      const landingBytes = sourceFormat === 'qcow2' ? PLAIN_HEAD_BYTES : 0;
      await createVolume(shop, { name: landing, format: sourceFormat, sizeBytes: landingBytes }, signal);
      await upload(shop, landing, metered(work, progress), signal);
      const { digest, virtualSizeBytes } = await work.finished;
      progress(91);
      if (!isKept(work)) {
        const told = await formatTold(shop, landing, signal);
        if (told !== sourceFormat && told !== 'iso') throw otherFormat(work.sourceFormat, told);
        const format = work.format === 'qcow2' ? 'qcow2' : 'raw';
        const wish = { name: work.volume, format, sizeBytes: virtualSizeBytes } as const;
        await createFrom(shop, landing, wish, signal);
      }
      progress(99);
      await (work.lasting === true ? makeLasting : flush)(shop, work.volume, signal);
      await endMaking(shop, work.volume, digest, signal);
    },
    (after) => isDone(shop, work.volume, after),
  );
  progress(100);
};

const growInPlace = async (
  shop: Workshop,
  { volume, sizeBytes }: Extract<StorageWork, { kind: 'grow' }>,
  signal: AbortSignal,
): Promise<void> => {
  const seen = await completeVolume(shop, volume, signal);
  checkUndisguised(seen);
  if (seen.sizeBytes >= sizeBytes) return;
  const args = { vol: handleOf(shop.place, volume), capacity: BigInt(sizeBytes), flags: 0 };
  await shop.remote.call('STORAGE_VOL_RESIZE', args, signal);
};

/** What makes a volume does nothing when it is there and whole. Faults and wire errors pass through. */
export const doWork = async (
  shop: Workshop,
  work: StorageWork,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  checkVolumeName(work.volume);
  if (isGroup(shop.place) && work.kind === 'import')
    throw new Fault('unsupported', 'A volume group takes whole disks alone.', { reason: 'Unsupported' });
  if (work.kind === 'grow') {
    return isGroup(shop.place) ? growByCopy(shop, work, progress, signal) : growInPlace(shop, work, signal);
  }
  if (await isDone(shop, work.volume, signal)) return;
  switch (work.kind) {
    case 'copy':
      return copy(shop, work, progress, signal);
    case 'fill':
      return fill(shop, work, progress, signal);
    case 'import':
      return importImage(shop, work, progress, signal);
    default:
      return work satisfies never;
  }
};
