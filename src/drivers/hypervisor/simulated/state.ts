/** What the simulated world consists of. Mutable on purpose: it stands for hosts, not for what we know of them. */
import type { Piece } from '../../storage/simulated/disk-content.ts';
import type { Fabric } from '../../storage/simulated/fabric.ts';
import type { Capability, HostId, OffCause, PowerSeen, VmRecord, VmSummary } from '../contract.ts';
import type { Portal } from '../host-logins.ts';
import type { NetworkShape } from '../host-networks.ts';
import type { AttachmentKind, VmShape } from '../shape.ts';

/** One host of `HostPool.spec.simulated.hosts`, and what tests want to set besides. */
export interface SimulatedHostSettings {
  readonly name: HostId;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** How long each call takes, in milliseconds; 0 when absent. */
  readonly latencyMs?: number | undefined;
  /** Bridges that exist; `br0` when absent. */
  readonly bridges?: readonly string[] | undefined;
  /** All but `BridgeVlan` when absent. */
  readonly capabilities?: readonly Capability[] | undefined;
  /** All when absent. */
  readonly attachmentKinds?: readonly AttachmentKind[] | undefined;
  /** Size of the file system under every directory, in bytes; 1 TiB when absent. */
  readonly diskBytes?: number | undefined;
}

/** Why a machine is off; `Forgotten` is a daemon without memory of it. */
type Off = Exclude<OffCause, 'NeverStarted' | 'Unknown'> | 'Forgotten';

export type SimulatedPower =
  | { readonly kind: 'running' }
  | { readonly kind: 'paused'; readonly cause: 'User' | 'IoError' | 'Other' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'off'; readonly why: Off };

export interface SimulatedMachine {
  readonly uuid: string;
  readonly domainName: string;
  record: VmRecord | undefined;
  running: VmShape | undefined;
  next: VmShape | undefined;
  power: SimulatedPower;
  startedMs: number;
  vncPort: number | undefined;
  /** Row of the bulk call, kept until something changes: a survey of a settled fleet allocates nothing. */
  summary: VmSummary | undefined;
}

export interface SimulatedVolume {
  readonly name: string;
  readonly format: 'qcow2' | 'raw' | 'iso';
  sizeBytes: number;
  allocatedBytes: number;
  readonly backingPath: string | undefined;
  complete: boolean;
  digest: string | undefined;
  /** Of small volumes alone. */
  readonly bytes: Uint8Array | undefined;
  /** What was written to the disk, of one that was filled with raw content; zeros else. */
  pieces?: readonly Piece[] | undefined;
}

/** A file system's folder: of one host, or of all that mount it. */
export interface SimulatedDirectory {
  readonly volumes: Map<string, SimulatedVolume>;
  /** Uid of the pool whose marker lies in it. */
  marker: string | undefined;
  capacityBytes: number;
  /** Taken by files that are not ours. */
  foreignBytes: number;
}

export interface SimulatedPlace {
  readonly poolUid: string;
  readonly directory: SimulatedDirectory;
}

export interface SimulatedNetwork {
  readonly uuid: string;
  readonly name: string;
  readonly bridge: string;
  shape: NetworkShape;
  /** What it was when it became active. */
  running?: NetworkShape;
  active: boolean;
  autostart: boolean;
}

/** One path to a disk of a storage server. */
export interface SimulatedLogin {
  readonly targetIqn: string;
  readonly lun: number;
  readonly portal: Portal;
  readonly initiator: string;
  /** As the host last saw it: it may have grown since. */
  sizeBytes: number;
  version: string | undefined;
  /** The server ended it; it is tried again in vain. */
  cut: boolean;
}

export interface SimulatedHost {
  readonly name: HostId;
  readonly uuid: string;
  settings: SimulatedHostSettings;
  readonly machines: Map<string, SimulatedMachine>;
  /** uuid by domain name; names are unique on a host. */
  readonly byDomainName: Map<string, string>;
  /** uuids by `clusterId/namespace/name` of the record. */
  readonly byRecord: Map<string, Set<string>>;
  /** Prepared places by path. */
  readonly places: Map<string, SimulatedPlace>;
  readonly directories: Map<string, SimulatedDirectory>;
  /** Paths at which a shared folder is not mounted here. */
  readonly unmounted: Set<string>;
  readonly networks: Map<string, SimulatedNetwork>;
  /** Usage by uuid. Values are not kept: nobody can read one back. */
  readonly secrets: Map<string, string>;
  /** By path of the device. */
  readonly logins: Map<string, SimulatedLogin>;
  readonly fabric: Fabric;
  claimedBy: string | undefined;
  link: { readonly kind: 'up' } | { readonly kind: 'down'; readonly sinceMs: number; readonly hang: boolean };
  /** Changes whenever every connection breaks. */
  epoch: number;
  nextVncPort: number;
}

export const simulatedCapabilities: readonly Capability[] = [
  'DiskHotplug',
  'DiskLiveGrow',
  'NicHotplug',
  'NicLinkState',
  'MediaChange',
  'GuestAgent',
  'SerialConsole',
  'VncConsole',
  'AntiSpoofing',
  'LinkedClone',
  'NatNetwork',
  'IsolatedNetwork',
  'BridgeNetwork',
  'Autostart',
];

export const recordKey = (record: Pick<VmRecord, 'clusterId' | 'namespace' | 'name'>): string =>
  `${record.clusterId}/${record.namespace}/${record.name}`;

/** A daemon that forgot says `Unknown`; our record tells whether it was ever started, as on a real host. */
export const powerSeen = ({ power, record }: SimulatedMachine): PowerSeen => {
  if (power.kind !== 'off') {
    return power;
  }
  if (power.why !== 'Forgotten') {
    return { kind: 'off', cause: power.why };
  }
  return { kind: 'off', cause: record?.startDue === true ? 'NeverStarted' : 'Unknown' };
};
