/** Everything a pass over one StoragePool knows before it looks at hosts, and what it sees there. Plain data. */
import type { Reason } from '../../api/reasons.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { PlaceSeen, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { Site } from '../sites.ts';

export interface StorageSite extends Site {
  /** False once its HostPool was taken out of the spec: what we prepared there is to be forgotten. */
  readonly wanted: boolean;
  /** Disks of the pool are bound to the host. */
  readonly used: boolean;
}

export interface StoragePoolWorld {
  readonly pool: StoragePool;
  readonly place: StoragePlace;
  readonly sites: readonly StorageSite[];
  readonly missingPools: readonly string[];
  /** `namespace/name` of what is kept in the pool. */
  readonly disks: readonly string[];
  readonly images: readonly string[];
}

/** What a host showed, or why it could not be asked or prepared. */
export type PlaceSight =
  | PlaceSeen
  | { readonly kind: 'failed'; readonly reason: Reason; readonly message: string };

/** By name of the Host; hosts that cannot be used are left out. */
export type StorageSight = ReadonlyMap<string, PlaceSight>;

export type StoragePoolStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'prepare'; readonly hosts: readonly string[] }
  | { readonly kind: 'writeMarker'; readonly host: string }
  | { readonly kind: 'forget'; readonly hosts: readonly string[] }
  | { readonly kind: 'removeFinalizer' };

/** A simulated pool has no files that a real host could use, and a simulated host mounts nothing real. */
export const fits = ({ pool }: StoragePoolWorld, { driver }: Site): boolean => {
  switch (pool.spec.driver) {
    case 'dir':
      return true;
    case 'simulated':
      return driver === 'simulated';
    case 'gluster':
    case 'nfs':
      return driver !== 'simulated';
    default:
      return pool.spec satisfies never;
  }
};
