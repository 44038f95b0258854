/** Long work on a simulated host: an unfinished volume lies there, as on a real one, until the work is done. */
import { Fault } from '../../../runtime/fault.ts';
import type { Piece } from '../../storage/simulated/disk-content.ts';
import type { StoragePlace, StorageWork } from '../host-storage.ts';
import type { SimulatedVolume } from './state.ts';
import {
  checkName,
  checkRoom,
  completeVolume,
  type OpenPlace,
  openPlace,
  type StorageContext,
} from './storage-place.ts';

type Progress = (percent: number) => void;
type Run = (place: StoragePlace, work: StorageWork, progress: Progress, signal: AbortSignal) => Promise<void>;

const unfinished = (open: OpenPlace, name: string, format: SimulatedVolume['format']): SimulatedVolume => {
  checkName(name);
  const volume: SimulatedVolume = {
    name,
    format,
    sizeBytes: 0,
    allocatedBytes: 0,
    backingPath: undefined,
    complete: false,
    digest: undefined,
    bytes: undefined,
  };
  open.directory.volumes.set(name, volume);
  return volume;
};

const checkSignal = (signal: AbortSignal, open: OpenPlace): void => {
  if (signal.aborted) {
    const options = { cause: signal.reason, where: open.host.name };
    throw new Fault('unreachable', 'The work on the volume was given up.', options);
  }
};

const isComplete = (open: OpenPlace, name: string): boolean =>
  open.directory.volumes.get(name)?.complete === true;

type Import = Extract<StorageWork, { kind: 'import' }>;

const receive = async (
  context: StorageContext,
  open: OpenPlace,
  work: Import,
  volume: SimulatedVolume,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  let received = 0;
  const pieces: Piece[] = [];
  for await (const chunk of work.chunks) {
    context.checkOpen();
    checkSignal(signal, open);
    const isHole = 'hole' in chunk;
    // What is packed in a qcow2 file is not unpacked here.
    if (!isHole && work.sourceFormat === 'raw') pieces.push({ at: received, bytes: Uint8Array.from(chunk) });
    received += isHole ? chunk.hole : chunk.byteLength;
    if (received > work.maxBytes) {
      throw new Fault('invalid', 'The stream is longer than the image may be.', { reason: 'ImageTooLarge' });
    }
    if (!isHole) {
      checkRoom(open, chunk.byteLength);
      volume.allocatedBytes += chunk.byteLength;
    }
    progress(Math.min(99, Math.floor((received / work.maxBytes) * 100)));
  }
  volume.pieces = pieces;
};

const createImport =
  (context: StorageContext) =>
  async (place: StoragePlace, work: Import, progress: Progress, signal: AbortSignal): Promise<void> => {
    const { gate, host, checkOpen } = context;
    const subject = work.volume;
    const begin = { method: 'storage.import', mutating: true, subject };
    const { open, volume } = await gate.run(
      host,
      begin,
      () => {
        const open = openPlace(context, place);
        return {
          open,
          volume: isComplete(open, subject) ? undefined : unfinished(open, subject, work.format),
        };
      },
      signal,
    );
    if (volume === undefined) {
      return;
    }
    try {
      await receive(context, open, work, volume, progress, signal);
      const { digest, virtualSizeBytes } = await work.finished;
      checkOpen();
      await gate.run(
        host,
        { method: 'storage.finish', mutating: true, subject },
        () => {
          volume.sizeBytes = virtualSizeBytes;
          volume.digest = digest;
          volume.complete = true;
        },
        signal,
      );
    } catch (error) {
      // A session that is closed or cut off cannot clean up; whoever comes next makes the volume anew.
      if (isSessionThere(context) && open.directory.volumes.get(subject) === volume) {
        open.directory.volumes.delete(subject);
      }
      throw error;
    }
    progress(100);
  };

const isSessionThere = ({ host, checkOpen }: StorageContext): boolean => {
  try {
    checkOpen();
  } catch {
    return false;
  }
  return host.link.kind === 'up';
};

type Copy = Extract<StorageWork, { kind: 'copy' }>;

