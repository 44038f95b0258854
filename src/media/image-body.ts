import { Fault, isFault } from '../runtime/fault.ts';
import { tooLarge } from './image-fault.ts';

/** What a body must keep to. */
export interface BodyLimits {
  /** Origin, for messages. */
  readonly where: string;
  readonly contentLength: number | undefined;
  readonly maxBytes: number;
  readonly idleTimeoutMs: number;
}

/** Less than this within the idle time is no progress: a server that drips bytes must not hold a job for ever. */
const progressBytes = 16 * 1024;

const failed = (where: string, what: string): Fault =>
  new Fault('unreachable', `the download from ${where} ${what}`, { reason: 'DownloadFailed' });

const truncated = (where: string, gotBytes: number, contentLength: number | undefined): Fault =>
  new Fault(
    'unreachable',
    `the download from ${where} broke off after ${gotBytes} of ${contentLength ?? 'unknown'} bytes`,
    { reason: 'ImageTruncated' },
  );

/** Counts waiting time only: a consumer that is slow to take chunks is no fault of the server. */
const createIdleGuard = (where: string, idleTimeoutMs: number) => {
  let leftMs = idleTimeoutMs;
  let sinceProgress = 0;
  return {
    wait: async <T>(work: Promise<T>): Promise<T> => {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const startedMs = performance.now();
      const timer = setTimeout(() => {
        reject(failed(where, `stood still for ${idleTimeoutMs} ms`));
      }, leftMs);
      try {
        return await Promise.race([work, late]);
      } finally {
        clearTimeout(timer);
        leftMs = Math.max(1, leftMs - (performance.now() - startedMs));
      }
    },
    progress: (bytes: number): void => {
      sinceProgress += bytes;
      if (sinceProgress < progressBytes) return;
      sinceProgress = 0;
      leftMs = idleTimeoutMs;
    },
  };
};

/**
 * Read a response body under its limits. Ends normally only when all announced bytes came; the connection is
 * closed in every case.
 */
export async function* readBody(
  body: AsyncIterable<Uint8Array>,
  { where, contentLength, maxBytes, idleTimeoutMs }: BodyLimits,
  close: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = body[Symbol.asyncIterator]();
  const idle = createIdleGuard(where, idleTimeoutMs);
  let gotBytes = 0;
  try {
    for (;;) {
      const next = await idle.wait(iterator.next());
      signal.throwIfAborted();
      if (next.done === true) break;
      gotBytes += next.value.byteLength;
      if (gotBytes > maxBytes) throw tooLarge('the image file', maxBytes);
      idle.progress(next.value.byteLength);
      yield next.value;
    }
    if (contentLength !== undefined && gotBytes !== contentLength)
      throw truncated(where, gotBytes, contentLength);
  } catch (error) {
    signal.throwIfAborted();
    throw isFault(error) ? error : truncated(where, gotBytes, contentLength);
  } finally {
    await close();
  }
}
