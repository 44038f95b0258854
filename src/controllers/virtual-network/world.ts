/** Everything a pass over one VirtualNetwork knows before it looks at hosts, and what it sees there. Plain data. */
import type { Reason } from '../../api/reasons.ts';
import type { VirtualNetwork, VirtualNetworkBackend } from '../../api/virtual-network.ts';
import type { NetworkIdentity, NetworkSeen, NetworkShape } from '../../drivers/hypervisor/host-networks.ts';
import type { Site } from '../sites.ts';

export interface NetworkSite extends Site {
  /** Undefined once the spec has none for its HostPool: what we made there is to be removed. */
  readonly backend: VirtualNetworkBackend | undefined;
  /** The network we make there; undefined for a bridge, which is only looked at. */
  readonly shape: NetworkShape | undefined;
  /** `namespace/name` of machines that are placed there and plugged in. */
  readonly machines: readonly string[];
}

export interface NetworkWorld {
  readonly network: VirtualNetwork;
  readonly identity: NetworkIdentity;
  readonly sites: readonly NetworkSite[];
  readonly missingPools: readonly string[];
  /** `namespace/name` of machines that name the network. */
  readonly machines: readonly string[];
}

export type NetworkSightOnHost =
  | NetworkSeen
  | { readonly kind: 'failed'; readonly reason: Reason; readonly message: string };

/** By name of the Host; hosts that cannot be used, and bridges, are left out. */
export type NetworkSight = ReadonlyMap<string, NetworkSightOnHost>;

export type NetworkStepOfPass =
  | { readonly kind: 'addFinalizer' }
  /** Defines, starts and sets to autostart, whatever is missing. */
  | { readonly kind: 'make'; readonly hosts: readonly string[] }
  | { readonly kind: 'remove'; readonly hosts: readonly string[] }
  | { readonly kind: 'removeFinalizer' };

/** A site of which we would know the network by its uuid: all but bridges. */
export const mayHold = ({ backend, shape }: NetworkSite): boolean =>
  backend === undefined || shape !== undefined;
