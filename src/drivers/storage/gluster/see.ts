/**
 * One sweep: every server is asked for its peers at once, and one of those that answer tells the rest. Five short
 * commands on that one, whatever is on the volume. Nothing is changed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, isFault } from '../../../runtime/fault.ts';
import type { ServerEndpoint } from '../contract.ts';
import { toServerFault } from '../server-fault.ts';
import type { Gluster } from './command.ts';
import { refusal } from './errors.ts';
import {
  type BrickHeal,
  type BrickStatus,
  parseDetail,
  parseEntries,
  parseHeal,
  parseInfo,
  parsePeers,
  parseProgress,
  parseTasks,
  type VolumeInfo,
} from './parse.ts';
import type { BrickSeen, GlusterSight, ServerLook, TaskSeen, VolumeSeen } from './seen.ts';

/** How long the others may take once one server has answered. */
const GRACE_MS = 3_000;
const MAX_FILES = 20;

export interface Member {
  readonly endpoint: ServerEndpoint;
  readonly gluster: Gluster;
}

const lookAt = async ({ endpoint, gluster }: Member, signal: AbortSignal): Promise<ServerLook> => {
  const { name, address } = endpoint;
  try {
    const { root } = await gluster.tell(['pool', 'list'], signal);
    return { name, address, answer: { kind: 'peers', ...parsePeers(root) } };
  } catch (error) {
    const { reason = 'ServerUnreachable', message } = toServerFault(error, name);
    return { name, address, answer: { kind: 'failed', reason, message } };
  }
};

/** All servers at once; one that is silent holds up the sweep by the grace and no more. */
const lookAtAll = async (members: readonly Member[], signal: AbortSignal): Promise<readonly ServerLook[]> => {
  const patience = new AbortController();
  const both = AbortSignal.any([signal, patience.signal]);
  const first = Promise.withResolvers<void>();
  const looks = members.map(async (member) => {
    const look = await lookAt(member, both);
    if (look.answer.kind === 'peers') first.resolve();
    return look;
  });
  const all = Promise.all(looks).then((found) => {
    patience.abort();
    return found;
  });
  await Promise.race([first.promise, all]);
  await Promise.race([all, sleep(GRACE_MS, undefined, { signal: both }).catch(() => undefined)]);
  patience.abort();
  return all;
};

const connectedOf = (look: ServerLook): number =>
  look.answer.kind === 'peers' ? look.answer.peers.filter(({ connected }) => connected).length : -1;

/** The server that sees most of the cluster, so that one that was cut off from it does not speak for it. */
const choose = (looks: readonly ServerLook[]): ServerLook => {
  const [best] = looks.toSorted((a, b) => connectedOf(b) - connectedOf(a));
  if (best?.answer.kind === 'peers') return best;
  const failures = looks.flatMap(({ answer }) => (answer.kind === 'failed' ? [answer] : []));
  // What a person can mend says more than a machine that is silent.
  const told = failures.find(({ reason }) => reason !== 'ServerUnreachable') ?? failures[0];
  const message = `No server of the pool answers. ${told?.message ?? 'It lists none.'}`;
  throw new Fault('unreachable', message, { reason: told?.reason ?? 'ServerUnreachable' });
};

/** Which endpoint a machine of the cluster is, by its own word or by the name its peers know. */
const endpointsByUuid = (looks: readonly ServerLook[], asked: ServerLook): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  const peers = asked.answer.kind === 'peers' ? asked.answer.peers : [];
  for (const { name, address, answer } of looks) {
    const known = peers.find(({ names }) => names.includes(address))?.uuid;
    const uuid = answer.kind === 'peers' ? answer.uuid : known;
    if (uuid !== undefined) found.set(uuid, name);
  }
  return found;
};

const STATUS: Readonly<Record<string, VolumeSeen['status']>> = {
  Created: 'Created',
  Started: 'Started',
  Stopped: 'Stopped',
};

const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

const bricksOf = (
  info: VolumeInfo,
  servers: ReadonlyMap<string, string>,
  statuses: readonly BrickStatus[] | undefined,
  heals: readonly BrickHeal[] | undefined,
): readonly BrickSeen[] =>
  info.bricks.map(({ id, hostUuid, arbiter }) => {
    const path = pathOf(id);
    const status = statuses?.find((each) => each.peer === hostUuid && each.path === path);
    const heal = heals?.find((each) => each.id === id);
    return {
      id,
      path,
      server: servers.get(hostUuid),
      arbiter,
      up: statuses === undefined ? undefined : (status?.up ?? false),
      totalBytes: status?.totalBytes,
      freeBytes: status?.freeBytes,
      pending: heal?.pending,
      splitBrain: heal?.splitBrain,
    };
  });

