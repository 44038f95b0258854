/** What every controller is given: caches, the fleet of open pools, time. Built once in src/main.ts. */
import type { Host } from '../api/host.ts';
import type { HostPool } from '../api/host-pool.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { VirtualMachine } from '../api/virtual-machine.ts';
import type { VirtualMachineImage } from '../api/virtual-machine-image.ts';
import type { VirtualMachineSize } from '../api/virtual-machine-size.ts';
import type { VirtualNetwork } from '../api/virtual-network.ts';
import type { Change, HostId, HostSeen, HypervisorPool } from '../drivers/hypervisor/contract.ts';
import type { CachedKind, Resource } from '../kube/contract.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Effect } from '../runtime/pass.ts';
import type { StorageFleet } from './storage-fleet.ts';
import type { StoragePromises } from './storage-promises.ts';

/** A Secret as the API server sends it: values are base64. Read by name when needed, never listed or cached. */
export interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Only name, labels and deletion of a namespace are looked at. */
export type Namespace = KubeObject;

/** Every cached kind. Indexes are in indexes.ts. */
export interface Kinds {
  readonly hostPools: CachedKind<HostPool>;
  readonly hosts: CachedKind<Host>;
  readonly storagePools: CachedKind<StoragePool>;
  readonly networks: CachedKind<VirtualNetwork>;
  readonly sizes: CachedKind<VirtualMachineSize>;
  readonly images: CachedKind<VirtualMachineImage>;
  readonly disks: CachedKind<VirtualDisk>;
  readonly machines: CachedKind<VirtualMachine>;
  readonly namespaces: CachedKind<Namespace>;
}

/** An open pool as other controllers use it. Opened, fed and closed by the HostPool controller. */
export interface PoolSession {
  readonly pool: HypervisorPool;
  /** The last known answer of every host, without asking. */
  hosts(): ReadonlyMap<HostId, HostSeen>;
}

export interface Fleet {
  /**
   * There as soon as the HostPool was seen, until it is gone. A host that has not been tried yet is missing from
   * `hosts()`; one that cannot be reached is there and says why.
   */
  session(hostPoolName: string): PoolSession | undefined;
  /** Hints from all pools: events of hosts, reconnects, and what a survey found to differ. Unsubscribes. */
  subscribe(listener: (hostPoolName: string, change: Change) => void): () => void;
}

export interface ControllerContext {
  readonly clusterId: string;
  readonly kinds: Kinds;
  readonly secrets: Resource<Secret>;
  readonly fleet: Fleet;
  readonly storage: StorageFleet;
  readonly promises: StoragePromises;
  readonly clock: Clock;
  /** UIDs of disks whose claim is being taken back by a write on its way: nobody may start on the cached claim. */
  readonly releasing: Set<string>;
  /** UIDs of disks that a machine is being started with, or gets, at this moment: its host does not show it yet. */
  readonly opening: Set<string>;
  /** Wraps effectful awaits; the crash sweep injects its own. */
  readonly effect: Effect;
}

/** `fieldManager` of everything the operator applies. */
export const FIELD_MANAGER = 'ovcp.dev/operator';
