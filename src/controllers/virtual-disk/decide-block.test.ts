import { describe, expect, it } from 'vitest';
import { Fault } from '../../runtime/fault.ts';
import { decide } from './decide.ts';
import { absentOn, GiB, madeStatus, presentOn, sampleDisk, sampleUser, sampleWorld } from './sample-world.ts';
import { statusOf } from './status.ts';
import type { DiskSight, DiskWorld, SourceWorld } from './world.ts';

const volume = 'ovcp-disk-d1.raw';
const home = 'kvm.node1';
const claim = { purpose: 'run', vmUid: 'm1', vmName: 'web-1', host: home } as const;

const world = (change: Partial<DiskWorld> = {}, status = madeStatus()): DiskWorld =>
  sampleWorld(sampleDisk({ size: '2Gi' }, { status }), {
    volume,
    block: { growsNext: true },
    ...change,
  });

const here = (sizeBytes = GiB, more: object = {}): DiskSight => ({
  ...presentOn(home, { name: volume, format: 'raw', sizeBytes, ...more }),
  ghost: undefined,
});

/** The hosts say that the machine does not run. */
const letGo = (sight: DiskSight): DiskSight => ({
  ...sight,
  ghost: { sightings: [], unseen: [], namesakes: [] },
});

const fresh = (source: SourceWorld): DiskWorld =>
  sampleWorld(sampleDisk(), { volume, block: { growsNext: false }, source, users: [sampleUser()] });

describe('a disk in a volume group is made by a job', () => {
  it('blank: written over with zeros', () => {
    expect(decide(fresh({ kind: 'blank' }), absentOn()).plan).toEqual({
      kind: 'step',
      step: { kind: 'fill', host: home, from: { kind: 'blank' }, sizeBytes: GiB },
    });
  });

  it('from an image, wherever a copy can be read', () => {
    const place = sampleWorld().place;
    if (place === undefined) throw new Error('the sample has a place');
    const reader = { name: 'kvm.node2', id: 'node2', pool: 'kvm', place };
    const image = {
      kind: 'image',
      uid: 'i1',
      name: 'debian',
      file: 'ovcp-image-i1.qcow2',
      virtualSizeBytes: 3 * GiB,
      linked: false,
      readyOn: ['kvm.node2'],
    } as const;
    const from = { kind: 'image', reader, file: image.file };
    expect(decide(fresh({ ...image, readers: [reader] }), absentOn()).plan).toEqual({
      kind: 'step',
      step: { kind: 'fill', host: home, from, sizeBytes: 3 * GiB },
    });
    expect(decide(fresh({ ...image, readers: [] }), absentOn()).reason).toBe('WaitingForImage');
  });
});

describe('a disk in a volume group that is to grow', () => {
  it('is left to the machine that holds it', () => {
    const held = world({ users: [sampleUser({ plugged: true })] }, madeStatus({ claim }));
    const decision = decide(held, here());
    expect(decision).toMatchObject({ reason: 'GrowsAtPowerCycle', health: 'ok' });
    expect(statusOf(held, here(), undefined, undefined, 0).claim).toEqual(claim);
  });

  it('is taken back by the hosts’ word when its machine is off, and granted to nobody', () => {
    const users = [sampleUser({ released: true })];
    const held = world({ users }, madeStatus({ claim }));
    expect(decide(held, letGo(here()))).toMatchObject({ reason: 'Growing', plan: { kind: 'wait' } });
    expect(statusOf(held, letGo(here()), undefined, undefined, 0).claim).toBeUndefined();
    // Without that word it stays.
    expect(statusOf(held, here(), undefined, undefined, 0).claim).toEqual(claim);
  });

  it('grows once the status says that nobody holds it', () => {
    const free = world({ users: [sampleUser({ released: true })] });
    expect(decide(free, here()).plan).toEqual({
      kind: 'step',
      step: { kind: 'regrow', host: home, sizeBytes: 2 * GiB },
    });
    expect(statusOf(free, here(), undefined, undefined, 0).claim).toBeUndefined();
  });

  it('waits for whoever may have it: a lost claim, a machine that is being started, a copy', () => {
    const wait = { reason: 'Growing', plan: { kind: 'wait' } };
    expect(decide(world({ users: [sampleUser({ unknown: true, host: undefined })] }), here())).toMatchObject(
      wait,
    );
    expect(decide(world({ opening: true }), here())).toMatchObject(wait);
    expect(decide(world({ copying: true }), here())).toMatchObject(wait);
    const plugged = world({ users: [sampleUser({ plugged: true })] });
    expect(decide(plugged, here()).reason).toBe('GrowsAtPowerCycle');
    expect(statusOf(plugged, here(), undefined, undefined, 0).claim).toEqual(claim);
  });

  it('that was put aside goes on growing, and is never taken for lost or unmade', () => {
    const aside = here(GiB, { complete: false, growing: true });
    const step = { kind: 'regrow', host: home, sizeBytes: 2 * GiB };
    expect(decide(world({ users: [sampleUser()] }), aside).plan).toEqual({ kind: 'step', step });
    const lost = sampleWorld(sampleDisk({ size: '2Gi' }), {
      volume,
      block: { growsNext: false },
      users: [sampleUser()],
    });
    expect(decide(lost, aside).plan).toEqual({ kind: 'step', step });
    expect(statusOf(lost, aside, undefined, undefined, 0).claim).toBeUndefined();
  });

  it('has what an earlier growing left removed, under a machine too', () => {
    const held = world({ users: [sampleUser()], block: { growsNext: false } }, madeStatus({ claim }));
    const left = here(2 * GiB, { growing: true });
    expect(decide(held, left).plan).toMatchObject({
      kind: 'step',
      step: { kind: 'store', step: { kind: 'grow', volume, sizeBytes: 2 * GiB } },
    });
    expect(decide(held, here(2 * GiB)).reason).toBe('Attached');
  });

  it('tells why it could not, and is tried again', () => {
    const fault = new Fault('unreachable', 'No room.', { reason: 'StoragePoolFull' });
    const { plan } = decide(world({ job: { kind: 'failed', fault, atMs: 0 } }), here());
    expect(plan).toEqual({ kind: 'step', step: { kind: 'failCopy' } });
  });
});
