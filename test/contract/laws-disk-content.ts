import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Chunk } from '../../src/drivers/hypervisor/host-storage.ts';
import type { DiskIdentity, DiskServer, ServedFill } from '../../src/drivers/storage/contract.ts';
import { Fault } from '../../src/runtime/fault.ts';
import {
  type Bench,
  type DiskLaw,
  dropDisks,
  freshDiskId,
  hostA,
  madeDisk,
  present,
} from './disk-server-fixture.ts';
import { mib, never } from './fixture.ts';

const size = 8 * mib;

/** Two pieces and a hole between them: 3 MiB, the rest of the disk is zeros. */
async function* pieces(seen: Chunk[] = []): AsyncGenerator<Chunk> {
  for (const chunk of [new Uint8Array(mib).fill(7), { hole: mib }, new Uint8Array(mib).fill(9)]) {
    seen.push(chunk);
    yield chunk;
  }
}

const fillOf = (rest: Partial<ServedFill> = {}): ServedFill => ({
  sizeBytes: size,
  chunks: pieces(),
  finished: Promise.resolve(),
  ...rest,
});

const quiet = (): void => undefined;
const zeros = Buffer.alloc(mib);

/** Length and digest of a content, whatever its pieces are. */
const digestOf = async (
  chunks: AsyncIterable<Chunk>,
): Promise<{ length: number; digest: string; holes: number }> => {
  const hash = createHash('sha256');
  let [length, holes] = [0, 0];
  for await (const chunk of chunks) {
    if (chunk instanceof Uint8Array) {
      hash.update(chunk);
      length += chunk.length;
      continue;
    }
    holes += chunk.hole;
    length += chunk.hole;
    for (let rest = chunk.hole; rest > 0; rest -= mib) hash.update(zeros.subarray(0, Math.min(rest, mib)));
  }
  return { length, digest: hash.digest('hex'), holes };
};

async function* whole(): AsyncGenerator<Chunk> {
  yield* pieces();
  yield { hole: size - 3 * mib };
}

const filled = async ({ disks }: Bench): Promise<DiskIdentity> => {
  const disk = freshDiskId();
  await disks.fill(disk, fillOf(), quiet, never);
  return disk;
};

const isComplete = async (disks: DiskServer, disk: DiskIdentity): Promise<boolean> => {
  const sight = await disks.see(disk, never);
  return sight.kind === 'present' && sight.complete;
};

