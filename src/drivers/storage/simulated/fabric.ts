/** The network between simulated hosts and simulated targets: who may log in, and who is logged in. */

/** A disk as emulators find it. */
export interface FabricTarget {
  readonly lun: number;
  sizeBytes: number;
  /** Initiators that may log in. */
  readonly admitted: Set<string>;
}

/** Hosts of a simulated world, as far as targets know them. */
export interface FabricUser {
  /** Initiators that have the target open. */
  readonly sessions: (targetIqn: string) => readonly string[];
  /** Ends its sessions with the target; what used it gets errors. */
  readonly cut: (targetIqn: string, initiator: string) => void;
}

export interface Fabric {
  /** By target IQN; put there by servers. */
  readonly targets: Map<string, FabricTarget>;
  readonly users: Set<FabricUser>;
}

export const createFabric = (): Fabric => ({ targets: new Map(), users: new Set() });