const withProgress = async (
  gluster: Gluster,
  volume: string,
  task: TaskSeen,
  signal: AbortSignal,
): Promise<TaskSeen> => {
  const words =
    task.kind === 'rebalance'
      ? ['volume', 'rebalance', volume, 'status']
      : ['volume', 'remove-brick', volume, ...task.bricks, 'status'];
  const answer = await gluster.ask(words, signal);
  const told = answer.ok ? parseProgress(answer.root) : undefined;
  return told === undefined ? task : { ...task, state: told.state, progress: told.progress };
};

interface Live {
  readonly statuses: readonly BrickStatus[] | undefined;
  readonly tasks: readonly TaskSeen[];
  readonly heals: readonly BrickHeal[] | undefined;
  readonly splitBrainFiles: readonly string[];
}

const notLive: Live = { statuses: undefined, tasks: [], heals: undefined, splitBrainFiles: [] };

const filesInSplitBrain = async (gluster: Gluster, volume: string, signal: AbortSignal) => {
  const { ok, root } = await gluster.ask(['volume', 'heal', volume, 'info', 'split-brain'], signal);
  if (!ok) return [];
  const names = new Map<string, string>();
  for (const { files } of parseEntries(root)) {
    // One brick may know the name where another knows the gfid alone.
    for (const [gfid, name] of files) if (name.startsWith('/') || !names.has(gfid)) names.set(gfid, name);
  }
  return [...names.values()].toSorted().slice(0, MAX_FILES);
};

/** What only a started volume can tell. It may be stopped by a hand meanwhile: a conflict, and the next sweep shows it. */
const seeLive = async (
  gluster: Gluster,
  volume: string,
  info: VolumeInfo,
  signal: AbortSignal,
): Promise<Live> => {
  if (info.status !== 'Started') return notLive;
  const statuses = parseDetail((await gluster.tell(['volume', 'status', volume, 'detail'], signal)).root);
  const found = parseTasks((await gluster.tell(['volume', 'status', volume], signal)).root);
  const tasks: TaskSeen[] = [];
  for (const task of found) tasks.push(await withProgress(gluster, volume, task, signal));
  if (info.replica < 2) return { ...notLive, statuses, tasks };
  const answer = await gluster.ask(['volume', 'heal', volume, 'info', 'summary'], signal);
  const heals = answer.ok ? parseHeal(answer.root) : undefined;
  const split = heals?.some(({ splitBrain }) => splitBrain > 0) === true;
  const splitBrainFiles = split ? await filesInSplitBrain(gluster, volume, signal) : [];
  return { statuses, tasks, heals, splitBrainFiles };
};

/** Undefined when there is no such volume. */
export const seeInfo = async (
  gluster: Gluster,
  volume: string,
  signal: AbortSignal,
): Promise<VolumeInfo | undefined> => {
  const answer = await gluster.ask(['volume', 'info', volume], signal);
  if (!answer.ok && !/does not exist/i.test(answer.error)) throw refusal(gluster.server, answer.error);
  return answer.ok ? parseInfo(answer.root) : undefined;
};

const seeVolume = async (
  gluster: Gluster,
  volume: string,
  servers: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<VolumeSeen | undefined> => {
  const info = await seeInfo(gluster, volume, signal);
  if (info === undefined) return undefined;
  const { statuses, tasks, heals, splitBrainFiles } = await seeLive(gluster, volume, info, signal);
  return {
    id: info.id,
    status: STATUS[info.status] ?? 'Stopped',
    replica: info.replica,
    arbiter: info.arbiters > 0,
    supported: info.disperse === 0 && info.arbiters <= 1,
    typeName: info.typeName,
    bricks: bricksOf(info, servers, statuses, heals),
    options: info.options,
    tasks,
    splitBrainFiles,
  };
};

/** Throws Fault `unreachable` when no server answers, `busy` while the cluster is locked by another command. */
export const seeGluster = async (
  members: readonly Member[],
  volume: string,
  signal: AbortSignal,
): Promise<GlusterSight> => {
  const servers = await lookAtAll(members, signal);
  signal.throwIfAborted();
  const asked = choose(servers);
  const member = members.find(({ endpoint }) => endpoint.name === asked.name);
  if (member === undefined) throw new Fault('bug', `The server ${asked.name} is not one of the pool.`);
  try {
    const found = await seeVolume(member.gluster, volume, endpointsByUuid(servers, asked), signal);
    return { servers, asked: asked.name, volume: found, lost: false };
  } catch (error) {
    throw isFault(error) ? error : toServerFault(error, asked.name);
  }
};
