/**
 * Simulated storage servers: volumes in memory that outlive every session, with the states that real ones get into.
 * Tests have hands in it; hosts of the simulated hypervisor mount its volumes as shares.
 */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault, type FaultKind } from '../../../runtime/fault.ts';
import type { Piece } from './disk-content.ts';
import { createFabric, type Fabric } from './fabric.ts';

/** A volume over three bricks, each with a copy. */
export interface SimulatedVolume {
  readonly name: string;
  /** Uid of the StoragePool that made it; undefined: somebody else did. */
  readonly madeBy: string | undefined;
  started: boolean;
  capacityBytes: number;
  usedBytes: number;
  readonly bricks: { readonly name: string; up: boolean }[];
  /** Entries that waited for healing when `healsSinceMs` was set; they get fewer by themselves while all bricks are up. */
  missed: number;
  healsSinceMs: number;
  splitBrain: number;
}

/** A disk that a server hands out. */
export interface SimulatedDisk {
  readonly poolUid: string;
  sizeBytes: number;
  allocatedBytes: number;
  readonly complete: boolean;
  readonly pieces: readonly Piece[];
  /** How often anybody was let in or out, over all disks, when it last happened to this one. */
  stamp: number;
}

export interface StorageFailure {
  /** `see`, or the step: `create`, `start`, `stop`, `delete`; `disk.see` and so on of single disks. Any when absent. */
  readonly method?: string | undefined;
  /** `after`: it happened, and the answer is lost. */
  readonly when?: 'before' | 'after' | undefined;
  readonly fault?: FaultKind | (() => Fault) | undefined;
  /** How many calls it meets; 1 when absent. */
  readonly times?: number | undefined;
}

export type ShareState = 'up' | 'down' | 'absent';

export interface StorageWorld {
  readonly clock: Clock;
  readonly volumes: Map<string, SimulatedVolume>;
  /** By uid. */
  readonly disks: Map<string, SimulatedDisk>;
  readonly fabric: Fabric;
  /** The newest stamp of any disk. */
  stamps: number;
  /** Whether servers show a running machine that its disk has grown; true unless a test says otherwise. */
  growsOnline: boolean;
  /** Every call goes through here: latency, failures, and the log of what changed something. */
  readonly call: <T>(
    method: string,
    options: { readonly mutating: boolean; readonly latencyMs: number },
    effect: () => T,
    signal: AbortSignal,
  ) => Promise<T>;
  /** Fails the calls to come; returns how to take it back. */
  readonly fail: (failure: StorageFailure) => () => void;
  readonly log: () => readonly string[];
  readonly counts: () => ReadonlyMap<string, number>;
  /** A volume that the pool did not make. */
  readonly makeForeign: (name: string) => SimulatedVolume;
  readonly setBrick: (volume: string, brick: string, up: boolean) => void;
  /** How a host that mounts it finds it. */
  readonly shareState: (name: string) => ShareState;
  /** Open sessions. */
  readonly sessions: Set<object>;
}

const GiB = 1024 ** 3;
/** What a brick misses while it is down, in entries: enough that healing is seen. */
const missedEntries = 3;
const healMs = 300;

export const newVolume = (name: string, madeBy: string | undefined): SimulatedVolume => ({
  name,
  madeBy,
  started: false,
  capacityBytes: 1024 * GiB,
  usedBytes: GiB,
  bricks: ['a1', 'a2', 'a3'].map((brick) => ({ name: brick, up: true })),
  missed: 0,
  healsSinceMs: 0,
  splitBrain: 0,
});

export const hasQuorum = ({ bricks }: SimulatedVolume): boolean =>
  bricks.filter(({ up }) => up).length * 2 > bricks.length;

const isWhole = ({ bricks }: SimulatedVolume): boolean => bricks.every(({ up }) => up);

/** Entries that wait for healing now. */
export const pendingOf = (volume: SimulatedVolume, nowMs: number): number => {
  const healed = isWhole(volume) ? Math.floor((nowMs - volume.healsSinceMs) / healMs) : 0;
  return Math.max(0, volume.missed - healed);
};

const createFailures = () => {
  const rules = new Map<StorageFailure, number>();
  return {
    add: (failure: StorageFailure): (() => void) => {
      rules.set(failure, failure.times ?? 1);
      return () => void rules.delete(failure);
    },
    meet: (method: string, when: 'before' | 'after'): void => {
      for (const [rule, left] of rules) {
        if ((rule.method ?? method) !== method || (rule.when ?? 'before') !== when) continue;
        if (left <= 1) rules.delete(rule);
        else rules.set(rule, left - 1);
        const kind = rule.fault ?? 'unreachable';
        throw typeof kind === 'function'
          ? kind()
          : new Fault(kind, `The simulated storage server failed at ${method}.`);
      }
    },
  };
};

const givenUp = (signal: AbortSignal): Fault =>
  signal.reason instanceof Fault
    ? signal.reason
    : new Fault('unreachable', 'The call to the simulated storage server was given up.', {
        cause: signal.reason,
      });

const volumeIn = (volumes: ReadonlyMap<string, SimulatedVolume>, name: string): SimulatedVolume => {
  const volume = volumes.get(name);
  if (volume === undefined) throw new Fault('invalid', `There is no simulated volume ${name}.`);
  return volume;
};

const createCall = (
  clock: Clock,
  meet: (method: string, when: 'before' | 'after') => void,
  counts: Map<string, number>,
  log: string[],
): StorageWorld['call'] => {
  const call: StorageWorld['call'] = async (method, { mutating, latencyMs }, effect, signal) => {
    counts.set(method, (counts.get(method) ?? 0) + 1);
    if (signal.aborted) throw givenUp(signal);
    if (latencyMs > 0) {
      await clock.sleep(latencyMs, signal).catch(() => {
        throw givenUp(signal);
      });
    }
    meet(method, 'before');
    const answer = effect();
    if (mutating) log.push(method);
    meet(method, 'after');
    return answer;
  };
  return call;
};

export const createStorageWorld = ({ clock }: { readonly clock: Clock }): StorageWorld => {
  const volumes = new Map<string, SimulatedVolume>();
  const failures = createFailures();
  const counts = new Map<string, number>();
  const log: string[] = [];
  return {
    clock,
    volumes,
    disks: new Map(),
    fabric: createFabric(),
    stamps: 0,
    growsOnline: true,
    call: createCall(clock, failures.meet, counts, log),
    fail: failures.add,
    log: () => log,
    counts: () => counts,
    makeForeign: (name) => {
      const volume = newVolume(name, undefined);
      volume.started = true;
      volumes.set(name, volume);
      return volume;
    },
    setBrick: (name, brickName, up) => {
      const volume = volumeIn(volumes, name);
      for (const brick of volume.bricks) {
        if (brick.name !== brickName || brick.up === up) continue;
        const nowMs = clock.monotonicMs();
        volume.missed = pendingOf(volume, nowMs) + (up ? 0 : missedEntries);
        volume.healsSinceMs = nowMs;
        brick.up = up;
      }
    },
    shareState: (name) => {
      const volume = volumes.get(name);
      if (volume === undefined || !volume.started) return 'absent';
      return hasQuorum(volume) ? 'up' : 'down';
    },
    sessions: new Set(),
  };
};
