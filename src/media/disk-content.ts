/**
 * Raw content of a disk in a form that does not depend on how it is stored: zeros are holes, whatever the storage made
 * of them, and the digest is of what is not zero and where it lies. So a copy is compared with its source although one
 * is sparse and the other is not, and what follows the end as zeros says nothing.
 */
import { createHash } from 'node:crypto';
import type { RawChunk } from './qcow2-read.ts';

/** Zeros are told in blocks of this size, counted from the start of the disk. */
const BLOCK_BYTES = 65_536;
/** What is handed on in one piece; a whole number of blocks. */
const WINDOW_BYTES = 16 * BLOCK_BYTES;

const zeros = Buffer.alloc(BLOCK_BYTES);
const isZero = (block: Uint8Array): boolean =>
  zeros.compare(block, 0, block.byteLength, 0, block.byteLength) === 0;

/** A stretch that is full, or the last one. */
interface Window {
  readonly at: number;
  readonly bytes: Buffer;
}

/** The stream in windows, each a copy of its own; holes that span whole windows stay holes. */
async function* windows(
  chunks: AsyncIterable<RawChunk>,
): AsyncGenerator<Window | { readonly hole: number }, void, void> {
  let at = 0;
  let bytes = Buffer.alloc(WINDOW_BYTES);
  let fill = 0;
  const flush = (): Window => {
    const full = { at, bytes: bytes.subarray(0, fill) };
    at += fill;
    [bytes, fill] = [Buffer.alloc(WINDOW_BYTES), 0];
    return full;
  };
  for await (const chunk of chunks) {
    const hole = chunk instanceof Uint8Array ? undefined : chunk.hole;
    const size = chunk instanceof Uint8Array ? chunk.byteLength : chunk.hole;
    for (let done = 0; done < size; ) {
      const whole = hole === undefined || fill > 0 ? 0 : size - done - ((size - done) % WINDOW_BYTES);
      if (whole > 0) {
        at += whole;
        done += whole;
        yield { hole: whole };
        continue;
      }
      const part = Math.min(size - done, WINDOW_BYTES - fill);
      // A new window is zeros already.
      if (chunk instanceof Uint8Array) bytes.set(chunk.subarray(done, done + part), fill);
      fill += part;
      done += part;
      if (fill === WINDOW_BYTES) yield flush();
    }
  }
  if (fill > 0) yield flush();
}

export interface DiskContent {
  /** The content, holes where it is zero. */
  readonly chunks: AsyncIterable<RawChunk>;
  /** Hexadecimal SHA-256, and how long the content was; once `chunks` came to its end. */
  result(): { readonly digest: string; readonly bytes: number };
}

/** `told` hears how many bytes of the disk are behind, holes too. */
export const diskContent = (source: AsyncIterable<RawChunk>, told: (bytes: number) => void): DiskContent => {
  const hash = createHash('sha256');
  const position = Buffer.alloc(8);
  let end = 0;
  let over = false;
  const blocks = function* ({ at, bytes }: Window): Generator<RawChunk, void, void> {
    let hole = 0;
    for (let from = 0; from < bytes.byteLength; from += BLOCK_BYTES) {
      const block = bytes.subarray(from, Math.min(from + BLOCK_BYTES, bytes.byteLength));
      if (isZero(block)) {
        hole += block.byteLength;
        continue;
      }
      if (hole > 0) yield { hole };
      hole = 0;
      position.writeBigUInt64BE(BigInt(at + from));
      hash.update(position).update(block);
      // The last block counts as if it went on in zeros.
      if (block.byteLength < BLOCK_BYTES) hash.update(zeros.subarray(block.byteLength));
      yield block;
    }
    if (hole > 0) yield { hole };
  };
  const chunks = async function* (): AsyncGenerator<RawChunk, void, void> {
    for await (const window of windows(source)) {
      if ('hole' in window) {
        end += window.hole;
        yield window;
      } else {
        end += window.bytes.byteLength;
        yield* blocks(window);
      }
      told(end);
    }
    over = true;
  };
  return {
    chunks: chunks(),
    result: () => {
      if (!over) throw new Error('the content has not come to its end');
      return { digest: hash.copy().digest('hex'), bytes: end };
    },
  };
};

/** The digest of a content that nobody else wants. */
export const digestOf = async (
  source: AsyncIterable<RawChunk>,
  told: (bytes: number) => void,
): Promise<{ readonly digest: string; readonly bytes: number }> => {
  const content = diskContent(source, told);
  for await (const _ of content.chunks) {
    // Counted and hashed on the way.
  }
  return content.result();
};
