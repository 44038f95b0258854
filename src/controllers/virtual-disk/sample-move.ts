/** A move for tests: from node1 of a host-local pool to a shared one. */
import type { MovePhase, MoveRecord } from '../../api/disk-move.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import { madeStatus, sampleDisk } from './sample-world.ts';
import type { MoveWorld } from './world.ts';

const pool: StoragePool = {
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: {
    name: 'far',
    uid: 'p2',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {
    driver: 'nfs',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    maxImageSize: '100Gi',
    nfs: { server: 'nas', export: '/srv' },
  },
};
export const moveTarget: NonNullable<MoveWorld['target']> = {
  pool,
  place: { clusterId: 'cluster-1', poolUid: 'p2', poolName: 'far', path: '/far', topology: 'Shared' },
  shared: true,
  served: false,
  volume: 'ovcp-disk-d1.qcow2',
  host: { name: 'kvm.node1', id: 'node1', pool: 'kvm', usable: true, initiator: 'iqn.host.1' },
  lost: false,
};
export const moveRecord = (phase: MovePhase): MoveRecord => ({
  disk: 'd1',
  from: { pool: 'p1', host: 'kvm.node1' },
  to: { pool: 'p2' },
  phase,
});
export const moving = (phase: MovePhase | undefined, change: Partial<MoveWorld> = {}): MoveWorld => ({
  ...(phase === undefined ? {} : { record: moveRecord(phase) }),
  from: 'local',
  to: 'far',
  wanted: true,
  target: moveTarget,
  removed: false,
  ...change,
});
export const movingDisk = sampleDisk({ storagePoolRef: { name: 'far' } }, { status: madeStatus() });
