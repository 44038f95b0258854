import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RawChunk, type ReadRange, readQcow2 } from '../../../src/media/qcow2-read.ts';
import { haveTools, inFolder, tool } from './oracles.ts';

const ready = await haveTools('qemu-img', 'qemu-io');

const rangesOf = (file: FileHandle): ReadRange =>
  async function* (offset, length) {
    for (let done = 0; done < length; ) {
      const want = Math.min(length - done, 100_000);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(want), 0, want, offset + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  };

const digestOf = async (chunks: AsyncIterable<RawChunk>): Promise<{ sha256: string; bytes: number }> => {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk instanceof Uint8Array ? chunk : Buffer.alloc(chunk.hole));
    bytes += chunk instanceof Uint8Array ? chunk.byteLength : chunk.hole;
  }
  return { sha256: hash.digest('hex'), bytes };
};

/** Writes, zeroings and discards of a guest, in units of 512 bytes. */
const command = fc
  .tuple(
    fc.constantFrom('write -P 0x61', 'write -P 0x62', 'write -z', 'discard'),
    fc.nat(4095),
    fc.integer({ min: 1, max: 512 }),
  )
  .map(([word, at, length]) => `${word} ${at * 512} ${length * 512}`);
const disk = fc.record({
  options: fc.constantFrom(
    'cluster_size=65536',
    'cluster_size=512',
    'cluster_size=2M',
    'compat=0.10',
    'lazy_refcounts=on',
    'preallocation=metadata',
  ),
  bytes: fc.integer({ min: 5000, max: 20_000 }).map((sectors) => sectors * 512),
  commands: fc.array(command, { minLength: 1, maxLength: 12 }),
});

describe.skipIf(!ready)('readQcow2 beside qemu-img convert', () => {
  it('reads the same content from whatever a guest wrote', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(disk, ({ options, bytes, commands }) =>
        inFolder(async (folder) => {
          const [file, raw] = [join(folder, 'disk.qcow2'), join(folder, 'disk.raw')];
          await tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, file, String(bytes));
          const words = commands.flatMap((each) => ['-c', each]);
          await tool('qemu-io', '-f', 'qcow2', '-d', 'unmap', ...words, file);
          await tool('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', file, raw);
          const theirs = createHash('sha256')
            .update(await readFile(raw))
            .digest('hex');
          const handle = await open(file);
          try {
            expect(await digestOf(readQcow2(rangesOf(handle)))).toEqual({ sha256: theirs, bytes });
          } finally {
            await handle.close();
          }
        }),
      ),
      { numRuns: 40 },
    );
  });

  it('refuses a compressed file', async () => {
    await inFolder(async (folder) => {
      const [raw, file] = [join(folder, 'disk.raw'), join(folder, 'disk.qcow2')];
      await writeFile(raw, Buffer.alloc(1_048_576, 'compressible'));
      await tool('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, file);
      const handle = await open(file);
      try {
        await expect(digestOf(readQcow2(rangesOf(handle)))).rejects.toMatchObject({
          reason: 'ImageFormatRefused',
        });
      } finally {
        await handle.close();
      }
    });
  });
});
