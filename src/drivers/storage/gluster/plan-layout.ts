/** Changes to sets and bricks: one disruptive step at a time, and only while every copy is good. Pure. */
import type { ServerHealth, ServerPlan, ServerSeen } from '../contract.ts';
import { listed, peerOf, plural } from './health.ts';
import { brickName, type Match, type Replacement } from './layout.ts';
import { rebalanceOf } from './options.ts';
import {
  type PlanInput,
  rest,
  saying,
  sightOf,
  TROUBLE_POLL_MS,
  take,
  WORK_POLL_MS,
  waitFor,
} from './plan-kit.ts';
import { type BrickSeen, type GlusterSight, setsOf, type TaskSeen, type VolumeSeen } from './seen.ts';

const MIB = 1024 * 1024;

/** Something goes on by itself: it is shown with its counts, and the volume is as good as it was. */
const working = (base: ServerHealth, reason: string, message: string): ServerPlan => ({
  kind: 'wait',
  pollMs: WORK_POLL_MS,
  health: base.state === 'Healthy' ? { ...base, reason, message } : base,
});

const progressOf = ({ progress }: TaskSeen): string =>
  progress === undefined
    ? ''
    : ` So far ${plural(progress.files, 'file')} of ${Math.round(progress.bytes / MIB)} MiB.`;

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each) => b.includes(each));

/** Bricks that somebody, we most likely, has begun to empty. */
const planEmptying = (
  input: PlanInput,
  volume: VolumeSeen,
  task: TaskSeen,
  base: ServerHealth,
  removed: Match['removed'],
): ServerPlan => {
  const { wish, seen } = input;
  const sight = sightOf(seen);
  const server = sight.asked;
  const names = listed(task.bricks);
  const unwanted = removed.some((set) =>
    sameSet(
      set.map(({ id }) => id),
      task.bricks,
    ),
  );
  if (!unwanted) {
    const message = `Bricks that volume ${wish.volume} is to keep were being emptied; this is called off: ${names}.`;
    return take({ kind: 'keepBricks', server, bricks: task.bricks }, saying(base, 'DriftDetected', message));
  }
  const failed = (task.progress?.failures ?? 0) + (task.progress?.skipped ?? 0);
  if (task.state === 'inProgress') {
    return working(base, 'Rebalancing', `Data is moved off ${names}.${progressOf(task)}`);
  }
  if (task.state !== 'completed' || task.progress === undefined || failed > 0) {
    const why = failed > 0 ? `${plural(failed, 'file')} could not be moved` : `it ended as ${task.state}`;
    return waitFor(
      base,
      'RebalanceFailed',
      `The bricks ${names} are kept, because ${why}: see the rebalance log on their servers, then run gluster volume remove-brick ${wish.volume} … stop there, and it is tried again.`,
    );
  }
  const obstructed = obstacle(seen, sight, volume, undefined, (brick) => brickName(wish, brick));
  if (obstructed !== undefined) return blocked(base, `Removing ${names}`, obstructed);
  return take(
    { kind: 'dropBricks', server, bricks: task.bricks },
    working(base, 'Rebalancing', `All data was moved off ${names}; the bricks are removed.`).health,
  );
};

/** What forbids a disruptive step now; undefined when every copy is good and every server there. `except` is going anyway. */
const obstacle = (
  seen: ServerSeen,
  sight: GlusterSight,
  volume: VolumeSeen,
  except: BrickSeen | undefined,
  name: (brick: BrickSeen) => string,
): { readonly reason: string; readonly message: string } | undefined => {
  const gone = except?.up === false ? except : undefined;
  const servers = sight.servers.filter((look) => {
    const peer = peerOf(sight, look);
    return (peer?.connected !== true || !peer.inCluster) && look.name !== gone?.server;
  });
  if (servers.length > 0) {
    return {
      reason: 'ServerDown',
      message: `these servers are not connected: ${listed(servers.map((look) => look.name))}`,
    };
  }
  const down = volume.bricks.filter((brick) => brick.up !== true && brick !== gone);
  if (down.length > 0)
    return { reason: 'BrickDown', message: `these bricks are down: ${listed(down.map(name))}` };
  if (volume.replica < 2) return undefined;
  const { heal } = seen;
  const unknown = volume.bricks.some((brick) => brick.pending === undefined && brick !== gone);
  if (heal === undefined || unknown) {
    return { reason: 'HealUnknown', message: 'how many entries wait for healing cannot be found out' };
  }
  if (heal.splitBrain > 0) {
    return {
      reason: 'FilesInSplitBrain',
      message: `${plural(heal.splitBrain, 'file is', 'files are')} in split-brain`,
    };
  }
  // With a brick gone the others wait to heal it: its successor is what they wait for.
  if (heal.pending > 0 && gone === undefined) {
    return {
      reason: 'Healing',
      message: `${plural(heal.pending, 'entry waits', 'entries wait')} for healing`,
    };
  }
  return undefined;
};

const blocked = (
  base: ServerHealth,
  what: string,
  why: { readonly reason: string; readonly message: string },
): ServerPlan => ({
  kind: 'wait',
  pollMs: why.reason === 'Healing' ? WORK_POLL_MS : TROUBLE_POLL_MS,
  health: saying(base, why.reason, `${what} waits: ${why.message}.`),
});

