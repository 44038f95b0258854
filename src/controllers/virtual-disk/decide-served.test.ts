import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { actsUnseen } from './decide-served.ts';
import { absent, claim, host1, host2, made, off, present, served, stepOf, world } from './sample-served.ts';
import { GiB, sampleDisk, sampleUser, sampleWorld } from './sample-world.ts';
import { statusOf } from './status.ts';
import type { DiskSight, DiskWorld } from './world.ts';

describe('a disk that is not there', () => {
  it('is made blank', () => {
    expect(stepOf(world(undefined), absent)).toEqual({
      kind: 'make',
      from: { kind: 'blank' },
      sizeBytes: GiB,
    });
  });

  it('is filled from where its image can be read, and not smaller than it', () => {
    const place = {
      clusterId: 'c',
      poolUid: 'p2',
      poolName: 'files',
      path: '/files',
      topology: 'HostLocal',
    } as const;
    const reader = { name: 'kvm.node2', id: 'node2', pool: 'kvm', place };
    const source = {
      kind: 'image',
      uid: 'i1',
      name: 'debian',
      file: 'ovcp-image-i1.qcow2',
      virtualSizeBytes: 3 * GiB,
      linked: false,
      readyOn: ['kvm.node2'],
      readers: [reader],
    } as const;
    expect(stepOf(world(undefined, { source }), absent)).toEqual({
      kind: 'make',
      from: { kind: 'image', reader, file: 'ovcp-image-i1.qcow2' },
      sizeBytes: 3 * GiB,
    });
    expect(decide(world(undefined, { source: { ...source, readers: [] } }), absent).reason).toBe(
      'WaitingForImage',
    );
  });

  it('is not copied from one that is in use', () => {
    const source = { kind: 'disk', name: 'a', uid: 'd0', volume: 'v', sizeBytes: GiB } as const;
    expect(stepOf(world(undefined, { source }), absent)).toMatchObject({
      from: { kind: 'clone', diskUid: 'd0' },
    });
    expect(decide(world(undefined, { source: { ...source, inUseBy: 'web-9' } }), absent).reason).toBe(
      'DiskInUse',
    );
  });

  it('is made anew while nobody finished it, and never once it was there', () => {
    expect(stepOf(world(undefined), present({ complete: false }))).toMatchObject({ kind: 'make' });
    expect(decide(world(made()), absent)).toMatchObject({ health: 'trouble', reason: 'DiskLost' });
  });

  it('is waited for while it is being made', () => {
    const job = { kind: 'running', startedMs: 0 } as const;
    expect(stepOf(world(undefined, { job }), absent)).toBe('wait');
  });
});

