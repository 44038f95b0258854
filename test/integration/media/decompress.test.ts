import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../../src/media/decompress.ts';
import { openImagePipeline } from '../../../src/media/image-pipeline.ts';
import { haveTools, inFolder, tool } from './oracles.ts';

const ready = await haveTools('xz', 'zstd', 'gzip', 'qemu-img');
const never = new AbortController().signal;
const data = Buffer.concat([randomBytes(500_000), Buffer.alloc(9_000_000), randomBytes(70_000)]);
const reasonOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error instanceof Error && 'reason' in error ? error.reason : error),
  );

describe.skipIf(!ready)('files of the real programs', () => {
  it.each([
    ['gz', ['gzip', '-9k'], '.gz'],
    ['xz', ['xz', '-0k'], '.xz'],
    ['xz', ['xz', '-9ek', '--check=crc32'], '.xz'],
    ['xz', ['xz', '-0k', '--check=none', '--block-size=1000000'], '.xz'],
    ['xz', ['xz', '-0k', '-T2'], '.xz'],
    ['zst', ['zstd', '-qk'], '.zst'],
    ['zst', ['zstd', '-qk', '--ultra', '-22', '--long=27'], '.zst'],
  ] as const)(
    'unpacks %s (%j) and refuses the file cut at any length',
    async (compression, [program, ...args], ending) => {
      await inFolder(async (folder) => {
        const file = join(folder, 'data');
        await writeFile(file, data);
        await tool(program, ...args, file);
        const limits = { compression, maxOutputBytes: data.byteLength };
        const unpacked = await Array.fromAsync(
          decompress(createReadStream(`${file}${ending}`), limits, never),
        );
        expect(Buffer.concat(unpacked).equals(data)).toBe(true);
        const packed = await readFile(`${file}${ending}`);
        for (const length of [5, 100, packed.byteLength >> 1, packed.byteLength - 1]) {
          await writeFile(file, packed.subarray(0, length));
          const cut = Array.fromAsync(decompress(createReadStream(file), limits, never));
          expect(await reasonOf(cut)).toBe('ImageFormatRefused');
        }
      });
    },
  );

  // From standard input the size is unknown, so the window is the one asked for.
  it.each([
    ['xz', 'xz --lzma2=preset=0,dict=512MiB -c < "$1" > "$1.out"'],
    ['zst', 'zstd -q --long=30 -c < "$1" > "$1.out"'],
  ] as const)('refuses %s with a window that would be memory of ours', async (compression, script) => {
    await inFolder(async (folder) => {
      const file = join(folder, 'data');
      await writeFile(file, data);
      await tool('sh', '-c', script, 'sh', file);
      const limits = { compression, maxOutputBytes: 1e9 };
      const work = Array.fromAsync(decompress(createReadStream(`${file}.out`), limits, never));
      expect(await reasonOf(work)).toBe('ImageFormatRefused');
    });
  });

  it('frees the decoder when the unpacked image is refused', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'disk.qcow2');
      await tool('qemu-img', 'create', '-q', '-f', 'qcow2', file, '1G');
      await tool('xz', '-k', file);
      const open = async () => ({
        contentLength: undefined,
        body: createReadStream(`${file}.xz`) as AsyncIterable<Uint8Array>,
        close: async () => undefined,
      });
      const limits = { maxImageBytes: 1e9, maxVirtualSizeBytes: 2 ** 30, detectHoles: true };
      const start = async (format: 'raw' | 'qcow2') =>
        openImagePipeline({ open, format, compression: 'xz', ...limits }, never);
      expect(await reasonOf(start('raw'))).toBe('ImageFormatRefused');
      const stream = await start('qcow2');
      await Array.fromAsync(stream.chunks);
      expect(await stream.result).toMatchObject({ virtualSizeBytes: 2 ** 30, format: 'qcow2' });
    });
  });
});
