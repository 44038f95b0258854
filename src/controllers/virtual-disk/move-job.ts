/**
 * The copy of a disk from one StoragePool to another, through the operator: both are reached over the connections
 * that are there anyway, and any sort of pool goes to any other. Holes stay holes. What was written is read back and
 * compared with the digest of what was read; only then the source may go (docs/adr/0015-moving-disks.md).
 */
import { arrivalMark } from '../../api/identity.ts';
import type { Chunk, HostStorage, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { DiskIdentity } from '../../drivers/storage/contract.ts';
import { type DiskContent, digestOf, diskContent } from '../../media/disk-content.ts';
import { readOwnQcow2 } from '../../media/qcow2-read.ts';
import { Fault, isFault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { imageFileName, imageUidOf, pathIn } from '../places.ts';
import { diskServerOf } from '../served.ts';
import { lookAtCopy } from './see-copy.ts';
import type { DiskWorld, HostWorld, MoveTarget } from './world.ts';

type Progress = (percent: number) => void;
type Content = AsyncIterable<Chunk>;

/** Writing takes longer than reading back: its part of the whole, in percent. */
const writtenPercent = 65;

const storageOn = ({ fleet }: ControllerContext, host: HostWorld | undefined): HostStorage => {
  const session = host && fleet.session(host.pool);
  if (host === undefined || session === undefined)
    throw new Fault('unreachable', 'No host that reaches the disk is connected.', { reason: 'NoHostsReady' });
  return session.pool.hostStorage(host.id);
};

const completeVolume = async (
  storage: HostStorage,
  place: StoragePlace,
  volume: string,
  signal: AbortSignal,
) => {
  const sight = await storage.see(place, volume, signal);
  if (sight.kind === 'present' && sight.volume.complete) return sight.volume;
  throw new Fault('conflict', `The volume ${volume} is not complete in StoragePool ${place.poolName}.`);
};

/** Raw content of a disk that is a file, with what it stands on. */
async function* contentOfFile(
  storage: HostStorage,
  place: StoragePlace,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Chunk, void, void> {
  const { format, backingPath, sizeBytes } = await completeVolume(storage, place, name, signal);
  if (format !== 'qcow2') {
    yield* storage.read(place, name, { offset: 0, length: sizeBytes }, signal);
    return;
  }
  const ranges = (volume: string) => (offset: number, length: number) =>
    storage.read(place, volume, { offset, length }, signal);
  const image = backingPath === undefined ? undefined : baseOf(place, backingPath);
  if (image !== undefined) await completeVolume(storage, place, image, signal);
  yield* readOwnQcow2(ranges(name), image === undefined ? undefined : ranges(image));
}

/** File of the image that the host says the disk stands on; nothing but an image of the same place is read. */
const baseOf = (place: StoragePlace, backingPath: string): string => {
  const uid = imageUidOf(backingPath);
  const file = uid === undefined ? undefined : imageFileName(uid, 'qcow2');
  if (file !== undefined && pathIn(place, file) === backingPath) return file;
  const message = 'The disk stands on a file that is no image of its StoragePool; it is not read.';
  throw new Fault('denied', message, { reason: 'ImageFormatRefused' });
};

/** Where the disk is: `host` reads it unless a server does. */
export interface MoveSource {
  readonly world: DiskWorld;
  readonly host: HostWorld | undefined;
  readonly sizeBytes: number;
}

const identityOf = ({ world }: MoveSource): DiskIdentity => ({ diskUid: world.disk.metadata.uid });

const readSource = (
  context: ControllerContext,
  { world, host }: MoveSource,
  signal: AbortSignal,
): Content => {
  const { served, place, volume, disk } = world;
  if (served !== undefined)
    return diskServerOf(context, served.pool).read({ diskUid: disk.metadata.uid }, signal);
  if (place === undefined) throw new Fault('conflict', 'The StoragePool of the disk is gone.');
  return contentOfFile(storageOn(context, host), place, volume, signal);
};

const readCopy = (
  context: ControllerContext,
  diskUid: string,
  { served, pool, place, volume, host }: MoveTarget,
  signal: AbortSignal,
): Content =>
  served
    ? diskServerOf(context, pool).read({ diskUid }, signal)
    : contentOfFile(storageOn(context, host), place, volume, signal);

/** A file that begins like an image would be taken for one by whoever opens it next. */
const refused = (error: unknown): unknown =>
  isFault(error) && error.reason === 'ImageFormatRefused'
    ? new Fault(
        'denied',
        'The disk begins with what looks like the header of an image file; it is not kept as a file in a folder.',
        { reason: 'ImageFormatRefused', cause: error },
      )
    : error;

/** What went wrong with the source is the cause; who was being written to only knows that the stream ended. */
const watched = (chunks: Content) => {
  let failure: Fault | undefined;
  const iterate = async function* (): AsyncGenerator<Chunk, void, void> {
    try {
      yield* chunks;
    } catch (error) {
      if (isFault(error)) failure = error;
      throw error;
    }
  };
  return { chunks: iterate(), failure: () => failure };
};

/** Tells the end of the content apart from its last byte: what is written is whole only after it. */
const finishing = (content: DiskContent) => {
  const end = Promise.withResolvers<void>();
  end.promise.catch(() => undefined);
  const chunks = async function* (): AsyncGenerator<Chunk, void, void> {
    try {
      yield* content.chunks;
      end.resolve();
    } catch (error) {
      end.reject(error);
      throw error;
    } finally {
      end.reject(new Fault('unreachable', 'The copy was given up.', { reason: 'RequestFailed' }));
    }
  };
  return { chunks: chunks(), end: end.promise };
};

const write = async (
  context: ControllerContext,
  source: MoveSource,
  target: MoveTarget,
  content: DiskContent,
  signal: AbortSignal,
): Promise<void> => {
  const { uid: diskUid } = source.world.disk.metadata;
  const identity = identityOf(source);
  const { sizeBytes } = source;
  const { chunks, end } = finishing(content);
  const quiet = (): void => undefined;
  if (target.served) {
    const fill = { sizeBytes, chunks, finished: end };
    return diskServerOf(context, target.pool).fill(identity, fill, quiet, signal);
  }
  const digest = arrivalMark(target.pool.metadata.uid, diskUid);
  const work = {
    kind: 'import',
    volume: target.volume,
    sourceFormat: 'raw',
    format: target.volume.endsWith('.raw') ? 'raw' : 'qcow2',
    maxBytes: sizeBytes,
    chunks,
    finished: end.then(() => ({ digest, virtualSizeBytes: sizeBytes })),
    lasting: true,
  } as const;
  work.finished.catch(() => undefined);
  try {
    await storageOn(context, target.host).work(target.place, work, quiet, signal);
  } catch (error) {
    throw refused(error);
  }
};

/** Answers the digest of the source. */
const copy = async (
  context: ControllerContext,
  source: MoveSource,
  target: MoveTarget,
  told: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> => {
  const { chunks, failure } = watched(readSource(context, source, signal));
  const content = diskContent(chunks, told);
  try {
    await write(context, source, target, content, signal);
  } catch (error) {
    throw failure() ?? error;
  }
  return content.result().digest;
};

/**
 * Makes the copy unless it is there, and compares it. Answers whether the two are alike; the copy is left as it is.
 * @throws Fault of either side
 */
export const moveContent = async (
  context: ControllerContext,
  source: MoveSource,
  target: MoveTarget,
  progress: Progress,
  signal: AbortSignal,
): Promise<'same' | 'differs'> => {
  const { uid: diskUid } = source.world.disk.metadata;
  const part =
    (from: number, to: number) =>
    (bytes: number): void =>
      progress(from + (to - from) * Math.min(1, bytes / Math.max(1, source.sizeBytes)));
  const there = await lookAtCopy(context, diskUid, target, signal);
  const isThere = there.kind === 'present' && there.complete;
  if (there.kind === 'unseen') throw new Fault('unreachable', there.message, { reason: there.reason });
  if (isThere && !there.marked) throw new Fault('conflict', 'The copy is not one that a move made.');
  progress(0);
  const digest = isThere
    ? (await digestOf(readSource(context, source, signal), part(0, writtenPercent))).digest
    : await context.effect('copy disk', () => copy(context, source, target, part(0, writtenPercent), signal));
  const made = await lookAtCopy(context, diskUid, target, signal);
  if (made.kind !== 'present' || !made.complete || !made.marked || made.sizeBytes < source.sizeBytes)
    return 'differs';
  const read = await digestOf(readCopy(context, diskUid, target, signal), part(writtenPercent, 99));
  return read.digest === digest ? 'same' : 'differs';
};

/** Storage that spoils what it is given is not kept busy with it. */
const spoiltRetryMs = 15_000;

/** What is shown when the copy is not what it shall be. */
export const copyDiffers = ({ from, to }: { readonly from: string; readonly to: string }): Fault =>
  new Fault(
    'unreachable',
    `The copy in StoragePool ${to} is not what was read from ${from}: it is given up and made again.`,
    { reason: 'CopyDiffers', retryAfterMs: spoiltRetryMs },
  );
