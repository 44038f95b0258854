/** The checker can fail: each invariant is shown a world that violates it, and the same world put right. */
import { describe, expect, it } from 'vitest';
import { diskVolumeName, FINALIZER, networkUuid, vmUuid } from '../../src/api/identity.ts';
import type { VmRecord } from '../../src/drivers/hypervisor/contract.ts';
import type { VmShape } from '../../src/drivers/hypervisor/shape.ts';
import { addMachine, powerOn } from '../../src/drivers/hypervisor/simulated/machines.ts';
import { createWorld, type SimulatedWorld } from '../../src/drivers/hypervisor/simulated/world.ts';
import { clock, type Thing } from './api.ts';
import {
  deletionIsDue,
  durableRecord,
  type Facts,
  fits,
  generationGrows,
  leftAlone,
  noOrphans,
  nothingLeft,
  oneHostOneWriter,
  readyIsTrue,
} from './invariants.ts';

const clusterId = 'check';
const vmUid = '11111111-1111-4111-8111-111111111111';
const otherUid = '22222222-2222-4222-8222-222222222222';
const diskUid = '33333333-3333-4333-8333-333333333333';
const uuid = vmUuid(clusterId, vmUid);
const volume = diskVolumeName(diskUid, 'qcow2');
const place = { path: '/pool', topology: 'HostLocal' } as const;

const thing = (kind: string, name: string, uid: string, more: object = {}): Thing => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind,
  metadata: { name, namespace: 'ns', uid, resourceVersion: '1', generation: 1, finalizers: [FINALIZER] },
  ...more,
});

const machine = (status: object = { host: 'pool.h1' }, spec: object = {}): Thing =>
  thing('VirtualMachine', 'vm', vmUid, {
    spec: { disks: [{ name: 'a', diskRef: { name: 'd' } }], ...spec },
    status,
  });
const disk = (status: object = {}, spec: object = {}): Thing =>
  thing('VirtualDisk', 'd', diskUid, { spec: { reclaimPolicy: 'Delete', format: 'qcow2', ...spec }, status });

const hostObject = (name: string): Thing =>
  thing('Host', `pool.${name}`, `host-${name}`, { spec: { hostPoolRef: { name: 'pool' }, hostName: name } });

const newWorld = (): SimulatedWorld =>
  createWorld({
    clock,
    random: () => 0.5,
    hosts: ['h1', 'h2'].map((name) => ({ name, cpus: 4, memoryMiB: 1024 })),
  });

const shape = (more: Partial<VmShape> = {}): VmShape => ({
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 256,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
  ...more,
});

const recordOf = (uid: string): VmRecord => ({
  clusterId,
  uid,
  namespace: 'ns',
  name: 'vm',
  restartHandledAt: '2020-01-01T00:00:00Z',
  startDue: false,
});

const put = (world: SimulatedWorld, host: string, uid: string, more: Partial<VmShape> = {}): void => {
  const at = world.get(host);
  const id = vmUuid(clusterId, uid);
  const made = addMachine(at, {
    uuid: id,
    domainName: `ns.vm.${uid.slice(0, 8)}`,
    record: recordOf(uid),
    shape: shape(more),
  });
  powerOn(at, made, 0);
};

const withDisk: Partial<VmShape> = {
  disks: [
    {
      name: 'a',
      serial: 's',
      bus: 'Virtio',
      attachment: { kind: 'file', path: `/pool/${volume}`, format: 'qcow2', backing: [] },
      sizeBytes: 1,
    },
  ],
};

const putVolume = (world: SimulatedWorld, host: string, name: string): void =>
  world.hand.putUnfinished(host, { ...place, clusterId, poolUid: 'p', poolName: 'pool' }, name);

const facts = (world: SimulatedWorld, more: Partial<Facts> = {}): Facts => ({
  clusterId,
  hosts: world.hosts(),
  hostPools: [thing('HostPool', 'pool', 'pool', { spec: { overcommit: { memoryPercent: 100 } } })],
  hostObjects: [hostObject('h1'), hostObject('h2')],
  storagePools: [],
  networks: [],
  images: [],
  disks: [],
  machines: [],
  targets: world.fabric.targets,
  ...more,
});

