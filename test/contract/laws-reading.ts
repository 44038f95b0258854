import { expect } from 'vitest';
import type { Chunk } from '../../src/drivers/hypervisor/host-storage.ts';
import { readOwnQcow2 } from '../../src/media/qcow2-read.ts';
import { mib, never, type StorageLaw, volumeName } from './fixture.ts';

const contentOf = async (chunks: AsyncIterable<Chunk>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks)
    parts.push(chunk instanceof Uint8Array ? chunk : new Uint8Array(chunk.hole));
  return Buffer.concat(parts);
};

async function* from(pieces: readonly Chunk[]): AsyncGenerator<Chunk, void, void> {
  yield* pieces;
}

const filled = (size: number, byte: number): Uint8Array => new Uint8Array(size).fill(byte);

export const readingLaws: readonly StorageLaw[] = [
  {
    id: 'S-18',
    title: 'a range of a volume is read exactly, and ends where the file does',
    check: async (fixture, pool) => {
      const { host, place } = fixture;
      const storage = pool.hostStorage(host);
      await storage.take(place, { kind: 'preparePlace' }, never);
      const volume = volumeName();
      const bytes = Uint8Array.from({ length: 1_500_000 }, (_, at) => (at * 7 + (at >> 9)) % 251);
      await storage.take(place, { kind: 'putSmall', volume, bytes }, never);
      const read = (offset: number, length: number): Promise<Buffer> =>
        contentOf(storage.read(place, volume, { offset, length }, never));
      for (const [offset, length] of [
        [0, 1],
        [0, 1_500_000],
        [65_536, 700_001],
        [1_499_990, 4096],
      ] as const) {
        const wanted = Buffer.from(bytes.subarray(offset, offset + length));
        expect((await read(offset, length)).equals(wanted), `${length} from ${offset}`).toBe(true);
      }
      // Whoever has seen enough leaves, and the volume is free again.
      for await (const _chunk of storage.read(place, volume, { offset: 0, length: 1_500_000 }, never)) break;
      await storage.take(place, { kind: 'delete', volume }, never);
      await expect(read(0, 1)).rejects.toMatchObject({ name: 'Fault' });
    },
  },
  {
    id: 'S-20',
    title: 'raw content is read back as it was imported, whatever the format it is kept in',
    check: async (fixture, pool) => {
      const { host, place } = fixture;
      const storage = pool.hostStorage(host);
      await storage.take(place, { kind: 'preparePlace' }, never);
      const pieces = [filled(70_000, 3), { hole: 3 * mib - 70_000 }, filled(65_536, 5), { hole: mib }];
      const wanted = await contentOf(from(pieces));
      const digest = `sha256:${'cd'.repeat(32)}`;
      const ranges = (volume: string) => (offset: number, length: number) =>
        storage.read(place, volume, { offset, length }, never);
      for (const format of ['qcow2', 'raw'] as const) {
        const volume = `${volumeName()}${format === 'raw' ? '.raw' : ''}`;
        const work = {
          kind: 'import',
          volume,
          sourceFormat: 'raw',
          format,
          maxBytes: wanted.byteLength,
          chunks: from(pieces),
          finished: Promise.resolve({ digest, virtualSizeBytes: wanted.byteLength }),
        } as const;
        await storage.work(place, work, () => undefined, never);
        const sight = await storage.see(place, volume, never);
        expect(sight).toMatchObject({ volume: { complete: true, digest, sizeBytes: wanted.byteLength } });
        const content = await contentOf(
          format === 'raw' ? ranges(volume)(0, wanted.byteLength) : readOwnQcow2(ranges(volume), undefined),
        );
        expect(content.equals(wanted), format).toBe(true);
        if (format === 'qcow2') {
          const clone = volumeName();
          const link = { kind: 'createLinked', volume: clone, backing: volume, sizeBytes: 8 * mib } as const;
          await storage.take(place, link, never);
          const above = await contentOf(readOwnQcow2(ranges(clone), ranges(volume)));
          expect(above.byteLength).toBe(8 * mib);
          expect(above.subarray(0, wanted.byteLength).equals(wanted)).toBe(true);
          await storage.take(place, { kind: 'delete', volume: clone }, never);
        }
        await storage.take(place, { kind: 'delete', volume }, never);
      }
    },
  },
];
