import { expect } from 'vitest';
import { never, type StorageLaw, volumeName } from './fixture.ts';

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
      const read = async (offset: number, length: number): Promise<Buffer> => {
        const parts: Uint8Array[] = [];
        for await (const chunk of storage.read(place, volume, { offset, length }, never))
          parts.push(chunk instanceof Uint8Array ? chunk : new Uint8Array(chunk.hole));
        return Buffer.concat(parts);
      };
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
];