describe('who is let in', () => {
  const users = [sampleUser()];

  it('is the host of the claim, after the claim is written', () => {
    const unclaimed = world(made(), { users });
    expect(stepOf(unclaimed, present())).toEqual({ kind: 'grant', claim });
    expect(statusOf(unclaimed, present(), undefined, undefined, 0).claim).toBeUndefined();
    const claimed = world(made({ claim }), { users });
    expect(stepOf(claimed, present())).toEqual({
      kind: 'serve',
      step: { kind: 'publish', initiator: { iqn: host1 }, alone: true },
    });
    const after = statusOf(claimed, present({ published: [host1] }), undefined, undefined, 0);
    expect(after.claim).toEqual({ ...claim, published: true });
  });

  it('is said to be let in by the word of the server alone', () => {
    const claimed = world(made({ claim: { ...claim, published: true } }), { users });
    expect(statusOf(claimed, present(), undefined, undefined, 0).claim).toEqual(claim);
    // What cannot be looked at stays as it was.
    expect(statusOf(claimed, undefined, undefined, undefined, 0).claim).toMatchObject({ published: true });
  });

  it('is nobody before the holder let go by the word of its hosts', () => {
    const stopped = [
      sampleUser({ wantsToRun: false, released: true }),
      sampleUser({ uid: 'm2', name: 'web-2' }),
    ];
    const held = world(made({ claim: { ...claim, published: true } }), { users: stopped });
    const seen = present({ published: [host1], sessions: [host1] });
    // Its hosts were not asked: everything stays.
    expect(stepOf(held, seen)).toBe('settled');
    expect(statusOf(held, seen, undefined, undefined, 0).claim).toMatchObject({ vmUid: 'm1' });
    // A session that a crash left open is no reason to keep it: the hosts say that nothing runs.
    expect(stepOf(held, { ...seen, ghost: off })).toEqual({
      kind: 'withdraw',
      iqn: host1,
      secretFrom: 'kvm.node1',
    });
  });

  it('is the next only after the last is out', () => {
    const both = [
      sampleUser({ wantsToRun: false, released: true }),
      sampleUser({ uid: 'm2', name: 'web-2' }),
    ];
    const held = world(made({ claim: { ...claim, published: true } }), { users: both });
    const still = { ...present({ published: [host1] }), ghost: off };
    expect(statusOf(held, still, undefined, undefined, 0).claim).toMatchObject({ vmUid: 'm1' });
    const out = { ...present(), ghost: off };
    expect(stepOf(held, out)).toEqual({ kind: 'grant', claim: { ...claim, vmUid: 'm2', vmName: 'web-2' } });
  });

  it('is never cut off on a guess when the claim was lost', () => {
    const lost = world(made());
    expect(stepOf(lost, present({ published: [host1], sessions: [host1] }))).toBe('wait');
    expect(decide(lost, present({ published: [host1], sessions: [host1] })).reason).toBe('DiskInUse');
    // Nobody is logged in, and no machine may have it.
    expect(stepOf(lost, present({ published: [host1] }))).toEqual({ kind: 'withdraw', iqn: host1 });
    const doubt = world(made(), {
      users: [sampleUser({ host: 'kvm.node1', wantsToRun: false, unknown: true })],
    });
    expect(stepOf(doubt, present({ published: [host1] }))).toBe('wait');
  });

  it('is not cut off while a machine whose whole status was lost may be there', () => {
    const users = [sampleUser({ host: undefined, wantsToRun: false, unknown: true })];
    expect(stepOf(world(made(), { users }), present({ published: [host1] }))).toBe('wait');
  });

  it('stays let in when its HostPool was taken out of the pool, whoever is logged in now', () => {
    const away = { ...claim, host: 'old.node9' };
    const users = [sampleUser({ host: 'old.node9', plugged: true })];
    const left = world(made({ claim: away }), { users });
    expect(decide(left, present({ published: ['iqn.host.9'] })).reason).toBe('NotInPool');
    // Claim and all: the machine is known by its status alone.
    expect(stepOf(world(made(), { users }), present({ published: ['iqn.host.9'] }))).toBe('wait');
    // Hosts of the pool are told apart as ever.
    expect(stepOf(left, present({ published: ['iqn.host.9', host1] }))).toMatchObject({ iqn: host1 });
    // The holder let go: the hosts say so.
    const gone = world(made({ claim: away }), { users: [] });
    expect(stepOf(gone, { ...present({ published: ['iqn.host.9'] }), ghost: off })).toMatchObject({
      kind: 'withdraw',
    });
  });

  it('is the host of the machine that has the disk, when the claim was lost', () => {
    const lost = world(made(), { users: [sampleUser({ plugged: true })] });
    const seen = present({ published: [host1], sessions: [host1] });
    expect(stepOf(lost, seen)).toBe('settled');
    expect(statusOf(lost, seen, undefined, undefined, 0).claim).toEqual({ ...claim, published: true });
  });

  it('is not a host that was declared gone for good', () => {
    const hosts = [
      {
        name: 'kvm.node1',
        id: 'node1',
        pool: 'kvm',
        usable: false,
        declaredDown: 'fire',
        initiator: host1,
      },
    ];
    expect(stepOf(world(made(), { hosts }), present({ published: [host1], sessions: [host1] }))).toEqual({
      kind: 'withdraw',
      iqn: host1,
    });
  });

  it('is one host, although another was let in by hand', () => {
    const claimed = world(made({ claim }), { users });
    expect(stepOf(claimed, present({ published: [host1, host2] }))).toEqual({ kind: 'withdraw', iqn: host2 });
    // Somebody works there: the machine that has the disk by right is not held up.
    expect(stepOf(claimed, present({ published: [host1, host2], sessions: [host2] }))).toBe('settled');
    expect(stepOf(claimed, present({ published: [host2], sessions: [host2] }))).toBe('wait');
  });
});

