/** Worlds and sightings of a StoragePool for tests. */
import type { StoragePool, StoragePoolStatus } from '../../api/storage-pool.ts';
import type { HostFacts } from '../../drivers/hypervisor/contract.ts';
import type { PlaceSeen } from '../../drivers/hypervisor/host-storage.ts';
import type { ServerHealth, ServerPlan, ServerSeen, StorageServer } from '../../drivers/storage/contract.ts';
import type { PlaceSight, ServerSight, StoragePoolWorld, StorageSight, StorageSite } from './world.ts';

export const GiB = 1024 ** 3;
export const nowMs = Date.UTC(2026, 0, 2);

export const ready = (availableBytes = 60 * GiB, sharedMarker = true): PlaceSeen => ({
  kind: 'ready',
  capacityBytes: 100 * GiB,
  availableBytes,
  sharedMarker,
});
export const absent: PlaceSeen = { kind: 'absent' };
export const failed: PlaceSight = { kind: 'failed', reason: 'HostUnreachable', message: 'No answer.' };

export const site = (name: string, change: Partial<StorageSite> = {}): StorageSite => ({
  name,
  pool: 'p',
  host: name,
  driver: 'libvirt',
  state: { kind: 'usable', facts: {} as HostFacts },
  wanted: true,
  used: false,
  ...change,
});

export const unreachable = {
  kind: 'unusable',
  reason: 'HostUnreachable',
  message: 'No answer.',
  gone: false,
} as const;

export interface Change {
  readonly sites?: readonly StorageSite[];
  readonly shared?: boolean;
  readonly status?: StoragePoolStatus;
  readonly finalizer?: boolean;
  readonly deleting?: boolean;
  readonly disks?: readonly string[];
  /** A Gluster pool with a server side. */
  readonly served?: boolean;
  readonly erases?: boolean;
}

export const worldOf = (change: Change = {}): StoragePoolWorld => {
  const served = change.served === true;
  const topology = change.shared === true || served ? 'Shared' : 'HostLocal';
  const mount = { kind: 'gluster', servers: ['192.0.2.21'], volume: 'gv0' } as const;
  return {
    pool: {
      metadata: {
        name: 's',
        uid: 'u',
        generation: 1,
        ...(change.finalizer === false ? {} : { finalizers: ['ovcp.dev/protect'] }),
        ...(change.deleting === true ? { deletionTimestamp: 'x' } : {}),
      },
      spec: served ? { driver: 'gluster' } : { driver: 'dir', topology },
      status: change.status,
    } as unknown as StoragePool,
    place: {
      clusterId: 'c',
      poolUid: 'u',
      poolName: 's',
      path: '/srv/s',
      topology,
      ...(served ? { mount } : {}),
    },
    sites: change.sites ?? [site('a'), site('b')],
    missingPools: [],
    disks: change.disks ?? [],
    images: [],
    logins: [],
    server: served ? { kind: 'open', server: {} as StorageServer } : { kind: 'none' },
    erases: change.erases ?? false,
    allocatedBytes: 0,
  };
};

export const sightOf = (
  hosts: Record<string, PlaceSight>,
  server: ServerSight = { kind: 'none' },
  kept?: readonly string[],
): StorageSight => ({ hosts: new Map(Object.entries(hosts)), logins: new Map(), server, kept });

export const healthy: ServerHealth = { state: 'Healthy', reason: 'Ready', message: 'All is well.' };

/** What the servers showed, with the plan of it. */
export const served = (plan: ServerPlan, seen: Partial<ServerSeen> = {}, erase = false): ServerSight => ({
  kind: 'seen',
  seen: { components: [], detail: undefined, ...seen },
  plan,
  erase,
});

export const settledServer = served({ kind: 'settled', health: healthy });