const createCopy =
  (context: StorageContext) =>
  async (place: StoragePlace, work: Copy, progress: Progress, signal: AbortSignal): Promise<void> => {
    const { gate, host } = context;
    const subject = work.volume;
    const begin = { method: 'storage.copy', mutating: true, subject };
    const made = await gate.run(
      host,
      begin,
      () => {
        const open = openPlace(context, place);
        if (isComplete(open, subject)) {
          return undefined;
        }
        const source = completeVolume(open, work.from);
        if (work.sizeBytes < source.sizeBytes) {
          throw new Fault('invalid', 'The copy is smaller than its source.', {
            reason: 'DiskSmallerThanImage',
          });
        }
        checkRoom(open, source.allocatedBytes);
        return { source, volume: unfinished(open, subject, work.format) };
      },
      signal,
    );
    if (made === undefined) {
      return;
    }
    progress(50);
    await gate.run(
      host,
      { method: 'storage.finish', mutating: true, subject },
      () => {
        made.volume.sizeBytes = work.sizeBytes;
        made.volume.allocatedBytes = made.source.allocatedBytes;
        made.volume.pieces = made.source.pieces;
        made.volume.complete = true;
      },
      signal,
    );
    progress(100);
  };

type Fill = Extract<StorageWork, { kind: 'fill' }>;

const consume = async (
  context: StorageContext,
  open: OpenPlace,
  { chunks, sizeBytes }: Fill,
  signal: AbortSignal,
): Promise<void> => {
  if (chunks === undefined) return;
  let received = 0;
  for await (const chunk of chunks) {
    context.checkOpen();
    checkSignal(signal, open);
    received += 'hole' in chunk ? chunk.hole : chunk.byteLength;
    if (received > sizeBytes) {
      const message = 'The content is longer than the disk.';
      throw new Fault('invalid', message, { reason: 'DiskSmallerThanImage' });
    }
  }
};

/** A volume of a group takes all its room at once. */
const createFill =
  (context: StorageContext) =>
  async (place: StoragePlace, work: Fill, progress: Progress, signal: AbortSignal): Promise<void> => {
    const { gate, host, checkOpen } = context;
    const subject = work.volume;
    const begun = await gate.run(
      host,
      { method: 'storage.fill', mutating: true, subject },
      () => {
        const open = openPlace(context, place);
        if (isComplete(open, subject)) return undefined;
        const bytes = place.volumeGroup === undefined ? 0 : work.sizeBytes;
        open.directory.volumes.delete(subject);
        checkRoom(open, bytes);
        const volume = unfinished(open, subject, 'raw');
        volume.allocatedBytes = bytes;
        return { open, volume };
      },
      signal,
    );
    if (begun === undefined) return;
    const { open, volume } = begun;
    try {
      await consume(context, open, work, signal);
      checkOpen();
      await gate.run(
        host,
        { method: 'storage.finish', mutating: true, subject },
        () => {
          volume.sizeBytes = work.sizeBytes;
          volume.complete = true;
        },
        signal,
      );
    } catch (error) {
      if (isSessionThere(context) && open.directory.volumes.get(subject) === volume) {
        open.directory.volumes.delete(subject);
      }
      throw error;
    }
    progress(100);
  };

type Grow = Extract<StorageWork, { kind: 'grow' }>;

const createGrow =
  (context: StorageContext) =>
  async (place: StoragePlace, work: Grow, progress: Progress, signal: AbortSignal): Promise<void> => {
    await context.gate.run(
      context.host,
      { method: 'storage.grow', mutating: true, subject: work.volume },
      () => {
        const open = openPlace(context, place);
        const volume = completeVolume(open, work.volume);
        const more = Math.max(0, work.sizeBytes - volume.sizeBytes);
        if (place.volumeGroup !== undefined) {
          checkRoom(open, more);
          volume.allocatedBytes += more;
        }
        volume.sizeBytes += more;
      },
      signal,
    );
    progress(100);
  };

export const createStorageWork = (context: StorageContext): Run => {
  const [runImport, runCopy] = [createImport(context), createCopy(context)];
  const [runFill, runGrow] = [createFill(context), createGrow(context)];
  return (place, work, progress, signal) => {
    switch (work.kind) {
      case 'import':
        return runImport(place, work, progress, signal);
      case 'copy':
        return runCopy(place, work, progress, signal);
      case 'fill':
        return runFill(place, work, progress, signal);
      case 'grow':
        return runGrow(place, work, progress, signal);
      default:
        return work satisfies never;
    }
  };
};
