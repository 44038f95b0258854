/** How a volume stands, for a person and for those who put disks on it. Pure. */
import type { Component, GlusterWish, PoolIdentity, ServerHealth, ServerSeen } from '../contract.ts';
import { brickName } from './layout.ts';
import { markOf } from './options.ts';
import {
  type BrickSeen,
  type GlusterSight,
  type PeerSeen,
  type ServerLook,
  setsOf,
  type VolumeSeen,
} from './seen.ts';

const MAX_NAMED = 5;

/** `a, b and 3 more`. */
export const listed = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more`;

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** What the asked server knows of a listed one; undefined for a stranger. */
export const peerOf = ({ servers, asked }: GlusterSight, look: ServerLook): PeerSeen | undefined => {
  const teller = servers.find(({ name }) => name === asked)?.answer;
  if (teller?.kind !== 'peers') return undefined;
  if (look.name === asked) return teller.peers.find(({ names }) => names[0] === 'localhost');
  const own = look.answer.kind === 'peers' ? look.answer.uuid : undefined;
  return teller.peers.find(({ uuid, names }) => uuid === own || names.includes(look.address));
};

const serverComponent = (sight: GlusterSight, look: ServerLook): Component => {
  const { name, answer } = look;
  const peer = peerOf(sight, look);
  const connected = peer?.connected === true && peer.inCluster;
  if (answer.kind === 'failed') {
    return { kind: 'server', name, state: connected ? 'Unknown' : 'Down', message: answer.message };
  }
  if (connected) return { kind: 'server', name, state: 'Up' };
  const message =
    peer === undefined
      ? `Server ${name} is not a peer of server ${sight.asked}.`
      : `Server ${name} is not connected to the cluster (${peer.state}).`;
  return { kind: 'server', name, state: peer === undefined ? 'Unknown' : 'Down', message };
};

const brickComponent = (wish: GlusterWish, brick: BrickSeen): Component => {
  const name = brickName(wish, brick);
  if (brick.up === true) return { kind: 'brick', name, state: 'Up' };
  if (brick.up === undefined) {
    return { kind: 'brick', name, state: 'Unknown', message: 'The volume is not started.' };
  }
  const message = `The brick process of ${brick.id} does not run: the server, its disk or the process is down.`;
  return { kind: 'brick', name, state: 'Down', message };
};

/** Room of a set is that of its smallest brick with data; unknown as long as a set cannot be asked at all. */
const spaceOf = (volume: VolumeSeen): ServerSeen['space'] => {
  let capacityBytes = 0;
  let availableBytes = 0;
  for (const set of setsOf(volume)) {
    const bricks = set.filter(({ arbiter, totalBytes }) => !arbiter && totalBytes !== undefined);
    if (bricks.length === 0) return undefined;
    capacityBytes += Math.min(...bricks.map(({ totalBytes }) => totalBytes ?? 0));
    availableBytes += Math.min(...bricks.map(({ freeBytes }) => freeBytes ?? 0));
  }
  return { capacityBytes, availableBytes };
};

/** Each healthy brick of a set lists the same entries: the longest list counts. Undefined while no brick of a set can be asked. */
const healOf = (volume: VolumeSeen): ServerSeen['heal'] => {
  if (volume.replica < 2 || volume.status !== 'Started') return undefined;
  let pending = 0;
  let splitBrain = 0;
  for (const set of setsOf(volume)) {
    const known = set.flatMap((brick) => (brick.pending === undefined ? [] : [brick]));
    if (known.length === 0) return undefined;
    pending += Math.max(...known.map((brick) => brick.pending ?? 0));
    splitBrain += Math.max(...known.map((brick) => brick.splitBrain ?? 0));
  }
  return { pending, splitBrain };
};

/** Undefined for a volume that is somebody else's and is not to be only looked at. */
const originOf = (
  volume: VolumeSeen,
  identity: PoolIdentity,
  { management }: GlusterWish,
): ServerSeen['origin'] => {
  const mark = markOf(volume, identity);
  if (mark.kind === 'ours' && mark.made) return 'Made';
  return mark.kind === 'ours' || management === 'Observe' ? 'Adopted' : undefined;
};

export const seenOf = (identity: PoolIdentity, wish: GlusterWish, sight: GlusterSight): ServerSeen => {
  const { volume } = sight;
  const bricks = volume?.bricks.map((brick) => brickComponent(wish, brick)) ?? [];
  return {
    space: volume === undefined ? undefined : spaceOf(volume),
    origin: volume === undefined ? undefined : originOf(volume, identity, wish),
    components: [...sight.servers.map((look) => serverComponent(sight, look)), ...bricks],
    heal: volume === undefined ? undefined : healOf(volume),
    detail: sight,
  };
};

/** More than half of the cluster is connected: without it bricks stop, and no command is taken. */
export const hasServerQuorum = ({ servers, asked }: GlusterSight): boolean => {
  const teller = servers.find(({ name }) => name === asked)?.answer;
  if (teller?.kind !== 'peers') return false;
  return teller.peers.filter(({ connected }) => connected).length * 2 > teller.peers.length;
};

/** A set serves writes: every brick of a plain one, more than half of a replicated one (both of two). */
const serves = (set: readonly BrickSeen[]): boolean => set.filter(({ up }) => up).length * 2 > set.length;

const unusable = (reason: string, message: string): ServerHealth => ({ state: 'Unusable', reason, message });
const degraded = (reason: string, message: string): ServerHealth => ({ state: 'Degraded', reason, message });

const ofBricks = (wish: GlusterWish, volume: VolumeSeen, seen: ServerSeen): ServerHealth | undefined => {
  const down = volume.bricks.filter(({ up }) => up === false).map((brick) => brickName(wish, brick));
  const silent = setsOf(volume).filter((set) => !serves(set));
  if (silent.length > 0) {
    const message = `Too few bricks are up for the volume to be written to; down are ${listed(down)}.`;
    return unusable('QuorumLost', message);
  }
  if (volume.splitBrainFiles.length > 0 || (seen.heal?.splitBrain ?? 0) > 0) {
    const files = listed(volume.splitBrainFiles);
    return degraded(
      'FilesInSplitBrain',
      `The copies of these files differ, and a person has to choose: ${files}.`,
    );
  }
  if (down.length === 0) return undefined;
  const waiting = seen.heal?.pending ?? 0;
  const heal = waiting === 0 ? '' : ` ${plural(waiting, 'entry waits', 'entries wait')} for healing.`;
  return degraded(
    'BrickDown',
    `Of ${plural(volume.bricks.length, 'brick')} these are down: ${listed(down)}.${heal}`,
  );
};

const ofServers = (seen: ServerSeen): ServerHealth | undefined => {
  const off = seen.components.filter(({ kind, state }) => kind === 'server' && state !== 'Up');
  const [first] = off;
  if (first === undefined) return undefined;
  return degraded('ServerDown', `Not all servers are up: ${first.message ?? first.name}`);
};

/** What can be said without knowing what is wanted of the volume. */
export const healthOf = (wish: GlusterWish, seen: ServerSeen): ServerHealth => {
  const sight = seen.detail as GlusterSight;
  const { volume } = sight;
  if (volume === undefined)
    return unusable('VolumeNotFound', `There is no volume ${wish.volume} on the servers.`);
  if (!hasServerQuorum(sight)) {
    return unusable('QuorumLost', 'Too few servers of the cluster are connected to each other.');
  }
  if (volume.status !== 'Started') return unusable('VolumeStopped', `The volume ${wish.volume} is stopped.`);
  const heal = seen.heal;
  const trouble = ofBricks(wish, volume, seen) ?? ofServers(seen);
  if (trouble !== undefined) return trouble;
  if (volume.replica > 1 && heal === undefined) {
    return degraded('HealUnknown', 'How many entries wait for healing cannot be found out.');
  }
  if (heal !== undefined && heal.pending > 0) {
    return degraded('Healing', `${plural(heal.pending, 'entry is', 'entries are')} being healed.`);
  }
  const bricks = plural(volume.bricks.length, 'brick');
  return {
    state: 'Healthy',
    reason: 'Ready',
    message: `The volume ${wish.volume} is started, and all of its ${bricks} are up.`,
  };
};
