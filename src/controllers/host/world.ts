/** Everything a pass over one Host knows: from stores and from the fleet's last answers. Plain data. */
import type { Host } from '../../api/host.ts';
import type { HostPool } from '../../api/host-pool.ts';
import type { HostSeen } from '../../drivers/hypervisor/contract.ts';
import type { KnownHost } from '../fleet-endpoints.ts';

export interface HostWorld {
  readonly host: Host;
  readonly clusterId: string;
  readonly pool: HostPool | undefined;
  /** As its pool lists it; undefined once it was taken out. */
  readonly listed: KnownHost | undefined;
  readonly seen: HostSeen | undefined;
  /** Name of the Host that is the same machine and came first. */
  readonly duplicateOf: string | undefined;
  readonly allocated: { readonly cpus: number; readonly memoryMiB: number };
  readonly machines: number;
  /** Names of a few of the disks that are bound to the host. */
  readonly disks: readonly string[];
}

/** Whose claim the host carries, once this pass has tried to put ours there. */
export interface HostSight {
  readonly claim: { readonly claimedBy: string | undefined } | undefined;
}

export type HostStep =
  | { readonly kind: 'claim' }
  /** Taken out of its pool, and nothing is on it. */
  | { readonly kind: 'deleteHost' }
  | { readonly kind: 'removeFinalizer' };

/** No longer listed by a pool that stays. */
export const isLeaving = ({ pool, listed }: HostWorld): boolean =>
  listed === undefined || pool === undefined || pool.metadata.deletionTimestamp !== undefined;

export const isEmpty = ({ machines, disks }: HostWorld): boolean => machines === 0 && disks.length === 0;

/** Undefined: nobody's, or not known. */
export const claimOf = ({ seen }: HostWorld, sight: HostSight | undefined): string | undefined =>
  sight?.claim === undefined ? seen?.facts?.claimedBy : sight.claim.claimedBy;
