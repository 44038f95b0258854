/** A disk and its world for tests: on a host-local pool, not made yet, named by nobody. */
import { FINALIZER } from '../../api/identity.ts';
import type { VirtualDisk, VirtualDiskStatus } from '../../api/virtual-disk.ts';
import type { VolumeSeen } from '../../drivers/hypervisor/host-storage.ts';
import type { DiskSight, DiskWorld, UserWorld } from './world.ts';

export const GiB = 1_073_741_824;

export const sampleDisk = (
  spec: Partial<VirtualDisk['spec']> = {},
  change: { metadata?: Partial<VirtualDisk['metadata']>; status?: VirtualDiskStatus } = {},
): VirtualDisk => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualDisk',
  metadata: {
    namespace: 'team-a',
    name: 'data',
    uid: 'd1',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: [FINALIZER],
    ...change.metadata,
  },
  spec: {
    size: '1Gi',
    storagePoolRef: { name: 'local' },
    source: { type: 'Blank' },
    format: 'qcow2',
    reclaimPolicy: 'Delete',
    deletionProtection: false,
    ...spec,
  },
  ...(change.status === undefined ? {} : { status: change.status }),
});

/** What the status of a disk on node1 says once it was made. */
export const madeStatus = (change: Partial<VirtualDiskStatus> = {}): VirtualDiskStatus => ({
  observedGeneration: 1,
  host: 'kvm.node1',
  volume: { pool: 'p1', name: 'ovcp-disk-d1.qcow2', format: 'qcow2' },
  size: '1Gi',
  ...change,
});

export const sampleUser = (change: Partial<UserWorld> = {}): UserWorld => ({
  uid: 'm1',
  name: 'web-1',
  createdMs: 1,
  host: 'kvm.node1',
  deleting: false,
  wantsToRun: true,
  released: false,
  plugged: false,
  unknown: false,
  ...change,
});

export const sampleWorld = (
  disk: VirtualDisk = sampleDisk(),
  change: Partial<DiskWorld> = {},
): DiskWorld => ({
  clusterId: 'cluster-1',
  disk,
  volume: 'ovcp-disk-d1.qcow2',
  place: { clusterId: 'cluster-1', poolUid: 'p1', poolName: 'local', path: '/disks', topology: 'HostLocal' },
  shared: false,
  hosts: [
    { name: 'kvm.node1', id: 'node1', pool: 'kvm', usable: true, initiator: 'iqn.host.1' },
    { name: 'kvm.node2', id: 'node2', pool: 'kvm', usable: true, initiator: 'iqn.host.2' },
  ],
  users: [],
  source: { kind: 'blank' },
  copiedBy: [],
  copying: false,
  ...change,
});

export const sampleVolume = (change: Partial<VolumeSeen> = {}): VolumeSeen => ({
  name: 'ovcp-disk-d1.qcow2',
  path: '/disks/ovcp-disk-d1.qcow2',
  format: 'qcow2',
  sizeBytes: GiB,
  allocatedBytes: 0,
  complete: true,
  ...change,
});

export const absentOn = (host = 'kvm.node1'): DiskSight => ({
  volumes: [{ host, sight: { kind: 'absent' } }],
  unseen: [],
});

export const presentOn = (host = 'kvm.node1', change: Partial<VolumeSeen> = {}): DiskSight => ({
  volumes: [{ host, sight: { kind: 'present', volume: sampleVolume(change) } }],
  unseen: [],
});
