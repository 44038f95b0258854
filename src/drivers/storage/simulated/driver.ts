/** The simulated storage server: the whole contract of the server side, on volumes named after their pools. */
import { Fault } from '../../../runtime/fault.ts';
import type {
  Component,
  PoolIdentity,
  ServerHealth,
  ServerPlan,
  ServerSeen,
  ServerStep,
  SimulatedWish,
  StorageServer,
  StorageServerDriver,
} from '../contract.ts';
import { createDisks } from './disks.ts';
import { hasQuorum, newVolume, pendingOf, type SimulatedVolume, type StorageWorld } from './world.ts';

type StepKind = 'create' | 'start' | 'stop' | 'delete';

/** What `see` hands to `plan`. */
interface Detail {
  readonly exists: boolean;
  readonly started: boolean;
  readonly madeByOther: boolean;
  readonly quorum: boolean;
  readonly down: readonly string[];
}

const healPollMs = 200;
const mendPollMs = 1_000;

const stepOf = (kind: StepKind, name: string): ServerStep => ({ what: `${kind} ${name}`, detail: { kind } });

const componentsOf = ({ bricks }: SimulatedVolume): readonly Component[] =>
  bricks.map(({ name, up }) => ({
    kind: 'brick',
    name: `a/${name}`,
    state: up ? 'Up' : 'Down',
    ...(up ? {} : { message: 'The brick does not answer.' }),
  }));

const nothingThere: ServerSeen = {
  components: [],
  detail: {
    exists: false,
    started: false,
    madeByOther: false,
    quorum: false,
    down: [],
  } satisfies Detail,
};

const seenOf = (volume: SimulatedVolume, poolUid: string, nowMs: number): ServerSeen => ({
  space: {
    capacityBytes: volume.capacityBytes,
    availableBytes: Math.max(0, volume.capacityBytes - volume.usedBytes),
  },
  components: componentsOf(volume),
  heal: { pending: pendingOf(volume, nowMs), splitBrain: volume.splitBrain },
  origin: volume.madeBy === poolUid ? 'Made' : 'Adopted',
  detail: {
    exists: true,
    started: volume.started,
    madeByOther: volume.madeBy !== poolUid,
    quorum: hasQuorum(volume),
    down: volume.bricks.filter(({ up }) => !up).map(({ name }) => `a/${name}`),
  } satisfies Detail,
});

const healthy: ServerHealth = {
  state: 'Healthy',
  reason: 'Ready',
  message: 'All copies are up and the same.',
};

const healthOf = ({ heal }: ServerSeen, { quorum, down }: Detail): ServerHealth => {
  const names = down.join(', ');
  if (!quorum) {
    return { state: 'Unusable', reason: 'QuorumLost', message: `Bricks ${names} are down.` };
  }
  if (down.length > 0) {
    return { state: 'Degraded', reason: 'StorageDegraded', message: `Brick ${names} is down.` };
  }
  if ((heal?.splitBrain ?? 0) > 0) {
    const message = `${heal?.splitBrain} files are in split-brain.`;
    return { state: 'Degraded', reason: 'FilesInSplitBrain', message };
  }
  if ((heal?.pending ?? 0) > 0) {
    return { state: 'Degraded', reason: 'Healing', message: `${heal?.pending} entries wait for healing.` };
  }
  return healthy;
};

const making = (message: string): ServerHealth => ({ state: 'Unusable', reason: 'Creating', message });

const planFor =
  (name: string) =>
  (seen: ServerSeen): ServerPlan => {
    const detail = seen.detail as Detail;
    if (!detail.exists) {
      const health = making('The volume is being made.');
      return { kind: 'step', step: stepOf('create', name), health };
    }
    if (!detail.started) {
      return { kind: 'step', step: stepOf('start', name), health: making('The volume is being started.') };
    }
    const health = healthOf(seen, detail);
    if (health.state === 'Healthy') return { kind: 'settled', health };
    const pollMs = detail.down.length === 0 && (seen.heal?.pending ?? 0) > 0 ? healPollMs : mendPollMs;
    return { kind: 'wait', pollMs, health };
  };

const planRemovalFor =
  (name: string) =>
  (seen: ServerSeen, erase: boolean): ServerPlan => {
    const { exists, started, madeByOther } = seen.detail as Detail;
    if (!exists || !erase || madeByOther) return { kind: 'settled', health: healthy };
    const message = 'The volume is being deleted.';
    const health: ServerHealth = { state: 'Unusable', reason: 'Deleting', message };
    return { kind: 'step', step: stepOf(started ? 'stop' : 'delete', name), health };
  };

const carryOut = (world: StorageWorld, kind: StepKind, name: string, poolUid: string): void => {
  const { volumes } = world;
  const volume = volumes.get(name);
  const ours = volume?.madeBy === poolUid;
  switch (kind) {
    case 'create':
      if (volume === undefined) volumes.set(name, newVolume(name, poolUid));
      return;
    case 'start':
      if (volume === undefined) throw new Fault('conflict', `The volume ${name} is not there.`);
      volume.started = true;
      return;
    case 'stop':
    case 'delete':
      if (volume !== undefined && !ours) {
        throw new Fault('denied', `The volume ${name} is not ours.`, { reason: 'NameTaken' });
      }
      if (kind === 'stop' && volume !== undefined) volume.started = false;
      if (kind === 'delete') volumes.delete(name);
      return;
    default:
      kind satisfies never;
  }
};

const openServer = (
  world: StorageWorld,
  identity: PoolIdentity,
  { latencyMs, serves }: SimulatedWish,
): StorageServer => {
  const { poolUid, poolName: name } = identity;
  const session = {};
  world.sessions.add(session);
  const checkOpen = (): void => {
    if (world.sessions.has(session)) return;
    throw new Fault('unreachable', 'The storage server is closed.');
  };
  return {
    see: async (signal) => {
      checkOpen();
      const look = (): ServerSeen => {
        const volume = world.volumes.get(name);
        return volume === undefined ? nothingThere : seenOf(volume, poolUid, world.clock.monotonicMs());
      };
      return world.call('see', { mutating: false, latencyMs }, look, signal);
    },
    plan: planFor(name),
    planRemoval: planRemovalFor(name),
    take: async ({ detail }, signal) => {
      checkOpen();
      const { kind } = detail as { readonly kind: StepKind };
      await world.call(
        kind,
        { mutating: true, latencyMs },
        () => carryOut(world, kind, name, poolUid),
        signal,
      );
    },
    mount: serves === 'files' ? { kind: 'simulated', share: name } : undefined,
    disks: serves === 'disks' ? createDisks({ world, identity, latencyMs, checkOpen }) : undefined,
    close: async () => {
      world.sessions.delete(session);
    },
  };
};

/** A driver for this world. */
export const createSimulatedStorage = (world: StorageWorld): StorageServerDriver<SimulatedWish> => ({
  name: 'simulated',
  open: ({ identity, wish }) => openServer(world, identity, wish),
});
