import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** `spec` of a coordination.k8s.io/v1 Lease; times are RFC 3339 with microseconds. */
export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly leaseTransitions: number;
}

export interface StoredLease {
  readonly resourceVersion: string;
  readonly spec: Partial<LeaseSpec>;
}

/** One Lease object. `create` and `update` throw a fault `conflict` when somebody was faster. */
export interface LeaseClient {
  get(signal: AbortSignal): Promise<StoredLease | undefined>;
  create(spec: LeaseSpec, signal: AbortSignal): Promise<StoredLease>;
  update(spec: LeaseSpec, resourceVersion: string, signal: AbortSignal): Promise<StoredLease>;
}

export interface LeaseOptions {
  readonly client: LeaseClient;
  /** Unique per process: pod name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long others wait for a renewal before they take over; default 15,000. */
  readonly durationMs?: number;
  /** How long the leader goes on without a successful renewal; default 10,000. */
  readonly renewDeadlineMs?: number;
  /** Between two tries; default 5,000 (0.2 requests a second when idle; client-go's own is 2,000). */
  readonly retryMs?: number;
}

/** Leadership once held. */
export interface Leadership {
  /** Aborted with a fault `conflict`, reason `LeaseLost`, as soon as others may take over. */
  readonly signal: AbortSignal;
  /** Stops renewing and, when still leader, gives the lease up so that the next need not wait. Never rejects. */
  release(): Promise<void>;
}

export interface Lease {
  /** Waits to become leader and keeps renewing until released or lost. Rejects only with the signal's reason. */
  acquire(signal: AbortSignal): Promise<Leadership>;
  /** Whether this process holds the lease by its own monotonic clock. */
  isLeader(): boolean;
}
