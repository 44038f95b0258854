/**
 * Seam 2: storage servers. A StorageServer stands for the server side of one StoragePool: a Gluster volume on its
 * peers, an iSCSI target. What hosts do to reach it is seam 3 (host-storage.ts); between the two travels plain data:
 * a `MountSource` for file systems, a `ServedDisk` for single disks. Laws T-01 … are in docs/driver-contract.md.
 *
 * Every method throws only `Fault`. `see` never changes anything. Steps are idempotent, and are serialized per server
 * machine whatever number of pools share it; a step that finds the server locked throws Fault `busy`.
 */
import type { Chunk, MountSource } from '../hypervisor/host-storage.ts';

/** The documented keys of a server's Secret, decoded (docs/storage-servers.md). */
export interface ServerCredentials {
  readonly sshPrivateKey?: string | undefined;
  readonly sshPassword?: string | undefined;
  /** known_hosts lines; without one that matches, SSH is refused. */
  readonly sshKnownHosts?: string | undefined;
}

/** One machine and the way to it. */
export interface ServerEndpoint {
  /** Within its pool: `spec.gluster.servers[].name`; `target` for the one of an iSCSI pool. */
  readonly name: string;
  /** What peers and clients call it: an IP address or a DNS name. */
  readonly address: string;
  readonly ssh: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly credentials: ServerCredentials;
  };
}

/** Whose a volume or target is. Written as a mark where the server keeps one. */
export interface PoolIdentity {
  readonly clusterId: string;
  readonly poolUid: string;
  readonly poolName: string;
}

export interface Brick {
  /** Within its set. */
  readonly name: string;
  /** Name of a `ServerEndpoint`. */
  readonly server: string;
  readonly path: string;
}

export interface GlusterWish {
  readonly kind: 'gluster';
  /** `Observe`: nothing is changed on the servers. */
  readonly management: 'Manage' | 'Observe';
  readonly volume: string;
  readonly layout:
    | { readonly type: 'Distribute' }
    /** `arbiter`: the last brick of each set holds metadata alone. */
    | { readonly type: 'Replicate'; readonly replica: 2 | 3; readonly arbiter: boolean };
  /** Order means nothing; sets and bricks are known by name and, on the server, by server and path. */
  readonly replicaSets: readonly { readonly name: string; readonly bricks: readonly Brick[] }[];
  /** Beyond the `virt` group; names from the allowlist. */
  readonly options: Readonly<Record<string, string>>;
  /** The administrator allows `force`: bricks on the root file system, replica 2 without arbiter. */
  readonly force: boolean;
  /** Addresses that may mount (`auth.allow`), besides the servers themselves. Empty: nobody else. */
  readonly clients: readonly string[];
}

export interface IscsiWish {
  readonly kind: 'iscsi';
  readonly software: 'LIO' | 'TGT';
  readonly portals: readonly { readonly address: string; readonly port: number }[];
  readonly backing:
    | { readonly type: 'LVMThin'; readonly volumeGroup: string; readonly thinPool: string }
    | { readonly type: 'LVM'; readonly volumeGroup: string }
    | { readonly type: 'Files'; readonly path: string };
  /** Kept in memory only; in no message, log or status. */
  readonly chap?: { readonly user: string; readonly password: string } | undefined;
}

/** A server in the operator's memory, for scale and fault tests. */
export interface SimulatedWish {
  readonly kind: 'simulated';
  readonly serves: 'files' | 'disks';
  /** How long each call takes. */
  readonly latencyMs: number;
}

export type ServerWish = GlusterWish | IscsiWish | SimulatedWish;

/** A part of a server that can fail by itself: shown in the pool's status and as metrics. */
export interface Component {
  readonly kind: 'server' | 'brick' | 'portal' | 'thinPool';
  /** `g1`; `a/a1` for a brick. */
  readonly name: string;
  readonly state: 'Up' | 'Down' | 'Unknown';
  /** One sentence, when it is not up. */
  readonly message?: string | undefined;
}

export interface ServerSeen {
  /** Undefined while nobody can tell. */
  readonly space?: { readonly capacityBytes: number; readonly availableBytes: number } | undefined;
  readonly components: readonly Component[];
  /** Whether what is there was made by us, as the mark on the server says; undefined while nothing is there. */
  readonly origin?: 'Made' | 'Adopted' | undefined;
  /** Entries that wait for healing, and files in split-brain; undefined where there is no such thing. */
  readonly heal?: { readonly pending: number; readonly splitBrain: number } | undefined;
  /** What only the driver reads, in its own `plan`. */
  readonly detail: unknown;
}

/** How the pool stands: `Degraded` can be used, and something is to be looked at. */
export interface ServerHealth {
  readonly state: 'Healthy' | 'Degraded' | 'Unusable';
  /** A reason of src/api/reasons.ts. */
  readonly reason: string;
  /** One sentence for a person; steady while nothing changes. */
  readonly message: string;
}

/** One idempotent step; its content is the driver's own. `what` names it in logs, metrics and messages. */
export interface ServerStep {
  readonly what: string;
  readonly detail: unknown;
}

