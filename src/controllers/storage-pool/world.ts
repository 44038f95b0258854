/** Everything a pass over one StoragePool knows before it looks at hosts, and what it sees there. Plain data. */
import type { Reason } from '../../api/reasons.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { PlaceSeen, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { ServerPlan, ServerSeen, ServerStep } from '../../drivers/storage/contract.ts';
import type { Site } from '../sites.ts';
import type { ServerState } from '../storage-session.ts';

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
  /** `none`: hosts are all there is. */
  readonly server: ServerState | { readonly kind: 'none' };
  /** Version of the Secret that hosts log in with, as far as it is known. */
  readonly loginVersion?: string | undefined;
  /** What the operator made on the servers goes with the StoragePool. */
  readonly erases: boolean;
}

/** What a host showed, or why it could not be asked or prepared. */
export type PlaceSight =
  | PlaceSeen
  | { readonly kind: 'failed'; readonly reason: Reason; readonly message: string };

/** What the servers showed, or why not. */
export type ServerSight =
  | { readonly kind: 'none' }
  /** Credentials are being read, or a newer spec is being taken up. */
  | { readonly kind: 'opening' }
  /**
   * `erase`: the pool is being deleted and all data with it, which was granted. `plan` is that of the removal then, and
   * whenever nothing is to be erased; until it is granted, the usual one, so that the volume can be looked at.
   */
  | {
      readonly kind: 'seen';
      readonly seen: ServerSeen;
      readonly plan: ServerPlan;
      readonly erase: boolean;
    }
  /** `retryMs`: undefined when only a change helps, and it will be told. */
  | {
      readonly kind: 'failed';
      readonly reason: Reason;
      readonly message: string;
      readonly busy: boolean;
      readonly retryMs: number | undefined;
    };

export interface StorageSight {
  /** By name of the Host; hosts that cannot be used are left out. */
  readonly hosts: ReadonlyMap<string, PlaceSight>;
  readonly server: ServerSight;
  /** Files of ours that keep a volume from being erased. */
  readonly kept?: readonly string[] | undefined;
}

export type StoragePoolStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'server'; readonly step: ServerStep }
  | { readonly kind: 'prepare'; readonly hosts: readonly string[] }
  | { readonly kind: 'writeMarker'; readonly host: string }
  /** Lists what is still on the volume, before it is erased. */
  | { readonly kind: 'takeStock'; readonly host: string }
  /** `withMarker`: the pool ends; nothing of ours is to stay in the folder that hosts share. */
  | { readonly kind: 'forget'; readonly hosts: readonly string[]; readonly withMarker: boolean }
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
    case 'iscsi':
      return driver !== 'simulated';
    default:
      return pool.spec satisfies never;
  }
};
