import { expect } from 'vitest';
import type { ServedStep } from '../../src/drivers/storage/contract.ts';
import { isFault } from '../../src/runtime/fault.ts';
import {
  type DiskLaw,
  dropDisks,
  freshDiskId,
  hostA,
  hostB,
  madeDisk,
  present,
  settlePool,
} from './disk-server-fixture.ts';
import { mib, never } from './fixture.ts';

const size = 8 * mib;
const blank: ServedStep = { kind: 'createBlank', sizeBytes: size };
const publishA: ServedStep = { kind: 'publish', initiator: { iqn: hostA } };
const revokeA: ServedStep = { kind: 'revoke', initiator: { iqn: hostA } };

export const lifeLaws: readonly DiskLaw[] = [
  {
    id: 'D-01',
    title: 'every step twice equals once',
    check: async (bench) => {
      const disk = freshDiskId();
      const steps: readonly ServedStep[] = [
        blank,
        publishA,
        revokeA,
        { kind: 'grow', sizeBytes: 2 * size },
        { kind: 'delete' },
      ];
      for (const step of steps) {
        await bench.disks.take(disk, step, never);
        // The stamp is no state of the disk: a revoke makes older requests worthless, whoever had it.
        const once = { ...(await bench.disks.see(disk, never)), stamp: undefined };
        await bench.disks.take(disk, step, never);
        expect({ ...(await bench.disks.see(disk, never)), stamp: undefined }, step.kind).toEqual(once);
      }
      expect(await bench.disks.see(disk, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'D-02',
    title: 'looking changes nothing',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const before = await bench.hands.snapshot();
      await bench.server.see(never);
      await bench.disks.list(never);
      await bench.disks.see(disk, never);
      await bench.disks.see(freshDiskId(), never);
      expect(await bench.hands.snapshot()).toBe(before);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-03',
    title: 'deleting and revoking what is absent is done',
    check: async ({ disks }) => {
      const disk = freshDiskId();
      await disks.take(disk, { kind: 'delete' }, never);
      await disks.take(disk, revokeA, never);
      await disks.revokeAll({ iqn: hostA }, never);
      expect(await disks.see(disk, never)).toEqual({ kind: 'absent' });
    },
  },
  {
    id: 'D-04',
    title: 'how a disk is reached is derived from its uid alone',
    check: async (bench) => {
      const disk = await madeDisk(bench, size);
      const other = await madeDisk(bench, size);
      const { served } = await present(bench, disk);
      const { served: another } = await present(bench, other);
      expect(served.lun).toBeGreaterThan(0);
      expect(another.serial).not.toBe(served.serial);
      expect(another.wwn).not.toBe(served.wwn);
      expect([another.targetIqn, another.lun]).not.toEqual([served.targetIqn, served.lun]);
      await dropDisks(bench, disk);
      await bench.disks.take(disk, blank, never);
      expect((await present(bench, disk)).served).toEqual(served);
      await dropDisks(bench, disk, other);
    },
  },
  {
    id: 'D-05',
    title: 'grow never shrinks',
    check: async (bench) => {
      const disk = await madeDisk(bench, size);
      await bench.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
      await bench.disks.take(disk, { kind: 'grow', sizeBytes: size }, never);
      expect((await present(bench, disk)).sizeBytes).toBe(2 * size);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-06',
    title: 'a published disk grows where the server says so, and is refused elsewhere',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const grown = bench.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
      if (bench.disks.growsOnline) await grown;
      else await expect(grown).rejects.toMatchObject({ name: 'Fault', kind: 'conflict' });
      const { sizeBytes, served } = await present(bench, disk);
      expect(sizeBytes).toBe(bench.disks.growsOnline ? 2 * size : size);
      await bench.disks.take(disk, revokeA, never);
      await bench.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
      await bench.disks.take(disk, publishA, never);
      expect(await bench.hands.holds(hostA, served, 0, 2 * size - 4096, 4096)).toBe(true);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-07',
    title: 'list shows every disk of the pool and no other',
    check: async (bench) => {
      const other = await bench.fixture.openOther();
      try {
        const mine = [await madeDisk(bench, size), await madeDisk(bench, size, hostA)];
        const theirs = { ...bench, server: other, disks: other.disks ?? bench.disks };
        expect(other.disks).toBeDefined();
        const disk = await madeDisk(theirs, size);
        const uids = (await bench.disks.list(never)).map(({ diskUid }) => diskUid);
        expect(uids).toEqual(expect.arrayContaining(mine.map(({ diskUid }) => diskUid)));
        expect(uids).not.toContain(disk.diskUid);
        expect((await theirs.disks.list(never)).map(({ diskUid }) => diskUid)).toEqual([disk.diskUid]);
        await dropDisks(theirs, disk);
        await dropDisks(bench, ...mine);
      } finally {
        await other.close();
      }
    },
  },
  {
    id: 'D-08',
    title: 'a disk of another pool is not touched',
    check: async (bench) => {
      const other = await bench.fixture.openOther();
      try {
        const disk = await madeDisk(bench, size, hostA);
        const before = await present(bench, disk);
        for (const step of [{ kind: 'delete' }, publishA, { kind: 'grow', sizeBytes: 2 * size }] as const) {
          // Nothing of it is there for the other pool: to delete it is done, and anything else is refused.
          await other.disks?.take(disk, step, never).catch((error: unknown) => {
            expect(error).toMatchObject({ name: 'Fault' });
          });
        }
        await other.disks?.revokeAll({ iqn: hostA }, never);
        expect(await present(bench, disk)).toEqual(before);
        await dropDisks(bench, disk);
      } finally {
        await other.close();
      }
    },
  },
  {
    id: 'D-09',
    title: 'a published disk is not deleted',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const deleted = bench.disks.take(disk, { kind: 'delete' }, never);
      await expect(deleted).rejects.toMatchObject({ name: 'Fault', kind: 'conflict' });
      expect((await present(bench, disk)).published).toEqual([hostA]);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-10',
    title: 'a restart of what serves keeps disks and who may log in',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const { served } = await present(bench, disk);
      await bench.hands.write(hostA, served, 5, 0, 4096);
      await bench.hands.restart();
      expect(await present(bench, disk)).toMatchObject({ complete: true, published: [hostA], served });
      expect(await bench.hands.holds(hostA, served, 5, 0, 4096)).toBe(true);
      expect(await bench.hands.logsIn(hostB, served)).toBe(false);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-11',
    title: 'what somebody changed is mended by the steps of the pool',
    check: async (bench) => {
      const [lost, opened] = [await madeDisk(bench, size, hostA), await madeDisk(bench, size, hostA)];
      await bench.hands.removeTarget(lost.diskUid);
      await bench.hands.letIn(opened.diskUid, hostB);
      expect((await present(bench, opened)).published).toContain(hostB);
      await settlePool(bench.server);
      const [mended, closed] = [await present(bench, lost), await present(bench, opened)];
      expect(mended.published).toEqual([hostA]);
      expect(closed.published).toEqual([hostA]);
      expect(await bench.hands.logsIn(hostA, mended.served)).toBe(true);
      expect(await bench.hands.logsIn(hostB, closed.served)).toBe(false);
      await dropDisks(bench, lost, opened);
    },
  },
  {
    id: 'D-12',
    title: 'everything thrown is a Fault, also after close',
    check: async ({ fixture }) => {
      const server = await fixture.open();
      const { disks } = server;
      const bad = { diskUid: '../../etc/shadow' };
      await expect(disks?.see(bad, never)).rejects.toMatchObject({ name: 'Fault', kind: 'invalid' });
      const nobody = { kind: 'publish', initiator: { iqn: 'ALL' } } as const;
      await expect(disks?.take(freshDiskId(), nobody, never)).rejects.toMatchObject({ name: 'Fault' });
      await expect(disks?.take(freshDiskId(), publishA, never)).rejects.toMatchObject({ name: 'Fault' });
      const impatient = AbortSignal.abort();
      await expect(disks?.list(impatient)).rejects.toMatchObject({ name: 'Fault' });
      await server.close();
      await expect(disks?.list(never)).rejects.toMatchObject({ name: 'Fault' });
      await expect(disks?.take(freshDiskId(), blank, never)).rejects.toMatchObject({ name: 'Fault' });
    },
  },
  {
    id: 'D-13',
    title: 'many disks at once do not fail for load',
    check: async (bench) => {
      const all = Array.from({ length: bench.fixture.many }, freshDiskId);
      // Busy is told and not waited for: whoever is told so asks again.
      const take = async (diskUid: (typeof all)[number], step: ServedStep): Promise<void> => {
        try {
          await bench.disks.take(diskUid, step, never);
        } catch (error) {
          if (!isFault(error, 'busy')) throw error;
          await take(diskUid, step);
        }
      };
      await Promise.all(all.map((disk) => take(disk, blank)));
      const uids = (await bench.disks.list(never)).map(({ diskUid }) => diskUid);
      expect(uids).toEqual(expect.arrayContaining(all.map(({ diskUid }) => diskUid)));
      await Promise.all(all.map((disk) => take(disk, { kind: 'delete' })));
      expect(await bench.disks.list(never)).toEqual([]);
    },
  },
];