const planReplacement = (
  { wish, seen }: PlanInput,
  sight: GlusterSight,
  volume: VolumeSeen,
  base: ServerHealth,
  { set, from, to }: Replacement,
): ServerPlan => {
  const name = (brick: BrickSeen): string => brickName(wish, brick);
  const what = `Replacing brick ${set}/${to.name} (${from.id})`;
  const why = obstacle(seen, sight, volume, from, name);
  if (why !== undefined) return blocked(base, what, why);
  const blind = from.up !== true;
  if (blind && volume.replica === 2) {
    const message = `${what} waits: of two copies one is down, and nobody can tell whether the other one is complete. Bring the brick up first.`;
    return waitFor(base, 'BrickDown', message);
  }
  const target = sight.servers.find((look) => look.name === to.server);
  if (target?.answer.kind !== 'peers') {
    const { reason, message } = target?.answer ?? {
      reason: 'ServerUnreachable',
      message: `Server ${to.server} is not listed.`,
    };
    return blocked(base, what, { reason, message: message.replace(/\.$/, '') });
  }
  const message = `Brick ${set}/${to.name} moves from ${from.id} to ${to.server}:${to.path}; then it is healed.`;
  const step = { kind: 'replaceBrick', server: sight.asked, from: from.id, to, blind } as const;
  return take(step, saying(base, 'Updating', message));
};

const used = (brick: BrickSeen): number => Math.max(0, (brick.totalBytes ?? 0) - (brick.freeBytes ?? 0));
const largest = (set: readonly BrickSeen[]): number =>
  Math.max(0, ...set.filter(({ arbiter }) => !arbiter).map(used));
const onOneFileSystem = (a: BrickSeen, b: BrickSeen): boolean =>
  a.server === b.server && a.totalBytes === b.totalBytes && a.freeBytes === b.freeBytes;
const room = (set: readonly BrickSeen[]): number =>
  Math.min(...set.filter(({ arbiter }) => !arbiter).map(({ freeBytes }) => freeBytes ?? 0));

const planEmptySet = (
  sight: GlusterSight,
  volume: VolumeSeen,
  base: ServerHealth,
  set: readonly BrickSeen[],
): ServerPlan => {
  const bricks = set.map(({ id }) => id);
  const others = setsOf(volume).filter((other) => !other.some(({ id }) => bricks.includes(id)));
  const free = others.reduce((sum, other) => sum + room(other), 0);
  // On a file system that both share, data that moves needs no more room than before.
  const shared = others.flat().some((other) => set.some((brick) => onOneFileSystem(brick, other)));
  if (!shared && largest(set) > free) {
    const [need, have] = [largest(set), free].map((bytes) => Math.ceil(bytes / MIB));
    return waitFor(
      base,
      'StoragePoolFull',
      `The set of ${listed(bricks)} is kept: up to ${need} MiB would have to go where ${have} MiB are free.`,
    );
  }
  const message = `Data is about to be moved off ${listed(bricks)}.`;
  return take(
    { kind: 'emptyBricks', server: sight.asked, bricks },
    working(base, 'Rebalancing', message).health,
  );
};

/** The volume is ours, started and with its options; now its bricks. */
export const planLayout = (
  input: PlanInput,
  sight: GlusterSight,
  volume: VolumeSeen,
  base: ServerHealth,
  { replaced, added, removed }: Match,
): ServerPlan => {
  const server = sight.asked;
  const emptying = volume.tasks.find(({ kind, state }) => kind === 'removeBrick' && state !== 'stopped');
  if (emptying !== undefined) return planEmptying(input, volume, emptying, base, removed);
  const moving = volume.tasks.find(({ kind, state }) => kind === 'rebalance' && state === 'inProgress');
  if (moving !== undefined) {
    return working(base, 'Rebalancing', `Files are spread over all sets.${progressOf(moving)}`);
  }
  const [replacement] = replaced;
  if (replacement !== undefined) return planReplacement(input, sight, volume, base, replacement);
  const [set] = added;
  const [unwanted] = removed;
  const due = rebalanceOf(volume);
  const spread = volume.tasks.find(({ id, state }) => id === due && state !== 'notStarted');
  if (spread !== undefined && (spread.state !== 'completed' || (spread.progress?.failures ?? 0) > 0)) {
    return waitFor(
      base,
      'RebalanceFailed',
      `${plural(spread.progress?.failures ?? 0, 'file')} could not be moved to the new set and can be used where they are: see the rebalance log on the servers, then run gluster volume rebalance ${input.wish.volume} start there.`,
    );
  }
  if (due !== undefined && (spread !== undefined || setsOf(volume).length === 1)) {
    return take({ kind: 'rebalanced', server }, base);
  }
  if (set === undefined && due === undefined && unwanted === undefined) return rest(base);
  const what =
    set !== undefined ? `Adding set ${set.name}` : due !== undefined ? 'Spreading files' : 'Removing a set';
  const why = obstacle(input.seen, sight, volume, undefined, (brick) => brickName(input.wish, brick));
  if (why !== undefined) return blocked(base, what, why);
  if (set !== undefined) {
    return take(
      { kind: 'addSet', server, set: set.name },
      working(base, 'Updating', `Set ${set.name} is being added.`).health,
    );
  }
  // Moving data off a set spreads it over the others as well.
  if (unwanted !== undefined) return planEmptySet(sight, volume, base, unwanted);
  return take(
    { kind: 'rebalance', server },
    working(base, 'Rebalancing', 'Files are about to be spread over all sets.').health,
  );
};
