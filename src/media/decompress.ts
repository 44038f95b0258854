import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import xz from 'xz-decompress';
import { Fault, isFault } from '../runtime/fault.ts';
import { tooLarge } from './image-fault.ts';
import { createTurns } from './turns.ts';

/** How a downloaded image is packed; always stated, never guessed. */
export type Compression = 'none' | 'gz' | 'xz' | 'zst';

export interface DecompressOptions {
  readonly compression: Compression;
  /** Absolute limit of the unpacked size, whatever the packed one is. */
  readonly maxOutputBytes: number;
}

/** Windows over 128 MiB (`zstd --long` above 27) are refused by the decoder: they are its memory. */
const zstdWindowLogMax = 27;
const chunkBytes = 128 * 1024;

const corrupt = (what: string, detail: string): Fault =>
  new Fault('invalid', `the ${what} data is ${detail}`, { reason: 'ImageFormatRefused' });

type Engine = Gunzip | ZstdDecompress;

/** What an engine tells by events, gathered so that one flow of control can wait for "anything happened". */
interface EngineState {
  ended: boolean;
  failure: Error | undefined;
  wake: () => void;
}

const watch = (engine: Engine): EngineState => {
  const state: EngineState = { ended: false, failure: undefined, wake: () => undefined };
  engine.on('readable', () => state.wake());
  engine.on('end', () => {
    state.ended = true;
    state.wake();
  });
  engine.on('error', (error) => {
    state.failure = error;
    state.wake();
  });
  return state;
};

/** Start one action on the engine and hand out all that it makes until the action is done. */
async function* drain(
  engine: Engine,
  state: EngineState,
  action: (done: () => void) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let done = false;
  action(() => {
    done = true;
    state.wake();
  });
  for (;;) {
    const output = engine.read() as Buffer | null;
    if (output !== null) {
      yield output;
      continue;
    }
    if (state.failure !== undefined) throw state.failure;
    if (done || state.ended) return;
    await new Promise<void>((resolve) => {
      state.wake = resolve;
    });
  }
}

const zlibFault = (what: string, error: Error): Fault =>
  'code' in error && error.code === 'Z_BUF_ERROR'
    ? corrupt(what, 'cut off')
    : corrupt(what, 'damaged or followed by something else');

/**
 * The decoders stop silently at bytes that follow the last member or frame, and skip zeros there; a sound file has
 * nothing of the kind, so what was fed must be what was used.
 */
async function* throughZlib(
  source: AsyncIterable<Uint8Array>,
  engine: Engine,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const state = watch(engine);
  let fedBytes = 0;
  try {
    for await (const chunk of source) {
      if (chunk.byteLength === 0) continue;
      if (state.ended) throw corrupt(what, 'followed by something else');
      fedBytes += chunk.byteLength;
      yield* drain(engine, state, (done) => engine.write(chunk, done));
    }
    if (!state.ended) yield* drain(engine, state, () => engine.end());
    if (engine.bytesWritten !== fedBytes) throw corrupt(what, 'followed by something else');
  } catch (error) {
    if (error === state.failure && state.failure !== undefined) throw zlibFault(what, state.failure);
    throw error;
  } finally {
    engine.destroy();
  }
}

/** The decoder takes an empty chunk for the end of its input, so none may pass. */
const toWebStream = (source: AsyncIterable<Uint8Array>, onError: (error: unknown) => void) => {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let next = await iterator.next();
          while (next.done !== true && next.value.byteLength === 0) next = await iterator.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (error) {
          onError(error);
          throw error;
        }
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
};

/** xz-decompress keeps one WebAssembly memory for all streams and lets one in at a time; we queue before it. */
const xzTurns = createTurns();

/** XZ streams may be concatenated and padded (xz-file-format.txt, 2.2); dictionaries end at 64 MiB, as `xz -9`. */
async function* throughXz(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const release = await xzTurns.take(signal);
  let sourceFailure: { error: unknown } | undefined;
  let inputEnded = false;
  const counted = async function* () {
    for await (const chunk of source) yield chunk;
    inputEnded = true;
  };
  const packed = toWebStream(counted(), (error) => {
    sourceFailure = { error };
  });
  const reader = new xz.XzReadableStream(packed).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      if (next.value.byteLength > 0) yield next.value;
  } catch (error) {
    if (sourceFailure !== undefined) throw sourceFailure.error;
    if (isFault(error)) throw error;
    throw corrupt(
      'xz',
      inputEnded ? 'cut off or damaged' : 'damaged, packed beyond xz -9, or followed by something else',
    );
  } finally {
    await reader.cancel().catch(() => undefined);
    await packed.cancel().catch(() => undefined);
    release();
  }
}

const unpack = (
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> => {
  switch (compression) {
    case 'none':
      return source;
    case 'gz':
      return throughZlib(source, createGunzip({ chunkSize: chunkBytes }), 'gzip');
    case 'zst': {
      const params = { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax };
      return throughZlib(source, createZstdDecompress({ chunkSize: chunkBytes, params }), 'zstd');
    }
    case 'xz':
      return throughXz(source, signal);
    default:
      return compression satisfies never;
  }
};

/**
 * Unpack a stream with constant memory: a chunk of input, a chunk of output and the decoder's window (at most
 * 128 MiB). Nothing is read ahead of the consumer but one chunk; leaving the loop early ends the source too.
 * Files of several members, frames or streams are taken, as gunzip, zstd and xz take them.
 * @throws Fault `invalid`: ImageFormatRefused when the data is cut off, damaged or followed by something
 *   else, ImageTooLarge when more than `maxOutputBytes` come out; faults of the source as they are
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  { compression, maxOutputBytes }: DecompressOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let outputBytes = 0;
  for await (const chunk of unpack(source, compression, signal)) {
    signal.throwIfAborted();
    outputBytes += chunk.byteLength;
    if (outputBytes > maxOutputBytes) throw tooLarge('the unpacked image', maxOutputBytes);
    yield chunk;
  }
}
