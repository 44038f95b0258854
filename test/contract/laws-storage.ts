import { expect } from 'vitest';
import type { HypervisorPool } from '../../src/drivers/hypervisor/contract.ts';
import type { Chunk, StorageWork, VolumeSeen } from '../../src/drivers/hypervisor/host-storage.ts';
import { Fault } from '../../src/runtime/fault.ts';
import { type DriverFixture, type Law, mib, never, volumeName } from './fixture.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
type Import = Extract<StorageWork, { kind: 'import' }>;

/** Two pieces and a hole between them: 3 MiB of raw image. */
async function* pieces(seen: Chunk[] = []): AsyncGenerator<Chunk> {
  for (const chunk of [new Uint8Array(mib).fill(7), { hole: mib }, new Uint8Array(mib).fill(9)]) {
    seen.push(chunk);
    yield chunk;
  }
}

const importOf = (volume: string, rest: Partial<Import> = {}): Import => ({
  kind: 'import',
  volume,
  sourceFormat: 'raw',
  format: 'qcow2',
  maxBytes: 4 * mib,
  chunks: pieces(),
  finished: Promise.resolve({ digest, virtualSizeBytes: 3 * mib }),
  ...rest,
});

const quiet = (): void => undefined;

/** The place, ready to be used, and short words for what laws do there. */
export const prepared = async ({ host, place }: DriverFixture, pool: HypervisorPool) => {
  const storage = pool.hostStorage(host);
  await storage.take(place, { kind: 'preparePlace' }, never);
  const seen = async (volume: string): Promise<VolumeSeen | undefined> => {
    const sight = await storage.see(place, volume, never);
    return sight.kind === 'present' ? sight.volume : undefined;
  };
  const drop = async (...volumes: string[]): Promise<void> => {
    for (const volume of volumes) {
      await storage.take(place, { kind: 'delete', volume }, never);
    }
  };
  const blank = (volume: string) =>
    ({ kind: 'createBlank', volume, format: 'qcow2', sizeBytes: 8 * mib }) as const;
  return { storage, place, seen, drop, blank };
};

const makingLaws: readonly Law[] = [
  {
    id: 'S-01',
    title: 'every storage step twice equals once',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop, blank } = await prepared(fixture, pool);
      const [volume, small] = [volumeName(), volumeName()];
      const steps = [
        { kind: 'preparePlace' },
        blank(volume),
        { kind: 'grow', volume, sizeBytes: 16 * mib },
        { kind: 'putSmall', volume: small, bytes: new Uint8Array(4096).fill(1) },
        { kind: 'delete', volume },
      ] as const;
      for (const step of steps) {
        await storage.take(place, step, never);
        const once = [await seen(volume), await seen(small)];
        await storage.take(place, step, never);
        expect([await seen(volume), await seen(small)], step.kind).toEqual(once);
      }
      await drop(small);
    },
  },
  {
    id: 'S-05',
    title: 'a linked clone names its backing, and needs one',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const [image, clone] = [volumeName(), volumeName()];
      const link = { kind: 'createLinked', volume: clone, backing: image, sizeBytes: 8 * mib } as const;
      await expect(storage.take(place, link, never)).rejects.toMatchObject({ name: 'Fault' });
      expect(await seen(clone)).toBeUndefined();
      await storage.work(place, importOf(image), quiet, never);
      await storage.take(place, link, never);
      expect(await seen(clone)).toMatchObject({
        format: 'qcow2',
        sizeBytes: 8 * mib,
        complete: true,
        backingPath: `${place.path}/${image}`,
      });
      await drop(clone, image);
    },
  },
  {
    id: 'S-06',
    title: 'grow never shrinks',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop, blank } = await prepared(fixture, pool);
      const volume = volumeName();
      await storage.take(place, blank(volume), never);
      await storage.take(place, { kind: 'grow', volume, sizeBytes: 16 * mib }, never);
      await storage.take(place, { kind: 'grow', volume, sizeBytes: 8 * mib }, never);
      expect((await seen(volume))?.sizeBytes).toBe(16 * mib);
      await drop(volume);
    },
  },
  {
    id: 'S-10',
    title: 'a volume nobody finished is not complete and is made anew',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const volume = volumeName();
      await fixture.hands.putUnfinished?.(fixture.host, place, volume);
      expect((await seen(volume))?.complete).toBe(false);
      await storage.work(place, importOf(volume), quiet, never);
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 3 * mib });
      await drop(volume);
    },
  },
  {
    id: 'S-12',
    title: 'a full copy outlives its source',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const [image, copy] = [volumeName(), volumeName()];
      await storage.work(place, importOf(image), quiet, never);
      const work = { kind: 'copy', from: image, volume: copy, format: 'qcow2', sizeBytes: 8 * mib } as const;
      await storage.work(place, work, quiet, never);
      await drop(image);
      const made = await seen(copy);
      expect(made).toMatchObject({ complete: true, sizeBytes: 8 * mib });
      expect(made?.backingPath).toBeUndefined();
      await drop(copy);
    },
  },
  {
    id: 'S-17',
    title: 'small content put twice is the newer one',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const volume = volumeName();
      await storage.take(place, { kind: 'putSmall', volume, bytes: new Uint8Array(8192).fill(1) }, never);
      await storage.take(place, { kind: 'putSmall', volume, bytes: new Uint8Array(4096).fill(2) }, never);
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 4096 });
      await drop(volume);
    },
  },
];

