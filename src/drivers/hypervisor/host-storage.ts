/**
 * Seam 3: what a host does to reach and make disks, over the hypervisor's connection. `dir` pools are this alone.
 * Laws S-01 … in docs/driver-contract.md. Names of volumes come from src/api/identity.ts: whatever carries such a
 * name in our own directory was made by us, and completeness is proved by a marker volume beside it (`complete`).
 */

/** What hosts mount. Plain data, made by the driver from the wish. */
export type MountSource =
  | { readonly kind: 'gluster'; readonly servers: readonly string[]; readonly volume: string }
  | { readonly kind: 'nfs'; readonly server: string; readonly export: string }
  /** What a simulated storage server serves, for simulated hosts alone. */
  | { readonly kind: 'simulated'; readonly share: string };

/** What a StoragePool is on one host: a directory, or a volume group. */
export interface StoragePlace {
  readonly clusterId: string;
  readonly poolUid: string;
  readonly poolName: string;
  /** Absolute; from the admin's StoragePool, or derived from its uid where there is something to mount. */
  readonly path: string;
  readonly topology: 'HostLocal' | 'Shared';
  /** What is to be mounted at `path`: the folder under it is never used. Undefined for a folder as it is. */
  readonly mount?: MountSource | undefined;
  /**
   * Disks are logical volumes of this group, which exists; `path` is where its devices are. Such a place takes `fill`,
   * `copy` and `grow` of raw volumes and nothing else.
   */
  readonly volumeGroup?: string | undefined;
}

export type PlaceSeen =
  | { readonly kind: 'absent' }
  /** `sharedMarker`: the marker file of a Shared pool is there (always true for HostLocal). */
  | {
      readonly kind: 'ready';
      readonly capacityBytes: number;
      readonly availableBytes: number;
      readonly sharedMarker: boolean;
      /** It works, and what it was prepared from has changed: preparing it again writes that down. */
      readonly outdated?: boolean | undefined;
    }
  | { readonly kind: 'broken'; readonly reason: string; readonly message: string };

export interface VolumeSeen {
  readonly name: string;
  readonly path: string;
  readonly format: 'qcow2' | 'raw' | 'iso';
  /** What the guest sees, in bytes. */
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  readonly backingPath?: string | undefined;
  /** What the host takes a raw volume for, because a guest wrote such a header into it (reliability.md S7). */
  readonly disguisedAs?: string | undefined;
  /** The making finished (marker present, or it is of a kind made in one call). */
  readonly complete: boolean;
  /**
   * Not complete: its data lies beside it because it is being grown, and the work `grow` goes on with that. Complete:
   * some of an earlier growing was left, and the step `grow` to the size it has removes it.
   */
  readonly growing?: boolean | undefined;
  /** What the marker says: digest of the source for images. */
  readonly digest?: string | undefined;
}

export type VolumeSight =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly volume: VolumeSeen };

/** One idempotent step. `create*` on a volume that exists and is complete is `done`; an incomplete one is remade. */
export type StorageStep =
  | { readonly kind: 'preparePlace' }
  | { readonly kind: 'writeSharedMarker' }
  /**
   * Stops and forgets the place on the host; the directory and what is in it stay. `withMarker`: the pool ends, so the
   * marker file of a shared one goes too, where it can be reached.
   */
  | { readonly kind: 'forgetPlace'; readonly withMarker?: boolean | undefined }
  | {
      readonly kind: 'createBlank';
      readonly volume: string;
      readonly format: 'qcow2' | 'raw';
      readonly sizeBytes: number;
    }
  /** Linked clone: qcow2 over `backing`, which is a complete image volume of the same place. */
  | {
      readonly kind: 'createLinked';
      readonly volume: string;
      readonly backing: string;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'grow'; readonly volume: string; readonly sizeBytes: number }
  | { readonly kind: 'delete'; readonly volume: string }
  /** Small bytes in one go: a cloud-init seed. */
  | { readonly kind: 'putSmall'; readonly volume: string; readonly bytes: Uint8Array };

/** Bytes of a stream, or a hole of that many zero bytes. */
export type Chunk = Uint8Array | { readonly hole: number };

/** Part of a file, in bytes; `length` is more than 0. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Long work on one host: run by the jobs room, cancellable; completion leaves the marker. */
export type StorageWork =
  /** Full copy of a complete volume, converted by the host to `format`. */
  | {
      readonly kind: 'copy';
      readonly from: string;
      readonly volume: string;
      readonly format: 'qcow2' | 'raw';
      readonly sizeBytes: number;
    }
  /**
   * A raw volume of that size with the content of `chunks` at its start and zeros everywhere else, whatever was in its
   * place before; without `chunks` zeros alone. The size is rounded up to what the place can have.
   */
  | {
      readonly kind: 'fill';
      readonly volume: string;
      readonly sizeBytes: number;
      readonly chunks?: AsyncIterable<Chunk> | undefined;
    }
  /**
   * Grows a complete volume where no host can do it in one step, or goes on with that; what is new reads as zeros.
   * Nobody may use the volume meanwhile.
   */
  | { readonly kind: 'grow'; readonly volume: string; readonly sizeBytes: number }
  /**
   * Streams a file into the place and converts it to `format` (iso: kept as it is). `sourceFormat` is from our own
   * inspection. `finished` is awaited after the last byte: it rejects when the checksum is wrong, and then nothing
   * of the volume stays.
   */
  | {
      readonly kind: 'import';
      readonly volume: string;
      readonly sourceFormat: 'qcow2' | 'raw' | 'iso';
      readonly format: 'qcow2' | 'raw' | 'iso';
      /** Upper bound of what the stream may bring, in bytes. */
      readonly maxBytes: number;
      readonly chunks: AsyncIterable<Chunk>;
      readonly finished: Promise<{ readonly digest: string; readonly virtualSizeBytes: number }>;
      /** What it is made from will be removed: it is complete only once a host that loses power keeps it. */
      readonly lasting?: boolean;
    };

export interface HostStorage {
  seePlace(place: StoragePlace, signal: AbortSignal): Promise<PlaceSeen>;
  see(place: StoragePlace, volume: string, signal: AbortSignal): Promise<VolumeSight>;
  /** All volumes with names of ours, for orphans and for "what is still here". One call per host. */
  list(place: StoragePlace, signal: AbortSignal): Promise<readonly VolumeSeen[]>;
  take(place: StoragePlace, step: StorageStep, signal: AbortSignal): Promise<void>;
  /**
   * The bytes of a complete volume's file as it lies there, from `offset`: `length` of them, or fewer where the file
   * ends. Over the connection for bulk data; leaving the loop ends it.
   */
  read(place: StoragePlace, volume: string, range: FileRange, signal: AbortSignal): AsyncIterable<Chunk>;
  work(
    place: StoragePlace,
    work: StorageWork,
    progress: (percent: number) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
