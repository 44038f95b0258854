import { Fault } from '../runtime/fault.ts';
import { type Compression, decompress } from './decompress.ts';
import type { OpenedImage } from './fetch-image.ts';
import { type Checksum, createDigest, parseChecksum } from './image-checksum.ts';
import { type ImageChunk, toImageChunks } from './image-chunks.ts';
import { tooLarge } from './image-fault.ts';
import { checkDeclaredFormat, type ImageFormat } from './image-format.ts';
import { checkQcow2FileSize, inspectQcow2, type Qcow2Info, qcow2PrefixBytes } from './qcow2.ts';

/** Bytes so far. `totalBytes` is the announced length of the download, if any. */
export interface ImageProgress {
  readonly downloadedBytes: number;
  readonly totalBytes: number | undefined;
}

/** One import. `open` is usually {@link openImage} with its options filled in. */
export interface ImagePipelineOptions {
  readonly open: (signal: AbortSignal) => Promise<OpenedImage>;
  readonly format: ImageFormat;
  readonly compression: Compression;
  /** `sha256:…` or `sha512:…` of the file as downloaded, before unpacking. */
  readonly checksum?: string;
  /** Absolute limits: of the unpacked file, and of the disk it describes. */
  readonly maxImageBytes: number;
  readonly maxVirtualSizeBytes: number;
  /** Tell runs of zeros as holes instead of bytes. */
  readonly detectHoles: boolean;
  /** Called for every chunk downloaded; slowing down is the listener's business. */
  readonly onProgress?: (progress: ImageProgress) => void;
}

/** What was imported, known when all of it went through. `digest` is that of the downloaded file. */
export interface ImageResult {
  readonly format: ImageFormat;
  readonly digest: string;
  readonly downloadedBytes: number;
  /** Length of the unpacked file. */
  readonly bytes: number;
  readonly virtualSizeBytes: number;
}

/** An image whose first bytes were judged and found good. */
export interface ImageStream {
  readonly format: ImageFormat;
  /** Known in advance for qcow2, and for other formats when they are not compressed and the length is announced. */
  readonly virtualSizeBytes: number | undefined;
  /** Length of the unpacked file, when it is not compressed and announced. */
  readonly bytes: number | undefined;
  /** To be read once. Throws the same fault that `result` rejects with. */
  readonly chunks: AsyncIterable<ImageChunk>;
  /** Settles when `chunks` ends. On a rejection everything that was written is worthless and must be removed. */
  readonly result: Promise<ImageResult>;
  /** Ends the download when `chunks` will not be read; harmless otherwise. */
  readonly close: () => Promise<void>;
}

interface Tap {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly downloadedBytes: () => number;
  readonly finish: () => string;
}

const tapDownload = (
  opened: OpenedImage,
  checksum: Checksum | undefined,
  onProgress: ImagePipelineOptions['onProgress'],
): Tap => {
  const digest = createDigest(checksum);
  let downloadedBytes = 0;
  const bytes = async function* () {
    for await (const chunk of opened.body) {
      digest.update(chunk);
      downloadedBytes += chunk.byteLength;
      onProgress?.({ downloadedBytes, totalBytes: opened.contentLength });
      yield chunk;
    }
  };
  return { bytes: bytes(), downloadedBytes: () => downloadedBytes, finish: digest.finish };
};

