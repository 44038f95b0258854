/** Disks of a storage server as tests of their decisions need them. */
import type { StoragePool } from '../../api/storage-pool.ts';
import type { VirtualDiskStatus } from '../../api/virtual-disk.ts';
import type { VmSeen } from '../../drivers/hypervisor/contract.ts';
import type { ServedSight } from '../../drivers/storage/contract.ts';
import { decide } from './decide.ts';
import { GiB, sampleDisk, sampleWorld } from './sample-world.ts';
import type { DiskSight, DiskWorld, ServedWorld } from './world.ts';

export const pool: StoragePool = {
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: {
    name: 'san',
    uid: 'p1',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {
    driver: 'simulated',
    hostPoolRefs: [{ name: 'kvm' }],
    topology: 'Shared',
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    maxImageSize: '100Gi',
    simulated: { server: { serves: 'Disks' } },
  },
};
export const [host1, host2] = ['iqn.host.1', 'iqn.host.2'];
export const served = (change: Partial<ServedWorld> = {}): ServedWorld => ({
  pool,
  loggedIn: false,
  growsOnline: true,
  growsNext: false,
  ...change,
});
export const claim = { purpose: 'run', vmUid: 'm1', vmName: 'web-1', host: 'kvm.node1' } as const;
export const made = (change: Partial<VirtualDiskStatus> = {}): VirtualDiskStatus => ({
  observedGeneration: 1,
  volume: { pool: 'p1', name: 'ovcp-disk-d1', format: 'raw' },
  size: '1Gi',
  ...change,
});
export const world = (status: VirtualDiskStatus | undefined, change: Partial<DiskWorld> = {}): DiskWorld =>
  sampleWorld(sampleDisk({ storagePoolRef: { name: 'san' } }, status === undefined ? {} : { status }), {
    shared: true,
    served: served(),
    ...change,
  });
export const present = (change: Partial<Extract<ServedSight, { kind: 'present' }>> = {}): DiskSight => ({
  volumes: [],
  unseen: [],
  served: {
    kind: 'present',
    sizeBytes: GiB,
    allocatedBytes: 0,
    complete: true,
    published: [],
    sessions: [],
    served: {
      protocol: 'iscsi',
      portals: [],
      targetIqn: 'iqn.disk',
      lun: 1,
      serial: 's',
      wwn: 'w',
    },
    ...change,
  },
});
export const absent: DiskSight = { volumes: [], unseen: [], served: { kind: 'absent' } };
/** Every host answered, and none runs the machine. */
export const off: VmSeen = { sightings: [], unseen: [], namesakes: [] };
export const stepOf = (it: DiskWorld, seen: DiskSight): unknown => {
  const { plan } = decide(it, seen);
  return plan.kind === 'step' ? plan.step : plan.kind;
};