const importLaws: readonly Law[] = [
  {
    id: 'S-07',
    title: 'an import consumes the stream and keeps the digest',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const volume = volumeName();
      const [consumed, told]: [Chunk[], number[]] = [[], []];
      const work = importOf(volume, { chunks: pieces(consumed) });
      await storage.work(place, work, (percent) => told.push(percent), never);
      expect(consumed).toHaveLength(3);
      expect(told.toSorted((a, b) => a - b)).toEqual(told);
      expect(told.at(-1)).toBe(100);
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 3 * mib, digest });
      await drop(volume);
    },
  },
  {
    id: 'S-08',
    title: 'after a wrong checksum nothing stays',
    check: async (fixture, pool) => {
      const { storage, place, seen } = await prepared(fixture, pool);
      const volume = volumeName();
      const wrong = new Fault('invalid', 'The checksum is wrong.', { reason: 'ImageChecksumMismatch' });
      const told = Promise.withResolvers<never>();
      async function* chunks(): AsyncGenerator<Chunk> {
        yield* pieces();
        told.reject(wrong);
      }
      const work = importOf(volume, { chunks: chunks(), finished: told.promise });
      await expect(storage.work(place, work, quiet, never)).rejects.toMatchObject({
        kind: 'invalid',
        reason: 'ImageChecksumMismatch',
      });
      expect(await seen(volume)).toBeUndefined();
    },
  },
  {
    id: 'S-09',
    title: 'an aborted import leaves nothing complete, and the next one succeeds',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop } = await prepared(fixture, pool);
      const volume = volumeName();
      const patience = new AbortController();
      async function* chunks(): AsyncGenerator<Chunk> {
        yield new Uint8Array(mib);
        patience.abort();
        yield new Uint8Array(mib);
      }
      const given = storage.work(place, importOf(volume, { chunks: chunks() }), quiet, patience.signal);
      await expect(given).rejects.toMatchObject({ name: 'Fault' });
      expect((await seen(volume))?.complete ?? false).toBe(false);
      await storage.work(place, importOf(volume), quiet, never);
      expect((await seen(volume))?.complete).toBe(true);
      await drop(volume);
    },
  },
  {
    id: 'S-11',
    title: 'a stream longer than maxBytes is refused',
    check: async (fixture, pool) => {
      const { storage, place, seen } = await prepared(fixture, pool);
      const volume = volumeName();
      const work = importOf(volume, { maxBytes: 2 * mib });
      await expect(storage.work(place, work, quiet, never)).rejects.toMatchObject({
        name: 'Fault',
        kind: 'invalid',
      });
      expect((await seen(volume))?.complete ?? false).toBe(false);
    },
  },
  {
    id: 'S-13',
    title: 'a full place is a Fault with its reason',
    check: async (fixture, pool) => {
      const { storage, place, seen } = await prepared(fixture, pool);
      const volume = volumeName();
      await fixture.hands.fill?.(fixture.host, place, mib);
      const full = storage.work(place, importOf(volume), quiet, never);
      await expect(full).rejects.toMatchObject({ name: 'Fault', reason: 'StoragePoolFull' });
      expect((await seen(volume))?.complete ?? false).toBe(false);
      await fixture.hands.fill?.(fixture.host, place, 1024 * mib);
    },
  },
];

export const storageLaws: readonly Law[] = [...makingLaws, ...importLaws];
