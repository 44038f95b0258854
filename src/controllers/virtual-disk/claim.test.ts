import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MACHINE_UID_ANNOTATION } from '../../api/identity.ts';
import type { Sighting } from '../../drivers/hypervisor/contract.ts';
import type { VmShape } from '../../drivers/hypervisor/shape.ts';
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

  it('of no machine, which is what is left of a forged one, is none', () => {
    const left = { purpose: 'run', host: 'kvm.node1', published: true } as const;
    const forged = sampleDisk({}, { status: madeStatus({ claim: left }) });
    expect(claimOf(sampleWorld(forged), presentOn(), 'kvm.node1')).toBeUndefined();
    const users = [sampleUser({ uid: 'm1', name: 'web-1' })];
    expect(claimOf(sampleWorld(forged, { users }), presentOn(), 'kvm.node1')).toEqual(held);
  });

  it('stays with a machine that has not said that it let go', () => {
    const users = [
      sampleUser({ wantsToRun: false, released: false }),
      sampleUser({ uid: 'm2', createdMs: 0 }),
    ];
    expect(claimOf(sampleWorld(disk, { users }), presentOn(), 'kvm.node1')).toEqual(held);
  });

  it('stays with the machine it was made for while that is being deleted, until the disk goes too', () => {
    const users = [sampleUser({ deleting: true }), sampleUser({ uid: 'm2', createdMs: 0 })];
    const annotations = { [MACHINE_UID_ANNOTATION]: 'm1' };
    const made = (metadata: object): ReturnType<typeof claimOf> => {
      const own = sampleDisk({}, { metadata, status: madeStatus({ claim: held }) });
      return claimOf(sampleWorld(own, { users, ghost }), lookedFor({}), 'kvm.node1');
    };
    expect(made({ annotations })).toEqual(held);
    expect(made({ annotations, deletionTimestamp: '2026-01-01T00:00:00Z' })).toBeUndefined();
    expect(made({})?.vmUid).toBe('m2');
  });

  const off: Sighting = {
    host: 'node1',
    ownership: { kind: 'none' },
    power: { kind: 'off', cause: 'Destroyed' },
  };
  const shape: VmShape = {
    cpu: { sockets: 1, cores: 1, threads: 1 },
    memoryMiB: 1,
    disks: [],
    cdroms: [],
    nics: [],
    hardware: {},
    autostart: false,
  };
  const runningWith = (...serials: readonly string[]): Sighting => ({
    ...off,
    power: { kind: 'running' },
    running: {
      ...shape,
      disks: serials.map((serial) => ({
        name: 'x',
        serial,
        bus: 'Virtio',
        sizeBytes: 1,
        attachment: { kind: 'file', path: '/x', format: 'qcow2', backing: [] },
      })),
    },
  });

  it('passes on once the hosts say that it is free', () => {
    const users = [
      sampleUser({ wantsToRun: false, released: true }),
      sampleUser({ uid: 'm2', name: 'web-2' }),
    ];
    const world = sampleWorld(disk, { users, ghost });
    for (const sighting of [off, runningWith('other')])
      expect(claimOf(world, lookedFor({ sightings: [sighting] }), 'kvm.node1')?.vmUid).toBe('m2');
    expect(claimOf(world, lookedFor({}), 'kvm.node1')?.vmUid, 'it was removed').toBe('m2');
  });

  it('does not pass on because a status says so (lost, forged, or older than a crash)', () => {
    const users = [
      sampleUser({ wantsToRun: false, released: true }),
      sampleUser({ uid: 'm2', name: 'web-2' }),
    ];
    const world = sampleWorld(disk, { users, ghost });
    expect(claimOf(world, presentOn(), 'kvm.node1'), 'nobody looked').toEqual(held);
    const plugged = lookedFor({ sightings: [runningWith('d1')] });
    expect(claimOf(world, plugged, 'kvm.node1'), 'the machine runs with the disk').toEqual(held);
    expect(claimOf(world, lookedFor({ unseen: ['node1'] }), 'kvm.node1'), 'its host is silent').toEqual(held);
  });

  it('that was lost goes back to the machine that has the disk, not to the oldest', () => {
    const users = [
      sampleUser({ uid: 'old', name: 'old', createdMs: 1 }),
      sampleUser({ uid: 'has', name: 'has', createdMs: 2, plugged: true }),
    ];
    const wiped = sampleDisk({}, { status: madeStatus() });
    expect(claimOf(sampleWorld(wiped, { users }), presentOn(), 'kvm.node1')?.vmUid).toBe('has');
    const [old, has] = users.map((user) => ({ ...user, wantsToRun: user.uid === 'old' }));
    if (old === undefined || has === undefined) throw new Error('two users');
    const stopping = sampleWorld(wiped, { users: [old, has] });
    expect(claimOf(stopping, presentOn(), 'kvm.node1'), 'not before it let go').toBeUndefined();
  });

  it('is given to nobody while another machine, whose status was lost, may have the disk', () => {
    const wiped = sampleDisk({}, { status: madeStatus() });
    const users = [sampleUser({ uid: 'a', createdMs: 1 }), sampleUser({ uid: 'b', unknown: true })];
    expect(claimOf(sampleWorld(wiped, { users }), presentOn(), 'kvm.node1')).toBeUndefined();
    const alone = sampleWorld(wiped, { users: [sampleUser({ uid: 'b', unknown: true })] });
    expect(claimOf(alone, presentOn(), 'kvm.node1')?.vmUid, 'a new machine is alone').toBe('b');
  });

  it('is given to nobody while the disk is being copied', () => {
    const world = sampleWorld(sampleDisk({}, { status: madeStatus() }), {
      users: [sampleUser()],
      copying: true,
    });
    expect(claimOf(world, presentOn(), 'kvm.node1')).toBeUndefined();
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
        const next = claimOf(sampleWorld(disk, { users, ghost }), lookedFor({}), 'kvm.node1');
        if (holder !== undefined && (holder.wantsToRun || !holder.released)) expect(next?.vmUid).toBe('m1');
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
    const source = {
      kind: 'disk',
      uid: 'd0',
      name: 'a',
      volume: 'v',
      sizeBytes: 1,
      host: 'kvm.node2',
    } as const;
    expect(homeOf(sampleWorld(sampleDisk(), { source, users: [sampleUser()] }))).toBe('kvm.node2');
  });
});
