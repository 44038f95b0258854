/** One import from beginning to end: Secret, download, inspection, and the stream into the pool on one host. */
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { Chunk, HostStorage, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { Compression } from '../../media/decompress.ts';
import { openImage } from '../../media/fetch-image.ts';
import type { ImageChunk } from '../../media/image-chunks.ts';
import { type ImageProgress, openImagePipeline } from '../../media/image-pipeline.ts';
import type { Resolve } from '../../media/image-url.ts';
import { Fault, isFault } from '../../runtime/fault.ts';
import type { JobRun, Progress } from '../../runtime/jobs.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { readCredentials } from './credentials.ts';

/** The operator's own configuration of imports; durations in milliseconds. */
export interface ImageConfig {
  /** Private, loopback and link-local ranges that images may come from. */
  readonly allowedCidrs: readonly string[];
  /** No image is larger than this, whatever its pool allows. */
  readonly maxImageBytes: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** For one import as a whole. */
  readonly deadlineMs: number;
  /** Imports at the same time, on one host and in all. */
  readonly perHostLimit: number;
  readonly totalLimit: number;
  /** For tests; the system's resolver otherwise. */
  readonly resolve?: Resolve;
}

/** What an operator does when told nothing else: images up to 64 TiB within twelve hours. */
export const imageDefaults = {
  allowedCidrs: [],
  maxImageBytes: 64 * 1024 ** 4,
  connectTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  deadlineMs: 12 * 3_600_000,
  perHostLimit: 2,
  totalLimit: 16,
} as const satisfies ImageConfig;

export interface ImportTarget {
  readonly image: VirtualMachineImage;
  readonly file: string;
  /** Cap of the pool, in bytes. */
  readonly maxImageBytes: number;
  readonly place: StoragePlace;
  readonly storage: HostStorage;
}

const compressions = {
  None: 'none',
  Gzip: 'gz',
  Xz: 'xz',
  Zstd: 'zst',
} as const satisfies Record<VirtualMachineImage['spec']['compression'], Compression>;

/** Conversion on the host follows the last byte, so 100 is never told before the end. */
const percentOf = ({ downloadedBytes, totalBytes }: ImageProgress): number | undefined =>
  totalBytes === undefined || totalBytes === 0
    ? undefined
    : Math.min(99, (downloadedBytes / totalBytes) * 100);

/** What went wrong with the stream is kept: a host that lost its stream only knows that it ended. */
const watched = (chunks: AsyncIterable<ImageChunk>) => {
  let fault: Fault | undefined;
  const iterate = async function* (): AsyncGenerator<Chunk, void, undefined> {
    try {
      for await (const chunk of chunks) yield 'data' in chunk ? chunk.data : chunk;
    } catch (error) {
      if (isFault(error)) fault = error;
      throw error;
    }
  };
  return { chunks: iterate(), fault: () => fault };
};

const openStream = async (
  context: ControllerContext,
  config: ImageConfig,
  { image, maxImageBytes }: ImportTarget,
  onPercent: (percent: number) => void,
  signal: AbortSignal,
) => {
  const { source, format, compression } = image.spec;
  const limit = Math.min(maxImageBytes, config.maxImageBytes);
  const credentials = await readCredentials(context, image, signal);
  const { allowedCidrs, connectTimeoutMs, idleTimeoutMs, resolve } = config;
  const fetching = {
    url: source.url,
    ...credentials,
    allowedCidrs,
    connectTimeoutMs,
    idleTimeoutMs,
    maxBytes: limit,
    ...(resolve === undefined ? {} : { resolve }),
  };
  const pipeline = {
    open: (inner: AbortSignal) => openImage(fetching, inner),
    format,
    compression: compressions[compression],
    checksum: source.checksum,
    maxImageBytes: limit,
    maxVirtualSizeBytes: limit,
    detectHoles: true,
    onProgress: (progress: ImageProgress) => {
      const percent = percentOf(progress);
      if (percent !== undefined) onPercent(percent);
    },
  };
  return { limit, stream: await openImagePipeline(pipeline, signal) };
};

const stream = async (
  context: ControllerContext,
  config: ImageConfig,
  target: ImportTarget,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  const { limit, stream: opened } = await openStream(context, config, target, progress, signal);
  const { chunks, fault } = watched(opened.chunks);
  const { format } = target.image.spec;
  const work = {
    kind: 'import',
    volume: target.file,
    sourceFormat: format,
    format: format === 'iso' ? 'iso' : 'qcow2',
    maxBytes: opened.bytes ?? limit,
    chunks,
    finished: opened.result,
  } as const;
  try {
    // The host tells of a part of maxBytes, which for a packed image means nothing.
    await target.storage.work(target.place, work, () => undefined, signal);
  } catch (error) {
    throw fault() ?? error;
  } finally {
    await opened.close();
  }
};

/** @throws Fault of {@link openImagePipeline}, of the Secret, and of the host; `unreachable` DownloadFailed when late */
export const importImage =
  (context: ControllerContext, config: ImageConfig, target: ImportTarget): JobRun<void> =>
  async (progress, signal) => {
    let late = false;
    const onTimeout = (): void => {
      late = true;
    };
    const limits = { clock: context.clock, limitMs: config.deadlineMs, signal, onTimeout };
    try {
      await within(limits, (inner) => stream(context, config, target, progress, inner));
    } catch (error) {
      if (!late) throw error;
      const seconds = config.deadlineMs / 1000;
      throw new Fault('unreachable', `the import was not through within ${seconds} s`, {
        reason: 'DownloadFailed',
        cause: error,
      });
    }
  };