export type ServerPlan =
  | { readonly kind: 'step'; readonly step: ServerStep; readonly health: ServerHealth }
  /** Something goes on by itself (heal, rebalance), or has to be mended first: look again after `pollMs`. */
  | { readonly kind: 'wait'; readonly pollMs: number; readonly health: ServerHealth }
  | { readonly kind: 'settled'; readonly health: ServerHealth };

export interface StorageServer {
  /** One sweep over the servers of the pool; its calls do not depend on the number of disks. */
  see(signal: AbortSignal): Promise<ServerSeen>;
  /** Pure. */
  plan(seen: ServerSeen): ServerPlan;
  take(step: ServerStep, signal: AbortSignal): Promise<void>;
  /** On deletion of the pool. `erase` is granted only if the policy says so and no disk is there; what we did not make stays in any case. Pure. */
  planRemoval(seen: ServerSeen, erase: boolean): ServerPlan;
  /** Undefined where hosts reach single disks. */
  readonly mount: MountSource | undefined;
  /** Undefined where hosts mount a file system. */
  readonly disks: DiskServer | undefined;
  close(): Promise<void>;
}

/** Opens a server side; never waits for a machine. Connections to one machine are shared by all pools. */
export interface StorageServerDriver<Wish extends ServerWish> {
  readonly name: Wish['kind'];
  open(settings: {
    readonly identity: PoolIdentity;
    readonly wish: Wish;
    readonly endpoints: readonly ServerEndpoint[];
    /** Whether it was there once, as the pool's status remembers: what was lost is never made anew over what is left. */
    readonly existed?: (() => boolean) | undefined;
  }): StorageServer;
}

/** A disk on a server, known by uids alone: LUN, serial, WWN and backing are derived from them. */
export interface DiskIdentity {
  readonly diskUid: string;
}

/** A host as a server sees it. */
export interface Initiator {
  /** iSCSI qualified name, derived from the host's uid. */
  readonly iqn: string;
}

/** How a host reaches one disk: what a hypervisor driver needs, and no secret. */
export interface ServedDisk {
  readonly protocol: 'iscsi';
  readonly portals: readonly { readonly address: string; readonly port: number }[];
  readonly targetIqn: string;
  /** Never 0: LIO answers reads of a LUN 0 that was taken away with zeros. */
  readonly lun: number;
  /** SCSI unit serial; a host checks it before it uses the device. */
  readonly serial: string;
  readonly wwn: string;
}

export type ServedSight =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present';
      readonly sizeBytes: number;
      readonly allocatedBytes: number;
      /** The making finished: a blank disk at once, a filled one when all of it was written and verified. */
      readonly complete: boolean;
      /** Who may log in to it: at most one, two during a handover. */
      readonly published: readonly string[];
      /** Who is logged in to it now. */
      readonly sessions: readonly string[];
      readonly served: ServedDisk;
      /** Changes whenever somebody is let in or out, and never comes back; steps hand it back. */
      readonly stamp?: string | undefined;
    };

export type ServedStep =
  | { readonly kind: 'createBlank'; readonly sizeBytes: number }
  /** By thin snapshot where the backing can, else a copy on the server; `from` is complete and not published. */
  | { readonly kind: 'createClone'; readonly from: DiskIdentity; readonly sizeBytes: number }
  | { readonly kind: 'grow'; readonly sizeBytes: number }
  /**
   * With the `stamp` of the look by which it was decided, a step is refused as `conflict` once somebody was let in or
   * out since: one that was stuck on its way must not undo what came after. Without it a deletion and a publish are
   * held against a look of their own, and a revoke is done in any case.
   */
  | { readonly kind: 'delete'; readonly stamp?: string | undefined }
  | { readonly kind: 'publish'; readonly initiator: Initiator; readonly stamp?: string | undefined }
  /** Takes the right away and ends the sessions; returns when the server proves that none is left. */
  | { readonly kind: 'revoke'; readonly initiator: Initiator; readonly stamp?: string | undefined };

export interface ServedFill {
  readonly sizeBytes: number;
  /** Raw content from the start; what follows its end reads as zeros. */
  readonly chunks: AsyncIterable<Chunk>;
  /** Awaited after the last byte; when it rejects nothing of the disk stays. */
  readonly finished: Promise<void>;
}

export interface DiskServer {
  see(disk: DiskIdentity, signal: AbortSignal): Promise<ServedSight>;
  /** All disks of ours on the pool, in calls that do not depend on their number. */
  list(signal: AbortSignal): Promise<readonly DiskIdentity[]>;
  take(disk: DiskIdentity, step: ServedStep, signal: AbortSignal): Promise<void>;
  /** Long work, cancellable: makes the disk and writes it. Does nothing when it is there and complete. */
  fill(
    disk: DiskIdentity,
    fill: ServedFill,
    progress: (percent: number) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Raw content of a complete disk that is not published; holes where the backing knows them. */
  read(disk: DiskIdentity, signal: AbortSignal): AsyncIterable<Chunk>;
  /** Takes a host's access to every disk of the pool away and proves it: what fencing builds on. */
  revokeAll(initiator: Initiator, signal: AbortSignal): Promise<void>;
  /** Whether a running machine sees a grown disk without a power cycle. */
  readonly growsOnline: boolean;
}
