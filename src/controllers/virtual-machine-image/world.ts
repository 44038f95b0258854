/** Everything a pass over one image knows before it looks at hosts. Plain data, gathered from stores alone. */
import type { Reason } from '../../api/reasons.ts';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { HostId } from '../../drivers/hypervisor/contract.ts';
import type { StoragePlace, VolumeSeen } from '../../drivers/hypervisor/host-storage.ts';
import type { Fault } from '../../runtime/fault.ts';

export interface Lack {
  readonly reason: Reason;
  readonly message: string;
}

/** A host that reaches the pool. `usable`: reachable, and the pool is ready there. */
export interface HostWorld {
  readonly name: string;
  readonly id: HostId;
  readonly pool: string;
  readonly usable: boolean;
  readonly availableBytes: number;
  readonly declaredDown?: string | undefined;
}

/**
 * How far this process is with one copy. `dueMs`: monotonic time of the next try; a change of the limit it failed
 * under, or of the Secret it was refused with, brings it forward.
 */
export type ImportState =
  | { readonly kind: 'running'; readonly host: string; readonly percent?: number | undefined }
  | {
      readonly kind: 'failed';
      readonly host: string;
      readonly fault: Fault;
      readonly dueMs: number;
      readonly maxImageBytes: number;
      /** Version of the Secret at its beginning; undefined when it has none or none could be told. */
      readonly secretVersion?: string | undefined;
    };

/** Names one copy of an image: a Host object, or the only copy of a shared pool. */
export type CopyKey = string;
export const sharedCopy: CopyKey = 'shared';

export interface ImageWorld {
  readonly clusterId: string;
  readonly image: VirtualMachineImage;
  readonly file: string;
  readonly pausedBy?: string | undefined;
  /** Undefined: the StoragePool is not there (any more). */
  readonly place?: StoragePlace | undefined;
  readonly poolLack?: Lack | undefined;
  readonly maxImageBytes: number;
  readonly shared: boolean;
  readonly hosts: readonly HostWorld[];
  /** Host objects on which disks or drives need it. */
  readonly demanded: ReadonlySet<string>;
  /** What still counts on the image: kind and name, in words. */
  readonly dependents: readonly string[];
  /** Disks over the image that are being deleted: the last of them may leave its file to us. */
  readonly leavingClones: readonly string[];
  readonly imports: ReadonlyMap<CopyKey, ImportState>;
  readonly monotonicMs: number;
}

export interface CopySeen {
  readonly host: string;
  readonly volume: VolumeSeen | undefined;
  /** Volumes over it; looked for on deletion alone. */
  readonly clones: boolean;
  /** Removed in this pass, with all that an import which was cut off may have left beside it. */
  readonly swept?: boolean | undefined;
}

export interface ImageSight {
  /** By Host object; only hosts that matter were asked. */
  readonly copies: readonly CopySeen[];
  /** Hosts that matter and could not be asked. */
  readonly unseen: readonly string[];
  /** Version of the image's Secret now; looked for only when the server refused what was in it. */
  readonly secretVersion?: string | undefined;
}
