import { expect } from 'vitest';
import type { ServedStep } from '../../src/drivers/storage/contract.ts';
import { type DiskLaw, dropDisks, hostA, hostB, hostC, madeDisk, present } from './disk-server-fixture.ts';
import { mib, never } from './fixture.ts';

const size = 8 * mib;
type Step<Kind> = Extract<ServedStep, { readonly kind: Kind }>;
const publish = (iqn: string): Step<'publish'> => ({ kind: 'publish', initiator: { iqn } });
const revoke = (iqn: string): Step<'revoke'> => ({ kind: 'revoke', initiator: { iqn } });

export const accessLaws: readonly DiskLaw[] = [
  {
    id: 'D-14',
    title: 'only who is published gets in',
    check: async (bench) => {
      const disk = await madeDisk(bench, size);
      const { served } = await present(bench, disk);
      expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      await bench.disks.take(disk, publish(hostA), never);
      expect(await bench.hands.logsIn(hostA, served)).toBe(true);
      expect(await bench.hands.logsIn(hostB, served)).toBe(false);
      await bench.disks.take(disk, revoke(hostA), never);
      expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-15',
    title: 'revoke returns when no session is left',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const { served } = await present(bench, disk);
      const session = await bench.hands.stayLoggedIn(hostA, served);
      try {
        expect((await present(bench, disk)).sessions).toEqual([hostA]);
        await bench.disks.take(disk, revoke(hostA), never);
        expect(await present(bench, disk)).toMatchObject({ published: [], sessions: [] });
      } finally {
        await session.close();
      }
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-16',
    title: 'a disk is published to two hosts at most, and each is revoked alone',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA, hostB);
      const { served } = await present(bench, disk);
      const third = bench.disks.take(disk, publish(hostC), never);
      await expect(third).rejects.toMatchObject({ name: 'Fault', kind: 'conflict' });
      expect(await bench.hands.logsIn(hostC, served)).toBe(false);
      const session = await bench.hands.stayLoggedIn(hostB, served);
      try {
        await bench.disks.take(disk, revoke(hostA), never);
        expect(await present(bench, disk)).toMatchObject({ published: [hostB], sessions: [hostB] });
        expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      } finally {
        await session.close();
      }
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-17',
    title: 'revokeAll takes one host from every disk, and no other host',
    check: async (bench) => {
      const [mine, shared, theirs] = [
        await madeDisk(bench, size, hostA),
        await madeDisk(bench, size, hostA, hostB),
        await madeDisk(bench, size, hostB),
      ];
      const { served } = await present(bench, mine);
      const session = await bench.hands.stayLoggedIn(hostA, served);
      try {
        await bench.disks.revokeAll({ iqn: hostA }, never);
        expect(await present(bench, mine)).toMatchObject({ published: [], sessions: [] });
        expect((await present(bench, shared)).published).toEqual([hostB]);
        expect((await present(bench, theirs)).published).toEqual([hostB]);
        expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      } finally {
        await session.close();
      }
      await dropDisks(bench, mine, shared, theirs);
    },
  },
  {
    id: 'D-18',
    title: 'what another disk held is never seen in a new one',
    check: async (bench) => {
      const old = await madeDisk(bench, size, hostA);
      const { served } = await present(bench, old);
      await bench.hands.write(hostA, served, 9, 0, size);
      await dropDisks(bench, old);
      const fresh = await madeDisk(bench, size, hostA);
      const { served: now } = await present(bench, fresh);
      expect(await bench.hands.holds(hostA, now, 0, 0, size)).toBe(true);
      expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      await bench.disks.take(old, { kind: 'createBlank', sizeBytes: size }, never);
      await bench.disks.take(old, publish(hostA), never);
      expect(await bench.hands.holds(hostA, served, 0, 0, size)).toBe(true);
      await dropDisks(bench, fresh, old);
    },
  },
  {
    id: 'D-19',
    title: 'what is not ours stays as it is',
    check: async (bench) => {
      const before = await bench.hands.foreign();
      const disk = await madeDisk(bench, size, hostA);
      await bench.disks.revokeAll({ iqn: hostA }, never);
      await bench.disks.take(disk, { kind: 'delete' }, never);
      await bench.hands.restart();
      expect(await bench.hands.foreign()).toBe(before);
    },
  },
  {
    id: 'D-29',
    title: 'a step that comes late changes nothing',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const stamp = async () => (await present(bench, disk)).stamp;
      const refused = async (step: ServedStep): Promise<void> => {
        const taken = bench.disks.take(disk, step, never);
        await expect(taken, step.kind).rejects.toMatchObject({ name: 'Fault', kind: 'conflict' });
      };
      const first = await stamp();
      await bench.disks.take(disk, revoke(hostA), never);
      await refused({ ...publish(hostA), stamp: first });
      await refused({ kind: 'delete', stamp: first });
      expect(await present(bench, disk)).toMatchObject({ complete: true, published: [] });
      // Nobody had it, and the answer to an earlier request may be on its way all the same.
      const second = await stamp();
      await bench.disks.take(disk, revoke(hostA), never);
      await refused({ ...publish(hostA), stamp: second });
      const third = await stamp();
      await bench.disks.revokeAll({ iqn: hostB }, never);
      await refused({ ...publish(hostB), stamp: third });
      await bench.disks.take(disk, { ...publish(hostA), stamp: await stamp() }, never);
      await refused({ ...revoke(hostA), stamp: third });
      expect(await present(bench, disk)).toMatchObject({ published: [hostA] });
      await bench.disks.take(disk, { ...revoke(hostA), stamp: await stamp() }, never);
      // A disk that was deleted and made again is another one to whoever deletes late.
      const last = await stamp();
      await bench.disks.take(disk, { kind: 'delete', stamp: last }, never);
      await bench.disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
      await refused({ kind: 'delete', stamp: last });
      await dropDisks(bench, disk);
    },
  },
  {
    id: 'D-30',
    title: 'what is made anew is taken from whoever has the old one open',
    check: async (bench) => {
      const disk = await madeDisk(bench, size, hostA);
      const { served } = await present(bench, disk);
      await bench.hands.write(hostA, served, 9, 0, size);
      const session = await bench.hands.stayLoggedIn(hostA, served);
      try {
        await bench.hands.spoil(disk.diskUid);
        await bench.disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
        expect(await present(bench, disk)).toMatchObject({ complete: true, published: [], sessions: [] });
        expect(await bench.hands.logsIn(hostA, served)).toBe(false);
      } finally {
        await session.close();
      }
      await bench.disks.take(disk, publish(hostB), never);
      expect(await bench.hands.holds(hostB, served, 0, 0, size)).toBe(true);
      await dropDisks(bench, disk);
    },
  },
];
