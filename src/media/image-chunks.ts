/** A piece of an image in order: bytes, or that many zero bytes which need not be sent. */
export type ImageChunk = { readonly data: Uint8Array } | { readonly hole: number };

/** The largest `data` of a chunk, as libvirt's stream messages and most servers like them. */
export const maxChunkBytes = 256 * 1024;
/** Zeros are looked for in pieces of this size: the default cluster of qcow2, and a file system block at least. */
const granuleBytes = 64 * 1024;
const zeros = Buffer.alloc(granuleBytes);

/** Repack a stream into blocks of exactly `blockBytes`, the last one shorter. Buffers one block. */
export async function* toBlocks(
  source: AsyncIterable<Uint8Array>,
  blockBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let block = Buffer.allocUnsafeSlow(blockBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + blockBytes - filled);
      block.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
      if (filled < blockBytes) continue;
      yield block;
      block = Buffer.allocUnsafeSlow(blockBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

const isZero = (bytes: Uint8Array): boolean => zeros.subarray(0, bytes.byteLength).equals(bytes);

/** Split a block into runs of zero granules and runs of others. */
function* runsOf(block: Uint8Array): Generator<ImageChunk, void, undefined> {
  let start = 0;
  for (let at = 0; at < block.byteLength; at += granuleBytes) {
    const granule = block.subarray(at, at + granuleBytes);
    if (!isZero(granule)) continue;
    if (at > start) yield { data: block.subarray(start, at) };
    yield { hole: granule.byteLength };
    start = at + granule.byteLength;
  }
  if (start < block.byteLength) yield { data: block.subarray(start) };
}

/** Turn a byte stream into chunks of at most {@link maxChunkBytes}; neighbouring holes are told as one. */
export async function* toImageChunks(
  source: AsyncIterable<Uint8Array>,
  detectHoles: boolean,
): AsyncGenerator<ImageChunk, void, undefined> {
  let hole = 0;
  for await (const block of toBlocks(source, maxChunkBytes)) {
    for (const run of detectHoles ? runsOf(block) : [{ data: block }]) {
      if ('hole' in run) {
        hole += run.hole;
        continue;
      }
      if (hole > 0) yield { hole };
      hole = 0;
      yield run;
    }
  }
  if (hole > 0) yield { hole };
}
