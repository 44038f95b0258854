import { describe, expect, it } from 'vitest';
import { Fault } from '../../runtime/fault.ts';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { absentOn, GiB, madeStatus, presentOn, sampleDisk, sampleUser, sampleWorld } from './sample-world.ts';
import type { DiskWorld, SourceWorld } from './world.ts';

const stepOf = (decision: Decision) => (decision.plan.kind === 'step' ? decision.plan.step : undefined);
const image = (change: Partial<Extract<SourceWorld, { kind: 'image' }>> = {}): SourceWorld => ({
  kind: 'image',
  uid: 'i1',
  name: 'tiny',
  file: 'ovcp-image-i1.qcow2',
  virtualSizeBytes: 2 * GiB,
  linked: true,
  readers: [],
  readyOn: ['kvm.node1'],
  ...change,
});
const used: Partial<DiskWorld> = { users: [sampleUser()] };
const nothing = { volumes: [], unseen: [] };
const deleting = { deletionTimestamp: '2026-01-02T00:00:00Z' };

describe('a new disk', () => {
  it('waits, healthily, for its first machine on a host-local pool', () => {
    expect(decide(sampleWorld(), nothing)).toMatchObject({
      plan: { kind: 'settled' },
      health: 'ok',
      reason: 'WaitingForFirstUse',
    });
  });

  it('is made on the host of that machine', () => {
    expect(stepOf(decide(sampleWorld(sampleDisk(), used), absentOn()))).toEqual({
      kind: 'store',
      host: 'kvm.node1',
      step: { kind: 'createBlank', volume: 'ovcp-disk-d1.qcow2', format: 'qcow2', sizeBytes: GiB },
    });
  });

  it('is made at once on shared storage', () => {
    expect(stepOf(decide(sampleWorld(sampleDisk(), { shared: true }), absentOn()))).toMatchObject({
      host: 'kvm.node1',
    });
  });

  it('has the larger of both sizes when it stands on an image', () => {
    const world = sampleWorld(sampleDisk(), { ...used, source: image() });
    expect(stepOf(decide(world, absentOn()))).toMatchObject({
      step: { kind: 'createLinked', backing: 'ovcp-image-i1.qcow2', sizeBytes: 2 * GiB },
    });
  });

  it('waits for the image on its own host', () => {
    const world = sampleWorld(sampleDisk(), { ...used, source: image({ readyOn: ['kvm.node2'] }) });
    expect(decide(world, absentOn())).toMatchObject({ plan: { kind: 'wait' }, reason: 'WaitingForImage' });
  });

  it('is copied as a job, and a failed job is told and started anew', () => {
    const source = image({ linked: false });
    expect(stepOf(decide(sampleWorld(sampleDisk(), { ...used, source }), absentOn()))).toMatchObject({
      kind: 'copy',
    });
    const job = { kind: 'failed', fault: new Fault('unreachable', 'gone'), atMs: 1 } as const;
    expect(stepOf(decide(sampleWorld(sampleDisk(), { ...used, source, job }), absentOn()))).toEqual({
      kind: 'failCopy',
    });
  });

  it('is not copied from a disk in use', () => {
    const source = {
      kind: 'disk',
      uid: 'd0',
      name: 'a',
      volume: 'v',
      sizeBytes: GiB,
      host: 'kvm.node1',
      inUseBy: 'web-2',
    } as const;
    expect(decide(sampleWorld(sampleDisk(), { source }), absentOn())).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'DiskInUse',
    });
  });

  it('is remade when its making was cut off', () => {
    expect(
      stepOf(decide(sampleWorld(sampleDisk(), used), presentOn('kvm.node1', { complete: false }))),
    ).toMatchObject({ kind: 'store' });
  });
});

describe('a disk that was made', () => {
  const made = sampleDisk({}, { status: madeStatus() });

  it('is available, or attached', () => {
    expect(decide(sampleWorld(made), presentOn())).toMatchObject({ health: 'ok', reason: 'Available' });
    expect(decide(sampleWorld(made, used), presentOn())).toMatchObject({ health: 'ok', reason: 'Attached' });
  });

  it('is never made anew when its volume is gone', () => {
    expect(decide(sampleWorld(made, used), absentOn())).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'DiskLost',
    });
  });

  it('is grown while nobody holds it, and by its machine otherwise', () => {
    const grown = sampleDisk({ size: '3Gi' }, { status: madeStatus() });
    expect(stepOf(decide(sampleWorld(grown, used), presentOn()))).toMatchObject({
      step: { kind: 'grow', sizeBytes: 3 * GiB },
    });
    const claim = { purpose: 'run', vmUid: 'm1', vmName: 'web-1', host: 'kvm.node1' } as const;
    const heldDisk = sampleDisk({ size: '3Gi' }, { status: madeStatus({ claim }) });
    expect(decide(sampleWorld(heldDisk, used), presentOn())).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'Growing',
    });
  });

  it('is lost with a host that was declared gone', () => {
    const hosts = [
      {
        name: 'kvm.node1',
        id: 'node1',
        pool: 'kvm',
        usable: false,
        declaredDown: 'fire',
        initiator: 'iqn.host.1',
      },
    ];
    expect(decide(sampleWorld(made, { hosts }), nothing)).toMatchObject({ reason: 'DiskLost' });
  });
});

describe('the end of a disk', () => {
  const going = sampleDisk({}, { metadata: deleting, status: madeStatus() });

  it('waits for the machine that names it', () => {
    expect(decide(sampleWorld(going, used), presentOn())).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'WaitingForDetach',
    });
  });

  it('takes the data along, then the finalizer', () => {
    expect(stepOf(decide(sampleWorld(going), presentOn()))).toMatchObject({
      step: { kind: 'delete', volume: 'ovcp-disk-d1.qcow2' },
    });
    expect(stepOf(decide(sampleWorld(going), absentOn()))).toEqual({ kind: 'removeFinalizer' });
  });

  it('gives up a copy that waits or runs: it would make a volume that nobody names', () => {
    for (const job of [
      { kind: 'queued', queuedMs: 1 },
      { kind: 'running', startedMs: 1 },
    ] as const) {
      expect(stepOf(decide(sampleWorld(going, { job }), absentOn()))).toEqual({ kind: 'cancelMake' });
    }
  });

  it('leaves retained data', () => {
    const retained = sampleDisk({ reclaimPolicy: 'Retain' }, { metadata: deleting, status: madeStatus() });
    expect(stepOf(decide(sampleWorld(retained), presentOn()))).toEqual({ kind: 'removeFinalizer' });
  });

  it('waits for hosts that may hold the data', () => {
    expect(decide(sampleWorld(going), { volumes: [], unseen: ['kvm.node1'] })).toMatchObject({
      plan: { kind: 'wait' },
      reason: 'HostUnreachable',
    });
  });

  it('takes the image along when it was the last to stand on it', () => {
    const world = sampleWorld(going, { orphanedImage: 'ovcp-image-i1.qcow2' });
    expect(stepOf(decide(world, absentOn()))).toEqual({
      kind: 'dropImage',
      host: 'kvm.node1',
      file: 'ovcp-image-i1.qcow2',
    });
  });
});
