/**
 * Seam 1: a hypervisor pool. The laws (H-01 …) are in docs/driver-contract.md and run over every driver in
 * test/contract. Drivers get narrow values, never an API object and never a Kubernetes client. Every method throws
 * only `Fault`; a method about one host never waits for another host.
 */
import type { HostLogins } from './host-logins.ts';
import type { HostNetworks } from './host-networks.ts';
import type { HostSecrets } from './host-secrets.ts';
import type { HostStorage } from './host-storage.ts';
import type { AttachmentKind, CdromShape, DiskShape, NicShape, VmShape } from './shape.ts';

/** Names a host within its pool: `spec.libvirt.hosts[].name`. */
export type HostId = string;

/** Who a machine is, derived from its object only (src/api/identity.ts), so that a lost status loses nothing. */
export interface VmIdentity {
  readonly clusterId: string;
  readonly uid: string;
  /** Derived from cluster id and uid; lower case with dashes. */
  readonly uuid: string;
  readonly namespace: string;
  readonly name: string;
  /** `namespace.name.uid8`: what an admin sees in virsh. */
  readonly domainName: string;
}

/** What is kept with the machine on its host and nowhere else: it survives the loss of every status. */
export interface VmRecord {
  readonly clusterId: string;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** RFC 3339 of the newest restart token acted on, or there at creation. */
  readonly restartHandledAt?: string | undefined;
  /**
   * True from definition, and again once the machine was stopped because the user asked: the next start is due
   * whatever the restart policy says. False while it runs or after it went down by itself.
   */
  readonly startDue: boolean;
}

/** Why a machine is off, as far as the hypervisor remembers. */
export type OffCause = 'NeverStarted' | 'GuestShutdown' | 'Crashed' | 'Destroyed' | 'Failed' | 'Unknown';

export type PowerSeen =
  | { readonly kind: 'running' }
  | { readonly kind: 'paused'; readonly cause: 'User' | 'IoError' | 'Other' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'off'; readonly cause: OffCause };

/** What a guest says of itself: validated and bounded by the driver, and still only a claim. */
export interface GuestSeen {
  readonly agent: 'Connected' | 'Disconnected';
  readonly hostname?: string | undefined;
  readonly os?: string | undefined;
  /** By MAC, lower case. Link-local and loopback addresses are left out. */
  readonly addresses: readonly { readonly mac: string; readonly ips: readonly string[] }[];
}

/** Whose tag the machine carries: `none` is foreign and never touched, `other` belongs to another cluster or uid. */
export type Ownership =
  | { readonly kind: 'ours'; readonly record: VmRecord }
  | { readonly kind: 'other'; readonly clusterId: string; readonly uid: string }
  | { readonly kind: 'none' };

/** A machine met on a host under our uuid. `running` is the live hardware, `next` what the next power-on gets. */
export interface Sighting {
  readonly host: HostId;
  readonly ownership: Ownership;
  readonly power: PowerSeen;
  readonly running?: VmShape | undefined;
  /** Absent for a transient domain: somebody undefined it while it runs. */
  readonly next?: VmShape | undefined;
  readonly guest?: GuestSeen | undefined;
  /** Where the graphical and serial consoles listen on the host's loopback, when running. */
  readonly vncPort?: number | undefined;
}

/** A machine that blocks ours: same namespace/name under another uid, or our domain name without our uuid. */
export interface Namesake {
  readonly host: HostId;
  readonly uuid: string;
  readonly ownership: Ownership;
}

export interface VmSeen {
  readonly sightings: readonly Sighting[];
  /** Hosts that may hold the machine and could not be looked at: nothing may be started while one is here. */
  readonly unseen: readonly HostId[];
  readonly namesakes: readonly Namesake[];
}

/** One row of the bulk call. `uid` is known once the metadata was read (once per unknown uuid). */
export interface VmSummary {
  readonly uuid: string;
  readonly domainName: string;
  readonly power: PowerSeen;
  readonly ownership: Ownership;
}

export type SurveySeen =
  | { readonly kind: 'seen'; readonly host: HostId; readonly machines: readonly VmSummary[] }
  | { readonly kind: 'unseen'; readonly host: HostId; readonly sinceMs: number; readonly why: string };

/** One idempotent step on one machine on one host. Every step repeated equals the step once (H-01). */
export type VmStep =
  | { readonly kind: 'define'; readonly host: HostId; readonly shape: VmShape; readonly record: VmRecord }
  | { readonly kind: 'redefine'; readonly host: HostId; readonly shape: VmShape; readonly record: VmRecord }
  | { readonly kind: 'start'; readonly host: HostId }
  | { readonly kind: 'shutdown'; readonly host: HostId }
  | { readonly kind: 'destroy'; readonly host: HostId }
  | { readonly kind: 'resume'; readonly host: HostId }
  | { readonly kind: 'undefine'; readonly host: HostId }
  | { readonly kind: 'release'; readonly host: HostId }
  | { readonly kind: 'setRecord'; readonly host: HostId; readonly record: VmRecord }
  | { readonly kind: 'setAutostart'; readonly host: HostId; readonly autostart: boolean }
  | { readonly kind: 'attachDisk'; readonly host: HostId; readonly disk: DiskShape }
  | { readonly kind: 'detachDisk'; readonly host: HostId; readonly serial: string }
  | { readonly kind: 'growDisk'; readonly host: HostId; readonly serial: string; readonly sizeBytes: number }
  | { readonly kind: 'attachNic'; readonly host: HostId; readonly nic: NicShape }
  | { readonly kind: 'detachNic'; readonly host: HostId; readonly mac: string }
  | { readonly kind: 'updateNic'; readonly host: HostId; readonly nic: NicShape }
  | { readonly kind: 'changeMedia'; readonly host: HostId; readonly cdrom: CdromShape };