const readPrefix = async (source: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> => {
  const parts: Uint8Array[] = [];
  for (let got = 0; got < qcow2PrefixBytes; ) {
    const next = await source.next();
    if (next.done === true) break;
    parts.push(next.value);
    got += next.value.byteLength;
  }
  return parts;
};

const judge = (prefix: Uint8Array, options: ImagePipelineOptions): Qcow2Info | undefined => {
  checkDeclaredFormat(options.format, prefix);
  if (options.format !== 'qcow2') return undefined;
  const info = inspectQcow2(prefix);
  if (info.virtualSizeBytes > options.maxVirtualSizeBytes)
    throw tooLarge(
      `the virtual size of the image (${info.virtualSizeBytes} bytes)`,
      options.maxVirtualSizeBytes,
    );
  return info;
};

const abandoned = (): Fault =>
  new Fault('unreachable', 'the image was not read to its end', { reason: 'DownloadFailed' });

/** The prefix again, then what follows; counts, and lets `finish` speak before the end is told. */
async function* replay(
  prefix: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array, void, undefined>,
  onEnd: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for (const part of prefix) {
    bytes += part.byteLength;
    yield part;
  }
  for await (const part of rest) {
    bytes += part.byteLength;
    yield part;
  }
  onEnd(bytes);
}

const maxOutputBytes = ({ format, maxImageBytes, maxVirtualSizeBytes }: ImagePipelineOptions): number =>
  format === 'qcow2' ? maxImageBytes : Math.min(maxImageBytes, maxVirtualSizeBytes);

const assemble = (
  options: ImagePipelineOptions,
  tap: Tap,
  prefix: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array, void, undefined>,
  close: () => Promise<void>,
): Pick<ImageStream, 'chunks' | 'result'> & { readonly info: Qcow2Info | undefined } => {
  const info = judge(Buffer.concat(prefix), options);
  const { promise: result, resolve, reject } = Promise.withResolvers<ImageResult>();
  // Whoever reads the chunks sees the same fault there; an unread promise must not end the process.
  result.catch(() => undefined);
  const onEnd = (bytes: number): void => {
    if (bytes === 0) throw new Fault('invalid', 'the image is empty', { reason: 'ImageFormatRefused' });
    if (info !== undefined) checkQcow2FileSize(info, bytes);
    const virtualSizeBytes = info?.virtualSizeBytes ?? bytes;
    const downloadedBytes = tap.downloadedBytes();
    resolve({ format: options.format, digest: tap.finish(), downloadedBytes, bytes, virtualSizeBytes });
  };
  const chunks = async function* () {
    try {
      yield* toImageChunks(replay(prefix, rest, onEnd), options.detectHoles);
    } catch (error) {
      reject(error);
      throw error;
    } finally {
      reject(abandoned());
      await close();
    }
  };
  return { info, chunks: chunks(), result };
};

/**
 * Open an image, judge its first bytes, and hand it out in chunks: download, digest, unpack, inspect, count, cut.
 * Nothing is passed on before the format is found to be the declared and a harmless one. The checksum, truncation
 * and tables beyond the end are known only at the end, so what was written stays provisional until `result`.
 * Constant memory: the 64 KiB prefix, one chunk, and the decoder's window.
 * @throws Fault of {@link openImage}, {@link decompress} and the format checks; `invalid` Invalid,
 *   ImageTooLarge; from `result` and `chunks` also ImageChecksumMismatch
 */
export const openImagePipeline = async (
  options: ImagePipelineOptions,
  signal: AbortSignal,
): Promise<ImageStream> => {
  const checksum = options.checksum === undefined ? undefined : parseChecksum(options.checksum);
  const opened = await options.open(signal);
  const { format, compression } = options;
  const limitBytes = maxOutputBytes(options);
  const tap = tapDownload(opened, checksum, options.onProgress);
  const unpacked = decompress(tap.bytes, { compression, maxOutputBytes: limitBytes }, signal);
  // The connection first: it may be what the decoder waits for.
  const close = async (): Promise<void> => {
    await opened.close();
    await unpacked.return();
  };
  try {
    const bytes = compression === 'none' ? opened.contentLength : undefined;
    if (bytes !== undefined && bytes > limitBytes) throw tooLarge('the image', limitBytes);
    const prefix = await readPrefix(unpacked);
    const { info, chunks, result } = assemble(options, tap, prefix, unpacked, close);
    return { format, virtualSizeBytes: info?.virtualSizeBytes ?? bytes, bytes, chunks, result, close };
  } catch (error) {
    await close();
    throw error;
  }
};
