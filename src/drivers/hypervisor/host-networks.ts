/**
 * Networks that we make and keep on a host: libvirt NAT and isolated networks. Bridges are the admin's and only
 * looked at (`HostFacts.bridges`). The mark of ours is the network's uuid, derived from cluster id and object uid.
 */
export interface NetworkIdentity {
  readonly clusterId: string;
  readonly uid: string;
  /** Derived (src/api/identity.ts): libvirt's uuid, name and bridge of it. */
  readonly uuid: string;
  readonly networkName: string;
  readonly bridgeName: string;
}

export interface NetworkShape {
  readonly kind: 'NAT' | 'Isolated';
  /** CIDR of the host's side, e.g. 192.168.150.0/24; the host gets the first address. Undefined: no addresses. */
  readonly cidr?: string | undefined;
  readonly dhcp?: { readonly start: string; readonly end: string } | undefined;
}

export type NetworkSeen =
  | { readonly kind: 'absent' }
  /** A network of that name or bridge without our uuid: never touched. */
  | { readonly kind: 'taken'; readonly message: string }
  | {
      readonly kind: 'present';
      readonly active: boolean;
      readonly autostart: boolean;
      /** As it is defined: what its next start makes of it. */
      readonly shape: NetworkShape;
      /** What the active network still is, where that is something else. */
      readonly running?: NetworkShape | undefined;
    };

export const sameNetwork = (a: NetworkShape, b: NetworkShape): boolean =>
  a.kind === b.kind && a.cidr === b.cidr && a.dhcp?.start === b.dhcp?.start && a.dhcp?.end === b.dhcp?.end;

export type NetworkStep =
  | { readonly kind: 'define'; readonly shape: NetworkShape }
  /** Active and autostarted. */
  | { readonly kind: 'start' }
  | { readonly kind: 'remove' };

export interface HostNetworks {
  see(network: NetworkIdentity, signal: AbortSignal): Promise<NetworkSeen>;
  take(network: NetworkIdentity, step: NetworkStep, signal: AbortSignal): Promise<void>;
}