describe('what the server said last', () => {
  const users = [sampleUser()];
  const unseen = (it: DiskWorld, seen: DiskSight): boolean => {
    const { plan } = decide(it, seen);
    return (
      seen.served !== undefined && actsUnseen(it, seen.served, plan.kind === 'step' ? plan.step : undefined)
    );
  };

  it('is enough to give a disk that nobody had to a machine', () => {
    expect(unseen(world(made(), { users }), present())).toBe(true);
    expect(unseen(world(made({ claim }), { users }), present())).toBe(true);
  });

  it('is enough to let out the host of the claim, by the word of its hosts', () => {
    const gone = world(made({ claim: { ...claim, published: true } }), { users: [] });
    const seen = { ...present({ published: [host1], sessions: [host1] }), ghost: off };
    expect(unseen(gone, seen)).toBe(true);
  });

  it('is not enough for anything else', () => {
    const stranger = present({ published: ['iqn.host.9'] });
    expect(unseen(world(made(), { users: [] }), stranger)).toBe(false);
    expect(unseen(world(made(), { users }), stranger)).toBe(false);
    expect(unseen(world(made(), { users: [] }), present())).toBe(false);
    const attached = world(made({ claim: { ...claim, published: true } }), { users });
    expect(unseen(attached, present({ published: [host1] }))).toBe(false);
    expect(unseen(world(undefined, { users }), absent)).toBe(false);
    expect(unseen(world(undefined, { users }), present({ complete: false }))).toBe(false);
    expect(unseen(world(made(), { users }), present({ sizeBytes: GiB / 2 }))).toBe(false);
  });
});

describe('growing', () => {
  const users = [sampleUser()];
  const bigger = (
    change: Partial<DiskWorld>,
    status = made({ claim: { ...claim, published: true } }),
  ): DiskWorld =>
    sampleWorld(sampleDisk({ size: '2Gi', storagePoolRef: { name: 'san' } }, { status }), {
      shared: true,
      served: served(),
      users,
      ...change,
    });
  const grow = { kind: 'serve', step: { kind: 'grow', sizeBytes: 2 * GiB } };

  it('happens at once where the server can, or nobody has the disk', () => {
    expect(stepOf(bigger({}), present({ published: [host1] }))).toEqual(grow);
    expect(stepOf(bigger({ users: [] }, made()), present())).toEqual(grow);
  });

  it('waits for the power cycle elsewhere, and says so', () => {
    const offline = bigger({ served: served({ growsOnline: false, growsNext: true }) });
    expect(decide(offline, present({ published: [host1] }))).toMatchObject({
      plan: { kind: 'settled' },
      reason: 'GrowsAtPowerCycle',
    });
  });

  it('is not tried under a running machine whose claim was lost: the claim comes first', () => {
    const users = [sampleUser({ plugged: true })];
    const lost = bigger({ users, served: served({ growsOnline: false }) }, made());
    const seen = present({ published: [host1], sessions: [host1] });
    expect(stepOf(lost, seen)).toBe('settled');
    expect(statusOf(lost, seen, undefined, undefined, 0).claim).toEqual({ ...claim, published: true });
  });

  it('takes the disk back from a machine that is off, though it is to run again', () => {
    const stopped = [sampleUser({ released: true })];
    const it = bigger({ users: stopped, served: served({ growsOnline: false, growsNext: true }) });
    const seen = { ...present({ published: [host1] }), ghost: off };
    expect(stepOf(it, seen)).toMatchObject({ kind: 'withdraw', iqn: host1 });
    const out = { ...present(), ghost: off };
    expect(stepOf(it, out)).toEqual(grow);
    const grown = { ...present({ sizeBytes: 2 * GiB }), ghost: off };
    const status = statusOf(it, grown, undefined, undefined, 0);
    expect(status).toMatchObject({ size: '2Gi', claim: { vmUid: 'm1' } });
    expect(status.claim?.published).toBeUndefined();
  });
});

describe('deletion', () => {
  const going = (change: Partial<DiskWorld>, reclaimPolicy: 'Delete' | 'Retain' = 'Delete'): DiskWorld =>
    sampleWorld(
      sampleDisk(
        { storagePoolRef: { name: 'san' }, reclaimPolicy },
        { status: made(), metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' } },
      ),
      { shared: true, served: served(), ...change },
    );

  it('gives up what is being made, lets everybody out, and removes the data', () => {
    const job = { kind: 'running', startedMs: 0 } as const;
    expect(stepOf(going({ job }), absent)).toEqual({ kind: 'cancelMake' });
    expect(stepOf(going({}), present({ published: [host1] }))).toMatchObject({ kind: 'withdraw' });
    expect(stepOf(going({}), present())).toEqual({ kind: 'serve', step: { kind: 'delete' } });
    expect(stepOf(going({}), absent)).toEqual({ kind: 'removeFinalizer' });
  });

  it('leaves the data where it is to stay, and nobody let in', () => {
    expect(stepOf(going({}, 'Retain'), present({ published: [host1] }))).toMatchObject({ kind: 'withdraw' });
    expect(stepOf(going({}, 'Retain'), present())).toEqual({ kind: 'removeFinalizer' });
  });
});
