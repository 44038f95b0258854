/** An image and its world for tests: complete and healthy, each test changes what it is about. */
import { FINALIZER } from '../../api/identity.ts';
import type { VirtualMachineImage, VirtualMachineImageStatus } from '../../api/virtual-machine-image.ts';
import type { VolumeSeen } from '../../drivers/hypervisor/host-storage.ts';
import type { CopySeen, HostWorld, ImageSight, ImageWorld } from './world.ts';

const uid = '8a1f1f4e-0000-4000-8000-000000000001';
const file = `ovcp-image-${uid}.qcow2`;
export const sampleDigest = `sha256:${'ab'.repeat(32)}`;

export const sampleImage = (
  change: {
    readonly metadata?: Partial<VirtualMachineImage['metadata']>;
    readonly status?: VirtualMachineImageStatus;
  } = {},
): VirtualMachineImage => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachineImage',
  metadata: {
    namespace: 'team-a',
    name: 'tiny',
    uid,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: [FINALIZER],
    ...change.metadata,
  },
  spec: {
    storagePoolRef: { name: 'local' },
    source: { url: 'https://example.org/disk.qcow2', checksum: sampleDigest },
    format: 'qcow2',
    compression: 'None',
  },
  ...(change.status === undefined ? {} : { status: change.status }),
});

export const deleted = { metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' } } as const;

export const sampleHost = (name: string, change: Partial<HostWorld> = {}): HostWorld => ({
  name,
  id: name.split('.')[1] ?? name,
  pool: 'kvm',
  usable: true,
  availableBytes: 1024 ** 4,
  ...change,
});

export const sampleWorld = (image: VirtualMachineImage, change: Partial<ImageWorld> = {}): ImageWorld => ({
  clusterId: 'test',
  image,
  file,
  place: {
    clusterId: 'test',
    poolUid: 'pool-1',
    poolName: 'local',
    path: '/var/lib/ovcp/disks',
    topology: 'HostLocal',
  },
  maxImageBytes: 100 * 1024 ** 3,
  shared: false,
  hosts: [sampleHost('kvm.n1'), sampleHost('kvm.n2', { availableBytes: 2 * 1024 ** 4 })],
  demanded: new Set(),
  dependents: [],
  leavingClones: [],
  imports: new Map(),
  monotonicMs: 1_000_000,
  ...change,
});

const volume = (complete: boolean): VolumeSeen => ({
  name: file,
  path: `/var/lib/ovcp/disks/${file}`,
  format: 'qcow2',
  sizeBytes: 256 * 1024 ** 2,
  allocatedBytes: 10 * 1024 ** 2,
  complete,
  digest: sampleDigest,
});

export const complete = (host: string, clones = false): CopySeen => ({ host, volume: volume(true), clones });
export const halfMade = (host: string): CopySeen => ({ host, volume: volume(false), clones: false });
export const absent = (host: string): CopySeen => ({ host, volume: undefined, clones: false });

export const sightOf = (copies: readonly CopySeen[], unseen: readonly string[] = []): ImageSight => ({
  copies,
  unseen,
});
