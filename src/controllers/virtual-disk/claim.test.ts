import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimOf, homeOf } from './claim.ts';
import { madeStatus, presentOn, sampleDisk, sampleUser, sampleWorld } from './sample-world.ts';
import type { DiskSight, UserWorld } from './world.ts';

const held = { purpose: 'run', vmUid: 'm1', vmName: 'web-1', host: 'kvm.node1' } as const;
const disk = sampleDisk({}, { status: madeStatus({ claim: held }) });
const ghost = {
  identity: { clusterId: 'c', uid: 'm1', uuid: 'u', namespace: 'team-a', name: 'web-1', domainName: 'x' },
};
const lookedFor = (change: Partial<NonNullable<DiskSight['ghost']>>): DiskSight => ({
  ...presentOn(),
  ghost: { sightings: [], unseen: [], namesakes: [], ...change },
});

describe('a claim', () => {
  it('goes to the oldest machine that shall run and is on the host of the disk', () => {
    const users = [
      sampleUser({ uid: 'young', name: 'young', createdMs: 3 }),
      sampleUser({ uid: 'elsewhere', createdMs: 1, host: 'kvm.node2' }),
      sampleUser({ uid: 'old', name: 'old', createdMs: 2 }),
      sampleUser({ uid: 'off', createdMs: 0, wantsToRun: false }),
      sampleUser({ uid: 'going', createdMs: 0, deleting: true }),
      sampleUser({ uid: 'homeless', createdMs: 0, host: undefined }),
    ];
    const world = sampleWorld(sampleDisk({}, { status: madeStatus() }), { users });
    expect(claimOf(world, presentOn(), 'kvm.node1')).toEqual({
      purpose: 'run',
      vmUid: 'old',
      vmName: 'old',
      host: 'kvm.node1',
    });
  });

  it('stays with a machine that has not said that it let go', () => {
    const users = [
      sampleUser({ wantsToRun: false, released: false }),
      sampleUser({ uid: 'm2', createdMs: 0 }),
    ];
    expect(claimOf(sampleWorld(disk, { users }), presentOn(), 'kvm.node1')).toEqual(held);
  });

  it('passes on once it did', () => {
    const users = [
      sampleUser({ wantsToRun: false, released: true }),
      sampleUser({ uid: 'm2', name: 'web-2' }),
    ];
    expect(claimOf(sampleWorld(disk, { users }), presentOn(), 'kvm.node1')?.vmUid).toBe('m2');
  });

  it('stays while a machine whose object is gone may still be on a host', () => {
    const world = sampleWorld(disk, { ghost, users: [sampleUser({ uid: 'm2' })] });
    expect(claimOf(world, presentOn(), 'kvm.node1'), 'nobody looked').toEqual(held);
    expect(claimOf(world, lookedFor({ unseen: ['node2'] }), 'kvm.node1'), 'a host was silent').toEqual(held);
    const sighting = { host: 'node1', ownership: { kind: 'none' }, power: { kind: 'running' } } as const;
    expect(claimOf(world, lookedFor({ sightings: [sighting] }), 'kvm.node1'), 'it was retained').toEqual(
      held,
    );
    expect(claimOf(world, lookedFor({}), 'kvm.node1')?.vmUid).toBe('m2');
  });

  it('is given to nobody while the disk is being deleted', () => {
    const deleting = sampleDisk(
      {},
      { metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' }, status: madeStatus() },
    );
    expect(
      claimOf(sampleWorld(deleting, { users: [sampleUser()] }), presentOn(), 'kvm.node1'),
    ).toBeUndefined();
  });

  it('never leaves a holder that wants to run, whoever else does (law of one user)', () => {
    const user = fc.record({
      uid: fc.constantFrom('m1', 'm2', 'm3'),
      createdMs: fc.nat(5),
      wantsToRun: fc.boolean(),
      released: fc.boolean(),
      deleting: fc.constant(false),
    });
    fc.assert(
      fc.property(fc.uniqueArray(user, { selector: ({ uid }) => uid, maxLength: 3 }), (some) => {
        const users = some.map((it): UserWorld => sampleUser({ ...it, name: it.uid }));
        const holder = users.find(({ uid }) => uid === 'm1');
        const next = claimOf(sampleWorld(disk, { users }), presentOn(), 'kvm.node1');
        if (holder === undefined || holder.wantsToRun || !holder.released) expect(next?.vmUid).toBe('m1');
        else expect(users.find(({ uid }) => uid === next?.vmUid)?.wantsToRun ?? true).toBe(true);
      }),
    );
  });
});

describe('the home of a disk', () => {
  it('is where it was bound, else where its first machine was placed', () => {
    expect(homeOf(sampleWorld(disk))).toBe('kvm.node1');
    const users = [
      sampleUser({ uid: 'b', host: 'kvm.node2', createdMs: 2 }),
      sampleUser({ uid: 'a', host: undefined, createdMs: 1 }),
    ];
    expect(homeOf(sampleWorld(sampleDisk(), { users }))).toBe('kvm.node2');
    expect(homeOf(sampleWorld())).toBeUndefined();
  });

  it('is beside the disk it is copied from', () => {
    const source = { kind: 'disk', name: 'a', volume: 'v', sizeBytes: 1, host: 'kvm.node2' } as const;
    expect(homeOf(sampleWorld(sampleDisk(), { source, users: [sampleUser()] }))).toBe('kvm.node2');
  });
});
