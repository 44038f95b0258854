/** Everything a pass over one disk knows before it looks at hosts. Plain data, gathered from stores alone. */
import type { MoveRecord } from '../../api/disk-move.ts';
import type { Reason } from '../../api/reasons.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { HostId, VmIdentity, VmSeen } from '../../drivers/hypervisor/contract.ts';
import type { StoragePlace, VolumeSight } from '../../drivers/hypervisor/host-storage.ts';
import type { ServedSight } from '../../drivers/storage/contract.ts';
import type { JobState } from '../../runtime/jobs.ts';

export interface Lack {
  readonly reason: Reason;
  readonly message: string;
}

/** A machine that names the disk. */
export interface UserWorld {
  readonly uid: string;
  readonly name: string;
  readonly createdMs: number;
  /** Host object of its intent. */
  readonly host?: string | undefined;
  readonly deleting: boolean;
  /** It shall run, or ran when last looked at. */
  readonly wantsToRun: boolean;
  /** Its status, which is not lost, says that it neither runs nor holds the disk. */
  readonly released: boolean;
  /** Its status says that the disk is plugged into it while it runs. */
  readonly plugged: boolean;
  /** It may have been made on a host, and nobody has looked at it since its status was lost. */
  readonly unknown: boolean;
}

/** A host that reaches the pool. `usable`: reachable, and the pool is ready there. */
export interface HostWorld {
  readonly name: string;
  readonly id: HostId;
  readonly pool: string;
  readonly usable: boolean;
  readonly declaredDown?: string | undefined;
  /** By this name storage servers know it. */
  readonly initiator: string;
}

/** A host with a complete copy of the image. */
export interface ImageReader {
  readonly name: string;
  readonly id: HostId;
  readonly pool: string;
  readonly place: StoragePlace;
}

/** The disk is one of a storage server. */
export interface ServedWorld {
  readonly pool: StoragePool;
  /** The hosts log in themselves. */
  readonly loggedIn: boolean;
  /** Undefined while the server cannot be asked. */
  readonly growsOnline: boolean | undefined;
  /** The machine that holds it has to let go of it so that it can grow. */
  readonly growsNext: boolean;
}

/** The disk is a volume of a volume group: raw, filled through the operator, and grown between two runs. */
export interface BlockWorld {
  /** The machine that holds it has to let go of it so that it can grow. */
  readonly growsNext: boolean;
}

/** The pool that the disk moves to, and the way there. */
export interface MoveTarget {
  readonly pool: StoragePool;
  readonly place: StoragePlace;
  readonly shared: boolean;
  readonly served: boolean;
  readonly volume: string;
  /** The host that makes and reads the copy; undefined while none can, and where a server does it. */
  readonly host?: HostWorld | undefined;
  /** The host that has the copy was declared gone for good. */
  readonly lost: boolean;
}

/** The spec names another pool than the one where the data is, or such a move was begun. */
export interface MoveWorld {
  readonly record?: MoveRecord | undefined;
  /** Names of the pools, for people. */
  readonly from: string;
  readonly to: string;
  /** The spec asks for this very move, and the disk is not being deleted. */
  readonly wanted: boolean;
  /** Undefined: that pool is not there (any more). */
  readonly target?: MoveTarget | undefined;
  /** Why it may not begin. */
  readonly lack?: Lack | undefined;
  /** This process compared the copy with its source and found them alike, or not. */
  readonly compared?: 'same' | 'differs' | undefined;
  /** This process removed what this phase is to remove. */
  readonly removed: boolean;
}

/** Where a cloud-init seed of a machine may lie that goes elsewhere with the disk. */
export interface SeedNest {
  readonly vmUid: string;
  readonly place: StoragePlace;
  readonly host: HostWorld;
}

/** What the disk is made from, resolved. */
export type SourceWorld =
  | { readonly kind: 'blank' }
  | {
      readonly kind: 'image';
      readonly uid: string;
      readonly name: string;
      readonly digest?: string | undefined;
      readonly file: string;
      readonly virtualSizeBytes: number;
      readonly linked: boolean;
      /** Host objects with a complete copy; undefined: a shared pool has it. */
      readonly readyOn: readonly (string | undefined)[];
      /** Where its file can be read, for a disk that is not made on a host; empty else. */
      readonly readers: readonly ImageReader[];
    }
  | {
      readonly kind: 'disk';
      readonly name: string;
      readonly uid: string;
      readonly volume: string;
      readonly sizeBytes: number;
      readonly host?: string | undefined;
      readonly inUseBy?: string | undefined;
    }
  | { readonly kind: 'lack'; readonly lack: Lack };

export interface DiskWorld {
  readonly clusterId: string;
  readonly disk: VirtualDisk;
  readonly volume: string;
  readonly pausedBy?: string | undefined;
  /** Undefined place: the StoragePool is not there (any more). */
  readonly place?: StoragePlace | undefined;
  readonly poolLack?: Lack | undefined;
  readonly shared: boolean;
  /** Undefined: files or volumes on hosts. */
  readonly served?: ServedWorld | undefined;
  readonly block?: BlockWorld | undefined;
  readonly hosts: readonly HostWorld[];
  readonly users: readonly UserWorld[];
  /** The holder of the claim is gone, going or says that it let go: hosts are asked before the claim passes on. */
  readonly ghost?: { readonly identity: VmIdentity; readonly host?: string | undefined } | undefined;
  readonly source: SourceWorld;
  /** Disks that are still being copied from this one. */
  readonly copiedBy: readonly string[];
  /** One of them is being filled from it at this moment: nobody may write to it. */
  readonly copying: boolean;
  /** A machine is being started with it, or gets it, at this moment. */
  readonly opening?: boolean | undefined;
  /** Linked to an image whose object is gone or going: its file goes with the last clone. */
  readonly orphanedImage?: string | undefined;
  readonly job?: JobState<void> | undefined;
  readonly move?: MoveWorld | undefined;
  /** Host where it went on a HostLocal pool, for when its status is lost. */
  readonly recordedHost?: string | undefined;
  /** Why the disk cannot be made, or grown, on its pool: so much may not be promised. */
  readonly noRoom?: string | undefined;
  /** A write that gives the disk to a machine is on its way. */
  readonly granting?: boolean | undefined;
  /** Seeds of machines that are off, beside the data that a move leaves behind. */
  readonly seeds?: readonly SeedNest[] | undefined;
}

/** What is in the pool that the disk moves to. */
export type CopySight =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present';
      readonly complete: boolean;
      /** It was written by a move into that pool, and is not the very volume it would be a copy of. */
      readonly marked: boolean;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'unseen'; readonly reason: Reason; readonly message: string };

export interface DiskSight {
  /** Host object name → what lies there. Only hosts that matter were asked. */
  readonly volumes: readonly { readonly host: string; readonly sight: VolumeSight }[];
  /** Hosts that may hold the volume and could not be asked. */
  readonly unseen: readonly string[];
  /** What the storage server has of it. */
  readonly served?: ServedSight | undefined;
  readonly ghost?: VmSeen | undefined;
  /** Undefined: nobody looked, as nothing depends on it yet. */
  readonly copy?: CopySight | undefined;
}
