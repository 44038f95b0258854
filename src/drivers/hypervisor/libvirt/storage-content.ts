/**
 * Content of a raw volume, uploaded piece by piece. libvirt writes what it is sent in its main loop's way: a hole is
 * written to a device as zeros, and the end of an upload waits until all of it is on the device, while every other
 * client waits (libvirt, src/util/virfdstream.c). So an upload is kept small, and long holes are left out, because the
 * volume reads as zeros before.
 */
import { Fault } from '../../../runtime/fault.ts';
import type { Chunk } from '../host-storage.ts';
import type { Workshop } from './storage-shop.ts';
import { handleOf } from './storage-volumes.ts';

/** VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM. */
const SPARSE = 1;
const mib = 1024 ** 2;
/** What one upload brings at most. */
const STRETCH_BYTES = 256 * mib;
/** Holes that are worth another upload. */
const LONG_HOLE_BYTES = 16 * mib;
const HOLE_BYTES = 4 * mib;

type Progress = (bytes: number) => void;

/** Streams into an existing volume from `offset`. */
export const upload = async (
  shop: Pick<Workshop, 'remote' | 'place'>,
  name: string,
  chunks: AsyncIterable<Chunk>,
  signal: AbortSignal,
  offset = 0,
): Promise<void> => {
  const args = { vol: handleOf(shop.place, name), offset: BigInt(offset), length: 0n, flags: SPARSE };
  await shop.remote.streams.upload('STORAGE_VOL_UPLOAD', args, chunks, signal);
};

const holes = function* (bytes: number): Generator<Chunk> {
  for (let left = bytes; left > 0; left -= HOLE_BYTES) yield { hole: Math.min(left, HOLE_BYTES) };
};

interface Tape {
  /** Skips zeros; where the next byte goes, undefined at the end. */
  seek(): Promise<number | undefined>;
  /** From there on, as much as one upload takes. */
  stretch(): AsyncGenerator<Chunk, void, void>;
  close(): Promise<void>;
}

const createTape = (chunks: AsyncIterable<Chunk>, sizeBytes: number): Tape => {
  const source = chunks[Symbol.asyncIterator]();
  let at = 0;
  let held: Chunk | undefined;
  const pull = async (): Promise<Chunk | undefined> => {
    const kept = held;
    held = undefined;
    if (kept !== undefined) return kept;
    const item = await source.next();
    return item.done === true ? undefined : item.value;
  };
  const advance = (bytes: number): void => {
    at += bytes;
    if (at <= sizeBytes) return;
    throw new Fault('invalid', 'The content is longer than the disk.', { reason: 'DiskSmallerThanImage' });
  };
  return {
    seek: async () => {
      for (;;) {
        const chunk = await pull();
        if (chunk === undefined) return undefined;
        if (!(chunk instanceof Uint8Array)) advance(chunk.hole);
        else if (chunk.byteLength > 0) {
          held = chunk;
          return at;
        }
      }
    },
    stretch: async function* () {
      for (const from = at; at - from < STRETCH_BYTES; ) {
        const chunk = await pull();
        if (chunk === undefined) return;
        if (chunk instanceof Uint8Array) {
          advance(chunk.byteLength);
          yield chunk;
        } else if (chunk.hole >= LONG_HOLE_BYTES) {
          held = chunk;
          return;
        } else {
          advance(chunk.hole);
          yield* holes(chunk.hole);
        }
      }
    },
    close: async () => {
      await source.return?.();
    },
  };
};

/** Writes the content over a volume that reads as zeros. Throws Fault `invalid` when it is longer than the volume. */
export const writeContent = async (
  shop: Workshop,
  name: string,
  content: { readonly chunks: AsyncIterable<Chunk>; readonly sizeBytes: number },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  const tape = createTape(content.chunks, content.sizeBytes);
  try {
    for (;;) {
      const at = await tape.seek();
      if (at === undefined) return;
      progress(at);
      await upload({ remote: shop.bulk, place: shop.place }, name, tape.stretch(), signal, at);
    }
  } finally {
    await tape.close().catch(() => undefined);
  }
};

/** Zeros from an offset to the end of a volume. */
export const writeZeros = async (
  shop: Workshop,
  name: string,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<void> => {
  for (let at = from; at < to; at += STRETCH_BYTES) {
    const bytes = Math.min(STRETCH_BYTES, to - at);
    const zeros = async function* () {
      yield* holes(bytes);
    };
    await upload({ remote: shop.bulk, place: shop.place }, name, zeros(), signal, at);
  }
};
