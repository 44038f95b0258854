import { createHash, randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ImageChunk, maxChunkBytes, toImageChunks } from './image-chunks.ts';
import { type ImagePipelineOptions, openImagePipeline } from './image-pipeline.ts';
import { sampleQcow2 } from './qcow2-sample.ts';

const never = new AbortController().signal;
const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
const setUp = (bytes: Uint8Array, more: Partial<ImagePipelineOptions> = {}) => {
  let closed = false;
  const options: ImagePipelineOptions = {
    open: async () => ({
      contentLength: bytes.byteLength,
      body: pieces(bytes, 16_000),
      close: async () => {
        closed = true;
      },
    }),
    format: 'raw',
    compression: 'none',
    maxImageBytes: 1e8,
    maxVirtualSizeBytes: 1e8,
    detectHoles: false,
    ...more,
  };
  return { start: async () => openImagePipeline(options, never), isClosed: () => closed };
};
const rebuild = (chunks: readonly ImageChunk[]): Buffer =>
  Buffer.concat(chunks.map((chunk) => ('hole' in chunk ? Buffer.alloc(chunk.hole) : chunk.data)));

describe('openImagePipeline', () => {
  it('imports a raw image and reports progress', async () => {
    const data = randomBytes(700_000);
    const progress: number[] = [];
    const { start, isClosed } = setUp(data, {
      checksum: sha256(data).toUpperCase().replace('SHA256', 'sha256'),
      onProgress: ({ downloadedBytes, totalBytes }) => {
        expect(totalBytes).toBe(700_000);
        progress.push(downloadedBytes);
      },
    });
    const stream = await start();
    expect(stream).toMatchObject({ virtualSizeBytes: 700_000, bytes: 700_000 });
    const chunks = await Array.fromAsync(stream.chunks);
    expect(rebuild(chunks).equals(data)).toBe(true);
    expect(chunks.map((chunk) => ('data' in chunk ? chunk.data.byteLength : -1))).toEqual([
      262_144, 262_144, 175_712,
    ]);
    expect(await stream.result).toEqual({
      format: 'raw',
      digest: sha256(data),
      downloadedBytes: 700_000,
      bytes: 700_000,
      virtualSizeBytes: 700_000,
    });
    expect(progress.at(-1)).toBe(700_000);
    expect(isClosed()).toBe(true);
  });

  it.each([
    ['gz', gzipSync],
    ['zst', zstdCompressSync],
  ] as const)(
    'imports a qcow2 packed as %s; the digest is that of the download',
    async (compression, pack) => {
      const image = sampleQcow2({});
      const packed = pack(image);
      const stream = await setUp(packed, {
        format: 'qcow2',
        compression,
        checksum: sha256(packed),
        maxVirtualSizeBytes: 1e9,
      }).start();
      expect(stream).toMatchObject({ virtualSizeBytes: 2 ** 28, bytes: undefined });
      expect(rebuild(await Array.fromAsync(stream.chunks)).equals(image)).toBe(true);
      expect(await stream.result).toMatchObject({
        bytes: image.byteLength,
        downloadedBytes: packed.byteLength,
      });
    },
  );

  it('tells a wrong checksum at the end, by both ways', async () => {
    const stream = await setUp(randomBytes(1000), { checksum: sha256(Buffer.of(1)) }).start();
    const mismatch = { kind: 'invalid', reason: 'ImageChecksumMismatch' };
    await expect(Array.fromAsync(stream.chunks)).rejects.toMatchObject(mismatch);
    await expect(stream.result).rejects.toMatchObject(mismatch);
  });

  it.each<[string, Uint8Array, Partial<ImagePipelineOptions>, string]>([
    [
      '40 GiB in a small file',
      sampleQcow2({ virtualSize: 40n << 30n }),
      { format: 'qcow2' },
      'ImageTooLarge',
    ],
    [
      'a backing file',
      sampleQcow2({ backingOffset: 512n }),
      { format: 'qcow2', maxVirtualSizeBytes: 1e12 },
      'ImageFormatRefused',
    ],
    ['a raw that is qcow2', sampleQcow2({}), {}, 'ImageFormatRefused'],
    ['a packed raw that is qcow2', gzipSync(sampleQcow2({})), { compression: 'gz' }, 'ImageFormatRefused'],
    ['an undeclared gzip', gzipSync(Buffer.alloc(10)), {}, 'ImageFormatRefused'],
    ['a declared gzip that is none', Buffer.alloc(10), { compression: 'gz' }, 'ImageFormatRefused'],
    ['an announced length over the limit', Buffer.alloc(1001), { maxImageBytes: 1000 }, 'ImageTooLarge'],
    ['a malformed checksum', Buffer.alloc(10), { checksum: 'md5:abc' }, 'Invalid'],
  ])('refuses %s before a byte is passed on', async (_name, bytes, more, reason) => {
    const { start, isClosed } = setUp(bytes, more);
    await expect(start()).rejects.toMatchObject({ kind: 'invalid', reason });
    expect(isClosed()).toBe(reason !== 'Invalid');
  });

  it.each<[string, Uint8Array, Partial<ImagePipelineOptions>, string]>([
    [
      'tables beyond the file',
      sampleQcow2({ l1Offset: 1n << 30n }),
      { format: 'qcow2', maxVirtualSizeBytes: 1e9 },
      'ImageFormatRefused',
    ],
    ['a bomb', gzipSync(Buffer.alloc(5_000_000)), { compression: 'gz', maxImageBytes: 1e6 }, 'ImageTooLarge'],
    ['nothing at all', new Uint8Array(0), {}, 'ImageFormatRefused'],
  ])('refuses %s in the end', async (_name, bytes, more, reason) => {
    const { start, isClosed } = setUp(bytes, more);
    const stream = await start();
    await expect(Array.fromAsync(stream.chunks)).rejects.toMatchObject({ reason });
    await expect(stream.result).rejects.toMatchObject({ reason });
    expect(isClosed()).toBe(true);
  });

  it('rejects the result when the reader leaves', async () => {
    const { start, isClosed } = setUp(randomBytes(2_000_000));
    const stream = await start();
    for await (const _chunk of stream.chunks) break;
    await expect(stream.result).rejects.toMatchObject({ kind: 'unreachable' });
    expect(isClosed()).toBe(true);
  });

  it('holds no more than the prefix and a chunk', async () => {
    let given = 0;
    const body = async function* () {
      for (let index = 0; index < 400; index += 1) {
        given += 65_536;
        yield randomBytes(65_536);
      }
    };
    const open = async () => ({ contentLength: undefined, body: body(), close: async () => undefined });
    const stream = await setUp(Buffer.alloc(0), { open }).start();
    let taken = 0;
    let most = 0;
    for await (const chunk of stream.chunks) {
      most = Math.max(most, given - taken);
      taken += 'data' in chunk ? chunk.data.byteLength : chunk.hole;
    }
    expect(taken).toBe(400 * 65_536);
    expect(most).toBeLessThanOrEqual(maxChunkBytes + 2 * 65_536);
  });
});