export const contentLaws: readonly DiskLaw[] = [
  {
    id: 'D-20',
    title: 'a fill takes the whole stream, and the disk reads as it was given',
    check: async (bench) => {
      const disk = freshDiskId();
      const [consumed, told]: [Chunk[], number[]] = [[], []];
      await bench.disks.fill(
        disk,
        fillOf({ chunks: pieces(consumed) }),
        (percent) => told.push(percent),
        never,
      );
      expect(consumed).toHaveLength(3);
      expect(told.toSorted((a, b) => a - b)).toEqual(told);
      expect(told.at(-1)).toBe(100);
      expect(await present(bench, disk)).toMatchObject({ complete: true, sizeBytes: size });
      const [read, wanted] = [await digestOf(bench.disks.read(disk, never)), await digestOf(whole())];
      expect({ ...read, holes: 0 }).toEqual({ ...wanted, holes: 0 });
      expect(read.holes).toBeGreaterThanOrEqual(size - 3 * mib);
      await bench.disks.take(disk, { kind: 'publish', initiator: { iqn: hostA } }, never);
      const { served } = await present(bench, disk);
      expect(await bench.hands.holds(hostA, served, 7, 0, mib)).toBe(true);
      expect(await bench.hands.holds(hostA, served, 0, mib, mib)).toBe(true);
      expect(await bench.hands.holds(hostA, served, 9, 2 * mib, mib)).toBe(true);
      expect(await bench.hands.holds(hostA, served, 0, 3 * mib, size - 3 * mib)).toBe(true);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-21',
    title: 'after a wrong checksum nothing stays',
    check: async ({ disks }) => {
      const disk = freshDiskId();
      const wrong = new Fault('invalid', 'The checksum is wrong.', { reason: 'ImageChecksumMismatch' });
      const told = Promise.withResolvers<never>();
      async function* chunks(): AsyncGenerator<Chunk> {
        yield* pieces();
        told.reject(wrong);
      }
      const given = disks.fill(disk, fillOf({ chunks: chunks(), finished: told.promise }), quiet, never);
      await expect(given).rejects.toMatchObject({ kind: 'invalid', reason: 'ImageChecksumMismatch' });
      expect(await disks.see(disk, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'D-22',
    title: 'an aborted fill leaves nothing complete, and the next one succeeds',
    check: async (bench) => {
      const disk = freshDiskId();
      const patience = new AbortController();
      async function* chunks(): AsyncGenerator<Chunk> {
        yield new Uint8Array(mib);
        patience.abort();
        yield new Uint8Array(mib);
      }
      const given = bench.disks.fill(disk, fillOf({ chunks: chunks() }), quiet, patience.signal);
      await expect(given).rejects.toMatchObject({ name: 'Fault' });
      expect(await isComplete(bench.disks, disk)).toBe(false);
      await bench.disks.fill(disk, fillOf(), quiet, never);
      expect(await isComplete(bench.disks, disk)).toBe(true);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-23',
    title: 'a complete disk is not filled again',
    check: async (bench) => {
      const disk = await filled(bench);
      const before = await digestOf(bench.disks.read(disk, never));
      async function* other(): AsyncGenerator<Chunk> {
        yield new Uint8Array(mib).fill(1);
      }
      await bench.disks.fill(disk, fillOf({ chunks: other() }), quiet, never);
      await bench.disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
      expect(await digestOf(bench.disks.read(disk, never))).toEqual(before);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-24',
    title: 'content longer than the disk is refused, and nothing stays',
    check: async ({ disks }) => {
      const disk = freshDiskId();
      const given = disks.fill(disk, fillOf({ sizeBytes: 2 * mib }), quiet, never);
      await expect(given).rejects.toMatchObject({ name: 'Fault', kind: 'invalid' });
      expect(await disks.see(disk, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'D-25',
    title: 'a disk nobody finished is not complete, goes to nobody, and is made anew',
    check: async (bench) => {
      const disk = freshDiskId();
      await bench.hands.putUnfinished(disk.diskUid);
      expect(await isComplete(bench.disks, disk)).toBe(false);
      const given = bench.disks.take(disk, { kind: 'publish', initiator: { iqn: hostA } }, never);
      await expect(given).rejects.toMatchObject({ name: 'Fault', kind: 'conflict' });
      await bench.disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
      expect(await digestOf(bench.disks.read(disk, never))).toMatchObject({ length: size, holes: size });
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-26',
    title: 'a clone has the content of its source and outlives it',
    check: async (bench) => {
      const [source, clone] = [await filled(bench), freshDiskId()];
      const wanted = await digestOf(bench.disks.read(source, never));
      const smaller = bench.disks.take(clone, { kind: 'createClone', from: source, sizeBytes: mib }, never);
      await expect(smaller).rejects.toMatchObject({ name: 'Fault', kind: 'invalid' });
      expect(await isComplete(bench.disks, clone)).toBe(false);
      await bench.disks.take(clone, { kind: 'createClone', from: source, sizeBytes: size }, never);
      await dropDisks(bench, source);
      const { digest } = await digestOf(bench.disks.read(clone, never));
      expect(digest).toBe(wanted.digest);
      const larger = freshDiskId();
      await bench.disks.take(larger, { kind: 'createClone', from: clone, sizeBytes: 2 * size }, never);
      expect((await present(bench, larger)).sizeBytes).toBe(2 * size);
      await dropDisks(bench, clone, larger);
    },
  },
  {
    id: 'D-27',
    title: 'a published disk is neither read nor cloned',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const step = { kind: 'createClone', from: disk, sizeBytes: size } as const;
      const conflict = { name: 'Fault', kind: 'conflict' };
      await expect(digestOf(bench.disks.read(disk, never))).rejects.toMatchObject(conflict);
      await expect(bench.disks.take(freshDiskId(), step, never)).rejects.toMatchObject(conflict);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-28',
    title: 'a full place is a Fault with its reason, and no disk',
    check: async ({ disks, hands }) => {
      const disk = freshDiskId();
      await hands.leaveRoom(mib);
      try {
        async function* much(): AsyncGenerator<Chunk> {
          for (let piece = 0; piece < 4; piece += 1) yield new Uint8Array(mib).fill(3);
        }
        const given = disks.fill(disk, fillOf({ chunks: much() }), quiet, never);
        await expect(given).rejects.toMatchObject({ name: 'Fault', reason: 'StoragePoolFull' });
        expect(await isComplete(disks, disk)).toBe(false);
      } finally {
        await hands.leaveRoom(undefined);
      }
      await disks.take(disk, { kind: 'delete' }, never);
    },
  },
];