/**
 * `done`: the effect is there; `sighting` is the machine right after it (undefined once it is gone).
 * `started`: accepted and not finished (a guest asked to shut down, a device the guest must let go): an event or the
 * next `see` tells the end.
 */
export type StepOutcome =
  | { readonly kind: 'done'; readonly sighting: Sighting | undefined }
  | { readonly kind: 'started' };

/** Hosts differ; these words are published in `Host.status.capabilities` and used by placement. */
export type Capability =
  | 'DiskHotplug'
  | 'DiskLiveGrow'
  | 'NicHotplug'
  | 'NicLinkState'
  | 'MediaChange'
  | 'GuestAgent'
  | 'SerialConsole'
  | 'VncConsole'
  | 'AntiSpoofing'
  | 'LinkedClone'
  | 'NatNetwork'
  | 'IsolatedNetwork'
  | 'BridgeNetwork'
  | 'BridgeVlan'
  | 'Autostart';

export interface HostFacts {
  /** The hypervisor's own id of the machine: the same one listed twice is an error. */
  readonly hostUuid: string;
  /** Credential-free. */
  readonly uri: string;
  readonly hypervisor: {
    readonly type: string;
    readonly version: string;
    readonly libvirtVersion?: string | undefined;
    readonly architecture: string;
  };
  /** Proved by running a guest once, not by the presence of /dev/kvm. */
  readonly acceleration: 'KVM' | 'Emulation';
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly capabilities: readonly Capability[];
  /** `network`: the emulator can open disks of an iSCSI target. `block`: the host itself can be made to log in to one. */
  readonly attachmentKinds: readonly AttachmentKind[];
  /** Which cluster's claim the host carries; undefined where the host has no place to keep one. */
  readonly claimedBy: string | undefined;
  /** Host bridges that exist, for bridge networks. */
  readonly bridges: readonly string[];
}

export type HostSeen =
  | { readonly kind: 'reachable'; readonly host: HostId; readonly facts: HostFacts }
  | {
      readonly kind: 'unreachable';
      readonly host: HostId;
      readonly sinceMs: number;
      /** A specific reason where known: HostKeyMismatch, CertificateInvalid, CredentialsRefused, HostUnreachable. */
      readonly reason: string;
      readonly message: string;
      /** Facts of the last good connection, if there was one in this process. */
      readonly facts?: HostFacts | undefined;
    };

/** A hint that something is to be looked at; never the news itself. Coalesced. */
export type Change =
  | { readonly kind: 'vm'; readonly uuid: string; readonly uid?: string | undefined }
  | { readonly kind: 'host'; readonly host: HostId }
  | { readonly kind: 'storage'; readonly host: HostId }
  | { readonly kind: 'network'; readonly host: HostId }
  /** Events may have been lost (reconnect): everything on that host is to be looked at. */
  | { readonly kind: 'resync'; readonly host: HostId };

/** Where and how to reach a host. Credentials come resolved; the driver keeps them in memory only. */
export interface HostEndpoint {
  readonly host: HostId;
  readonly uri: string;
  readonly credentials?: HostCredentials | undefined;
}

/** The documented keys of a host's Secret, decoded (docs/hosts.md). */
export interface HostCredentials {
  readonly sshPrivateKey?: string | undefined;
  readonly sshPassword?: string | undefined;
  /** known_hosts lines; without one that matches, SSH is refused. */
  readonly sshKnownHosts?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

export interface HypervisorPool {
  /** What is known of every host, without waiting for a slow one. */
  hosts(signal: AbortSignal): Promise<readonly HostSeen[]>;
  /** One bulk call per host; refreshes the inventory that `see` uses. */
  survey(signal: AbortSignal): Promise<readonly SurveySeen[]>;
  /**
   * The machine on whichever host has it, by the event-kept inventory; `hint` names the host that the status names.
   * Never changes anything (H-02).
   */
  see(vm: VmIdentity, hint: HostId | undefined, signal: AbortSignal): Promise<VmSeen>;
  take(vm: VmIdentity, step: VmStep, signal: AbortSignal): Promise<StepOutcome>;
  /** Ends when the pool closes or the signal aborts. */
  changes(signal: AbortSignal): AsyncIterable<Change>;
  /** Hosts and credentials may change while the pool stays open; untouched hosts keep their connection. */
  reconfigure(endpoints: readonly HostEndpoint[]): void;
  /** Puts this cluster's claim on the host, or answers whose claim is there. `takeOver` replaces a foreign one. */
  claim(
    host: HostId,
    clusterId: string,
    signal: AbortSignal,
  ): Promise<{ readonly claimedBy: string | undefined }>;
  hostStorage(host: HostId): HostStorage;
  hostNetworks(host: HostId): HostNetworks;
  hostSecrets(host: HostId): HostSecrets;
  hostLogins(host: HostId): HostLogins;
  /** After it nothing stays open (H-10). */
  close(): Promise<void>;
}

/** Opens a pool; never waits for a host. `hidden` settings are the driver's own (simulated: sizes, latency). */
export interface HypervisorDriver<Settings> {
  readonly name: 'libvirt' | 'simulated';
  open(settings: Settings): HypervisorPool;
}
