import type { Clock } from './clock.ts';
import type { Lease } from './lease.ts';
import type { Log } from './log.ts';

/** A cache that is filled by the API server or by hosts. */
export interface Source {
  readonly name: string;
  /** Runs until aborted; rejects only on what no retry can help. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the first complete list is in. */
  synced(signal: AbortSignal): Promise<void>;
}

/** What the manager needs of a controller. */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface ManagerOptions {
  readonly sources: readonly Source[];
  readonly controllers: readonly Runnable[];
  /** Without one the process always leads. */
  readonly lease?: Lease;
  /** Closed in this order at the very end, each waited for: jobs, drivers, events, transport. */
  readonly closers?: readonly { readonly name: string; close(): Promise<void> }[];
  readonly clock: Clock;
  readonly log: Log;
  /** Passes in flight get this long to end by themselves after a clean stop; default 20,000. */
  readonly drainMs?: number;
  /** All closers together get this long; default 4,000. */
  readonly closeMs?: number;
}

/** `starting` until the caches are synced, `standby` until leading. */
export type ManagerState = 'starting' | 'standby' | 'leading' | 'stopping' | 'stopped';

export interface Manager {
  /**
   * Runs until `signal` is aborted (then stops cleanly within 25 s and resolves), until the lease is lost or a
   * source or controller fails (then stops and rejects with that fault; main logs it and exits 1).
   */
  run(signal: AbortSignal): Promise<void>;
  state(): ManagerState;
  /** Names of sources not synced yet. */
  unsynced(): readonly string[];
}