describe('the checker sees', () => {
  it('I1: a machine on two hosts', () => {
    const world = newWorld();
    put(world, 'h1', vmUid);
    expect(oneHostOneWriter(facts(world))).toEqual([]);
    put(world, 'h2', vmUid);
    expect(oneHostOneWriter(facts(world))).toEqual([expect.stringMatching(/^I1: .* runs on h1 and h2$/)]);
  });

  it('I2: two machines that write one file', () => {
    const world = newWorld();
    put(world, 'h1', vmUid, withDisk);
    expect(oneHostOneWriter(facts(world))).toEqual([]);
    put(world, 'h1', otherUid, withDisk);
    expect(oneHostOneWriter(facts(world))).toEqual([expect.stringMatching(/^I2: /)]);
  });

  it('I4: a machine that is defined before its status names the host', () => {
    const world = newWorld();
    const call = { host: 'h1', method: 'define', mutating: true, subject: uuid };
    expect(durableRecord(facts(world, { machines: [machine()] }), call)).toEqual([]);
    expect(durableRecord(facts(world, { machines: [machine({})] }), call)).toHaveLength(1);
    expect(durableRecord(facts(world, { machines: [machine({ host: 'pool.h2' })] }), call)).toHaveLength(1);
    expect(durableRecord(facts(world), call)).toHaveLength(1);
    const bare = { ...machine(), metadata: { ...machine().metadata, finalizers: [] } };
    expect(durableRecord(facts(world, { machines: [bare] }), call)).toHaveLength(1);
  });

  it('I4: a volume, a network or a place that is made before anything names it', () => {
    const world = newWorld();
    const call = { host: 'h1', method: 'storage.createBlank', mutating: true, subject: volume };
    const bound = [machine()];
    expect(durableRecord(facts(world, { disks: [disk()], machines: bound }), call)).toEqual([]);
    expect(durableRecord(facts(world, { disks: [disk({ host: 'pool.h1' })] }), call)).toEqual([]);
    expect(durableRecord(facts(world, { disks: [disk()] }), call)).toHaveLength(1);
    expect(durableRecord(facts(world, { machines: bound }), call)).toHaveLength(1);
    const network = {
      host: 'h1',
      method: 'network.define',
      mutating: true,
      subject: networkUuid(clusterId, 'n'),
    };
    expect(durableRecord(facts(world, { networks: [thing('VirtualNetwork', 'n', 'n')] }), network)).toEqual(
      [],
    );
    expect(durableRecord(facts(world), network)).toHaveLength(1);
    const prepare = { host: 'h1', method: 'storage.preparePlace', mutating: true, subject: 'p' };
    expect(durableRecord(facts(world, { storagePools: [thing('StoragePool', 'p', 'p')] }), prepare)).toEqual(
      [],
    );
    expect(durableRecord(facts(world), prepare)).toHaveLength(1);
    const claim = { host: 'h3', method: 'claim', mutating: true };
    expect(durableRecord(facts(world), { ...claim, host: 'h1' })).toEqual([]);
    expect(durableRecord(facts(world), claim)).toHaveLength(1);
  });

  it('I5: data that is removed without its owner having asked, or while it is used', () => {
    const world = newWorld();
    const call = { host: 'h1', method: 'storage.delete', mutating: true, subject: volume };
    const going = { ...disk(), metadata: { ...disk().metadata, deletionTimestamp: 'now' } };
    expect(deletionIsDue(facts(world, { disks: [going] }), call)).toEqual([]);
    expect(deletionIsDue(facts(world, { disks: [disk()] }), call)).toHaveLength(1);
    expect(deletionIsDue(facts(world), call)).toHaveLength(1);
    const retained = { ...going, spec: { reclaimPolicy: 'Retain' } };
    expect(deletionIsDue(facts(world, { disks: [retained] }), call)).toHaveLength(1);
    put(world, 'h1', vmUid, withDisk);
    expect(deletionIsDue(facts(world, { disks: [going] }), call)).toHaveLength(1);
  });

  it('I6: machines, volumes and networks without an object', () => {
    const world = newWorld();
    put(world, 'h1', vmUid);
    putVolume(world, 'h1', volume);
    expect(noOrphans(facts(world, { machines: [machine()], disks: [disk()] }))).toEqual([]);
    expect(noOrphans(facts(world, { disks: [disk()] }))).toHaveLength(1);
    expect(noOrphans(facts(world, { machines: [machine()] }))).toHaveLength(1);
    world.hand.defineForeignNetwork('h1', 'ovcp-lost-1', 'ovcp1');
    expect(noOrphans(facts(world, { machines: [machine()], disks: [disk()] }))).toHaveLength(1);
  });

  it('I7: a foreign machine that was changed', () => {
    const call = { host: 'h1', method: 'destroy', mutating: true, subject: uuid };
    expect(leftAlone(clusterId, call, 'on', false, 'on')).toEqual([]);
    expect(leftAlone(clusterId, call, 'on', true, 'off')).toEqual([]);
    expect(leftAlone(clusterId, call, undefined, false, 'on')).toEqual([]);
    expect(leftAlone(clusterId, call, 'on', false, 'off')).toHaveLength(1);
    expect(leftAlone(clusterId, call, 'on', false, undefined)).toHaveLength(1);
  });

  it('I8: an object that is gone before what it stood for', () => {
    const world = newWorld();
    expect(nothingLeft(facts(world), machine())).toEqual([]);
    expect(nothingLeft(facts(world), disk())).toEqual([]);
    put(world, 'h1', vmUid);
    putVolume(world, 'h2', volume);
    expect(nothingLeft(facts(world), machine())).toHaveLength(1);
    expect(nothingLeft(facts(world), disk())).toHaveLength(1);
    expect(nothingLeft(facts(world), disk({}, { reclaimPolicy: 'Retain' }))).toEqual([]);
    world.hand.dropRecord(uuid);
    expect(nothingLeft(facts(world), machine())).toEqual([]);
  });

  it('I12: a status that goes back, is Ready for an old spec, or says Running of what does not run', () => {
    const world = newWorld();
    const at = (generation: number) => machine({ observedGeneration: generation });
    expect(generationGrows(at(1), at(2))).toEqual([]);
    expect(generationGrows(at(2), at(1))).toHaveLength(1);
    const ready = [{ type: 'Ready', status: 'True', reason: 'Running', message: '' }];
    put(world, 'h1', vmUid);
    const sound = machine({ observedGeneration: 1, conditions: ready });
    expect(readyIsTrue(facts(world, { machines: [sound] }))).toEqual([]);
    const old = machine({ observedGeneration: 0, conditions: ready });
    expect(readyIsTrue(facts(world, { machines: [old] }))).toHaveLength(1);
    world.hand.destroy(uuid);
    expect(readyIsTrue(facts(world, { machines: [sound] }))).toHaveLength(1);
  });

  it('I15: more promised, or running, than a host has', () => {
    const world = newWorld();
    const promised = (memory: string) => machine({ host: 'pool.h1', resources: { cpus: 1, memory } });
    expect(fits(facts(world, { machines: [promised('1Gi')] }))).toEqual([]);
    expect(fits(facts(world, { machines: [promised('1025Mi')] }))).toHaveLength(1);
    put(world, 'h1', vmUid, { memoryMiB: 2048 });
    expect(fits(facts(world))).toHaveLength(1);
  });
});

describe('the checker sees of disks of a storage server', () => {
  const iqn = 'iqn.2025-01.dev.ovcp:disk.gone';

  it('I2: two hosts that are let in', () => {
    const world = newWorld();
    world.fabric.targets.set(iqn, { lun: 1, sizeBytes: 1, admitted: new Set(['a', 'b']) });
    expect(oneHostOneWriter(facts(world))).toEqual([`I2: ${iqn} lets in a and b`]);
  });

  it('I6: one whose object is gone', () => {
    const world = newWorld();
    world.fabric.targets.set(iqn, { lun: 1, sizeBytes: 1, admitted: new Set() });
    expect(noOrphans(facts(world))).toEqual([`I6: target ${iqn} has no VirtualDisk`]);
  });
});
