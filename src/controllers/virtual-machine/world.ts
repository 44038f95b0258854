/** Everything a pass over one machine knows before it looks at hosts: gathered from stores alone. Plain data. */
import type { ConditionType, Reason } from '../../api/reasons.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { HostId, VmIdentity, VmSeen } from '../../drivers/hypervisor/contract.ts';
import type { StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { CpuShape, DiskShape, NicShape } from '../../drivers/hypervisor/shape.ts';
import type { HostCandidate } from './placement.ts';

/** Something that is missing, by the condition that shows it. */
export interface Lack {
  readonly condition: ConditionType;
  readonly reason: Reason;
  readonly message: string;
}

/** A value that could be resolved, or why not. */
export type Resolved<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'lack'; readonly lack: Lack };

export const ok = <T>(value: T): Resolved<T> => ({ kind: 'ok', value });
export const lack = (condition: ConditionType, reason: Reason, message: string): Resolved<never> => ({
  kind: 'lack',
  lack: { condition, reason, message },
});

export interface Resources {
  readonly cpu: CpuShape;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly size?: { readonly name: string; readonly uid: string } | undefined;
}

/** A disk of the list, as far as it is there. */
export interface DiskWorld {
  readonly name: string;
  /** Name and, once it exists, uid of the VirtualDisk. */
  readonly diskName: string;
  readonly diskUid?: string | undefined;
  readonly storagePool?: string | undefined;
  /** Host object it is bound to. */
  readonly boundTo?: string | undefined;
  readonly hostLocal: boolean;
  /** Of a disk of a storage server: who on its host opens it, the emulator or the host itself. */
  readonly served?: 'network' | 'block' | undefined;
  /** Where a seed could be put beside it; of a disk that is no file, beside the image it was made from. */
  readonly place?: StoragePlace | undefined;
  readonly state: /** The template's object is not there yet and nothing speaks against making it. */
    | { readonly kind: 'toCreate' }
    /** `claimed`: the disk's status grants it to this machine; `heldBy` names another that has it. */
    | {
        readonly kind: 'ready';
        readonly shape: DiskShape;
        readonly claimed: boolean;
        readonly heldBy?: string | undefined;
        /** StoragePool that it is on its way to. */
        readonly movingTo?: string | undefined;
        /** It grows before its machine is started: its server could not do it while the machine ran. */
        readonly growing?: boolean | undefined;
      }
    | { readonly kind: 'lacking'; readonly lack: Lack };
}

export interface NicWorld {
  readonly name: string;
  readonly network: string;
  readonly mac: string;
  readonly shape: Resolved<NicShape>;
  /** Why a new card may not be this one; one that the machine has already stays. */
  readonly reserved?: Lack | undefined;
}

export interface CdromWorld {
  readonly name: string;
  readonly bootOrder?: number | undefined;
  /** Undefined value: the drive is empty. */
  readonly path: Resolved<string | undefined>;
}

/** A host of the machine's pool. */
export interface HostWorld {
  /** Name of the Host object, and the driver's id of it. */
  readonly name: string;
  readonly id: HostId;
  readonly declaredDown?: string | undefined;
  readonly candidate: HostCandidate;
}

/** Since when the guest has been asked to shut down, by this process; monotonic milliseconds. */
export interface Asked {
  readonly sinceMs: number;
  readonly lastMs: number;
}

export interface VmWorld {
  readonly clusterId: string;
  readonly vm: VirtualMachine;
  readonly identity: VmIdentity;
  readonly pausedBy?: string | undefined;
  /** `ok` when the pool is open. */
  readonly pool: Resolved<string>;
  /** This namespace may not use the pool: a machine that is on a host of it goes on, others are not made. */
  readonly forbidden?: Lack | undefined;
  readonly resources: Resolved<Resources>;
  readonly disks: readonly DiskWorld[];
  readonly nics: readonly NicWorld[];
  readonly cdroms: readonly CdromWorld[];
  readonly hosts: readonly HostWorld[];
  /** Templated disks that go with the machine: made for it, still in its list, reclaim policy Delete. */
  readonly ownedDisks: readonly { readonly name: string; readonly uid: string; readonly deleting: boolean }[];
  readonly asked?: Asked | undefined;
  /** Starts that followed a stop nobody asked for; the next one waits. */
  readonly relapses?: { readonly count: number; readonly lastMs: number } | undefined;
  /** Our finalizer was put on it by this process and nothing was made since: no host can have it. */
  readonly fresh?: boolean | undefined;
  readonly monotonicMs: number;
}

/** The cloud-init seed: what is wanted, and whether it lies there already. */
export type SeedSight =
  | { readonly kind: 'none' }
  /** Not rendered in this pass: whatever the machine has stays. */
  | { readonly kind: 'keep' }
  | { readonly kind: 'lack'; readonly lack: Lack }
  | {
      readonly kind: 'wanted';
      readonly place: StoragePlace;
      readonly volume: string;
      readonly path: string;
      readonly bytes: Uint8Array;
      readonly present: boolean;
      /** Earlier seeds of the machine that still lie there. */
      readonly stale: readonly string[];
    }
  /** On deletion: what of ours is to be removed, host by host. */
  | {
      readonly kind: 'left';
      readonly place: StoragePlace;
      readonly found: readonly { readonly host: HostId; readonly volumes: readonly string[] }[];
    };

export interface VmSight {
  readonly machine: VmSeen;
  readonly seed: SeedSight;
}

/** Name of the drive that holds the seed; no user's name can be it, because it has a colon-free prefix of ours. */
export const SEED_DRIVE = 'ovcp-seed';

/** The host the machine is placed on, as the driver calls it. */
export const hostIdOf = (world: VmWorld, hostName: string | undefined): HostId | undefined =>
  hostName === undefined ? undefined : world.hosts.find((host) => host.name === hostName)?.id;

/** Name of the Host object of a driver's host id. */
export const hostNameOf = (world: VmWorld, id: HostId): string =>
  world.hosts.find((host) => host.id === id)?.name ?? `${world.vm.spec.hostPoolRef.name}.${id}`;
