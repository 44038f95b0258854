/** A machine, its world and a sighting for tests: complete and healthy, each test changes what it is about. */
import { FINALIZER } from '../../api/identity.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { PowerSeen, Sighting, VmRecord } from '../../drivers/hypervisor/contract.ts';
import type { DiskShape, VmShape } from '../../drivers/hypervisor/shape.ts';
import { desireOf } from './desire.ts';
import type { HostCandidate } from './placement.ts';
import { ok, type VmSight, type VmWorld } from './world.ts';

const uid = '8a1f1f4e-0000-4000-8000-000000000001';

export const sampleMachine = (
  spec: Partial<VirtualMachine['spec']> = {},
  change: { metadata?: Partial<VirtualMachine['metadata']>; status?: VirtualMachine['status'] } = {},
): VirtualMachine => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachine',
  metadata: {
    namespace: 'team-a',
    name: 'web-1',
    uid,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: [FINALIZER],
    ...change.metadata,
  },
  spec: {
    hostPoolRef: { name: 'kvm' },
    cpu: { cores: 1 },
    memory: '256Mi',
    powerState: 'PoweredOn',
    shutdown: { mode: 'GracefulThenHard', timeoutSeconds: 60 },
    restartPolicy: 'Always',
    driftPolicy: 'Enforce',
    deletionPolicy: 'Delete',
    deletionProtection: false,
    disks: [],
    cdroms: [],
    networks: [],
    ...spec,
  },
  ...('status' in change && change.status === undefined
    ? {}
    : { status: { observedGeneration: 1, host: 'kvm.node1', ...change.status } }),
});

export const sampleCandidate = (change: Partial<HostCandidate> = {}): HostCandidate => ({
  host: 'kvm.node1',
  reachable: true,
  schedulable: true,
  capabilities: [
    'DiskHotplug',
    'NicHotplug',
    'DiskLiveGrow',
    'MediaChange',
    'NicLinkState',
    'Autostart',
    'AntiSpoofing',
  ],
  attachmentKinds: ['file', 'network'],
  cpus: 8,
  memoryMiB: 8192,
  allocatedCpus: 0,
  allocatedMemoryMiB: 0,
  storagePools: new Set(['local']),
  networks: new Set(['lan']),
  ...change,
});

export const sampleDisk: DiskShape = {
  name: 'root',
  serial: '11111111111111111111',
  bus: 'Virtio',
  attachment: { kind: 'file', path: '/disks/root.qcow2', format: 'qcow2', backing: [] },
  sizeBytes: 1_073_741_824,
};

export const sampleWorld = (
  vm: VirtualMachine = sampleMachine(),
  change: Partial<VmWorld> = {},
): VmWorld => ({
  clusterId: 'cluster-1',
  vm,
  identity: {
    clusterId: 'cluster-1',
    uid: vm.metadata.uid,
    uuid: '5e8f3a52-1111-5111-8111-111111111111',
    namespace: 'team-a',
    name: 'web-1',
    domainName: 'team-a.web-1.8a1f1f4e',
  },
  pool: ok('kvm'),
  resources: ok({ cpu: { sockets: 1, cores: 1, threads: 1 }, cpus: 1, memoryMiB: 256 }),
  disks: [],
  nics: [],
  cdroms: [],
  hosts: [
    { name: 'kvm.node1', id: 'node1', candidate: sampleCandidate() },
    { name: 'kvm.node2', id: 'node2', candidate: sampleCandidate({ host: 'kvm.node2' }) },
  ],
  ownedDisks: [],
  monotonicMs: 1_000_000,
  ...change,
});

export const sampleRecord = (change: Partial<VmRecord> = {}): VmRecord => ({
  clusterId: 'cluster-1',
  uid,
  namespace: 'team-a',
  name: 'web-1',
  restartHandledAt: '2026-01-01T00:00:00Z',
  startDue: false,
  ...change,
});

/** The shape the world wishes for, so that nothing differs unless a test says so. */
export const wishedShape = (world: VmWorld): VmShape => {
  if (world.resources.kind === 'lack') throw new Error('the sample world has resources');
  return desireOf(world, world.resources.value, { kind: 'none' }, undefined).shape;
};

export const sampleSighting = (
  world: VmWorld,
  power: PowerSeen,
  change: Partial<Sighting> = {},
): Sighting => {
  const shape = wishedShape(world);
  return {
    host: 'node1',
    ownership: { kind: 'ours', record: sampleRecord() },
    power,
    ...(power.kind === 'off' ? {} : { running: shape }),
    next: shape,
    ...change,
  };
};

export const sampleSight = (
  sightings: readonly Sighting[],
  change: Partial<VmSight['machine']> = {},
): VmSight => ({
  machine: { sightings, unseen: [], namesakes: [], ...change },
  seed: { kind: 'none' },
});
