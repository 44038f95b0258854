/** What one sweep over a Gluster pool found; `detail` of ServerSeen. Plain data, for the pure parts of the driver. */

export interface PeerSeen {
  readonly uuid: string;
  /** What the cluster calls it; for the server that was asked, `localhost` alone. */
  readonly names: readonly string[];
  readonly connected: boolean;
  /** `Peer in Cluster` and not something in between or rejected. */
  readonly inCluster: boolean;
  readonly state: string;
}

/** One `spec.gluster.servers` entry. */
export interface ServerLook {
  readonly name: string;
  readonly address: string;
  /** Its own answer over SSH, or why there was none. */
  readonly answer:
    | { readonly kind: 'peers'; readonly uuid: string; readonly peers: readonly PeerSeen[] }
    | { readonly kind: 'failed'; readonly reason: string; readonly message: string };
}

export interface BrickSeen {
  /** As the volume has it: `host:/path`. */
  readonly id: string;
  readonly path: string;
  /** The endpoint it is on; undefined for a machine that the wish does not list. */
  readonly server: string | undefined;
  readonly arbiter: boolean;
  /** Undefined while the volume is not started. */
  readonly up: boolean | undefined;
  readonly totalBytes: number | undefined;
  readonly freeBytes: number | undefined;
  /** Entries this brick knows to need healing; undefined while it cannot be asked. */
  readonly pending: number | undefined;
  readonly splitBrain: number | undefined;
}

export interface TaskProgress {
  readonly files: number;
  readonly bytes: number;
  readonly failures: number;
  readonly skipped: number;
}

/** A rebalance or the emptying of bricks. */
export interface TaskSeen {
  readonly kind: 'rebalance' | 'removeBrick';
  readonly id: string;
  readonly state: 'inProgress' | 'completed' | 'failed' | 'stopped' | 'notStarted';
  /** Of `removeBrick`. */
  readonly bricks: readonly string[];
  readonly progress: TaskProgress | undefined;
}

export interface VolumeSeen {
  readonly id: string;
  readonly status: 'Created' | 'Started' | 'Stopped';
  /** Bricks in a set. */
  readonly replica: number;
  readonly arbiter: boolean;
  /** Distribute or Replicate, with their distributed forms; anything else is not for us. */
  readonly supported: boolean;
  readonly typeName: string;
  /** In the volume's order: each `replica` of them are a set. */
  readonly bricks: readonly BrickSeen[];
  readonly options: Readonly<Record<string, string>>;
  readonly tasks: readonly TaskSeen[];
  /** Files in split-brain, at most some of them. */
  readonly splitBrainFiles: readonly string[];
}

export interface GlusterSight {
  readonly servers: readonly ServerLook[];
  /** Name of the server that told the rest. */
  readonly asked: string;
  readonly volume: VolumeSeen | undefined;
  /** There is no volume, but there was one: this process has seen it with our mark, or the pool's status says so. */
  readonly lost: boolean;
}

/** The sets of a volume, in its order. */
export const setsOf = (volume: VolumeSeen): readonly (readonly BrickSeen[])[] =>
  Array.from({ length: Math.ceil(volume.bricks.length / volume.replica) }, (_, index) =>
    volume.bricks.slice(index * volume.replica, (index + 1) * volume.replica),
  );