describe('toImageChunks', () => {
  it('tells holes on 64 KiB and joins neighbours', async () => {
    const image = Buffer.concat([Buffer.alloc(600_000), Buffer.from('x'), Buffer.alloc(500_000)]);
    const chunks = await Array.fromAsync(toImageChunks(pieces(image, 9999), true));
    expect(chunks.map((chunk) => ('hole' in chunk ? -chunk.hole : chunk.data.byteLength))).toEqual([
      -589_824, 65_536, -444_641,
    ]);
    expect(rebuild(chunks).equals(image)).toBe(true);
  });

  it('loses nothing, whatever the pattern', async () => {
    const run = fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 300_000 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(run, { maxLength: 6 }),
        fc.integer({ min: 1000, max: 400_000 }),
        async (runs, size) => {
          const image = Buffer.concat(runs.map(([zero, length]) => Buffer.alloc(length, zero ? 0 : 7)));
          const chunks = await Array.fromAsync(toImageChunks(pieces(image, size), true));
          expect(rebuild(chunks).equals(image)).toBe(true);
          for (const chunk of chunks)
            if ('data' in chunk) expect(chunk.data.byteLength).toBeLessThanOrEqual(maxChunkBytes);
        },
      ),
      { numRuns: 30 },
    );
  });
});
