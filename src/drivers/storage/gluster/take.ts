/** Takes one step. Each looks again right before it acts: done is done, and what has changed hands is left alone. */
import { posix } from 'node:path';
import { Fault } from '../../../runtime/fault.ts';
import { textAt } from '../../xml-read.ts';
import type { Brick, GlusterWish, PoolIdentity, ServerEndpoint } from '../contract.ts';
import type { Gluster } from './command.ts';
import { refusal } from './errors.ts';
import { plural } from './health.ts';
import { requireConnected, requireNoFiles } from './last-look.ts';
import { brickId, wishedSets } from './layout.ts';
import { markOf, markOptions, rebalanceOptions, unmarkOptions } from './options.ts';
import { parseEntries, parseProgress, type VolumeInfo } from './parse.ts';
import { seeInfo } from './see.ts';
import type { GlusterStep } from './steps.ts';

export interface TakeContext {
  readonly identity: PoolIdentity;
  readonly wish: GlusterWish;
  readonly endpoints: readonly ServerEndpoint[];
  readonly on: (server: string) => Gluster;
}

const changed = (volume: string, server: string): Fault =>
  new Fault('conflict', `The volume ${volume} changed meanwhile.`, { where: server });

const assignments = (options: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(options).flat();

const set = (
  gluster: Gluster,
  volume: string,
  options: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => gluster.tell(['volume', 'set', volume, ...assignments(options)], signal);

/** `force` writes over whatever a folder holds, an old brick too: so a folder has to be empty before it is said. */
const requireEmpty = async (
  { on }: TakeContext,
  bricks: readonly Brick[],
  signal: AbortSignal,
): Promise<void> => {
  for (const { server, path } of bricks) {
    if ((await on(server).list(path, signal)) === '') continue;
    const message = `The folder ${path} of server ${server} is not empty: it may hold a brick of a volume that was deleted. Nothing is written over it. Give another path, or remove the folder on the server if its content is not needed.`;
    throw new Fault('invalid', message, { reason: 'BrickInUse', where: server });
  }
};

/** Gluster leaves this check out where it wants `force` for anything at all. */
const requireOwnFileSystem = async (
  { wish, on }: TakeContext,
  { server, path }: Brick,
  signal: AbortSignal,
) => {
  if (wish.force) return;
  const folder = posix.dirname(path);
  if ((await on(server).mountPoint(folder, signal)) !== '/') return;
  const message = `The folder ${folder} of server ${server} is on its root file system: is the disk for bricks mounted? Give a folder on a file system of its own; or set force, if this is meant.`;
  throw new Fault('invalid', message, { reason: 'BrickUnsuitable', where: server });
};

/**
 * A creation that a server did not survive leaves folders that Gluster takes for bricks. One that was never started has
 * no more in it than this, and cannot hold data.
 */
const isBlank = async (gluster: Gluster, path: string, signal: AbortSignal): Promise<boolean> => {
  const content = await gluster.list(path, signal);
  if (content === '') return true;
  if (content !== '.glusterfs') return false;
  const inner = await gluster.list(posix.join(path, '.glusterfs'), signal);
  return inner === '' || inner === 'indices';
};

const areBlank = async (
  { on }: TakeContext,
  bricks: readonly Brick[],
  signal: AbortSignal,
): Promise<boolean> => {
  for (const { server, path } of bricks) if (!(await isBlank(on(server), path, signal))) return false;
  return true;
};

const copies = ({ layout }: GlusterWish): readonly string[] => {
  if (layout.type === 'Distribute') return [];
  return layout.arbiter ? ['replica', '3', 'arbiter', '1'] : ['replica', `${layout.replica}`];
};

const create = async (context: TakeContext, gluster: Gluster, signal: AbortSignal): Promise<void> => {
  const { wish, endpoints } = context;
  const bricks = wish.replicaSets.flatMap((set) => set.bricks);
  if (wish.force) await requireEmpty(context, bricks, signal);
  const ids = bricks.map((brick) => brickId(endpoints, brick));
  const words = ['volume', 'create', wish.volume, ...copies(wish), ...ids];
  const answer = await gluster.ask(wish.force ? [...words, 'force'] : words, signal);
  if (answer.ok) return;
  const refused = refusal(gluster.server, answer.error);
  const leftOver = /is already part of a volume/.test(answer.error) && !wish.force;
  if (!leftOver || !(await areBlank(context, bricks, signal))) throw refused;
  for (const brick of bricks) await requireOwnFileSystem(context, brick, signal);
  await gluster.tell([...words, 'force'], signal);
};

const addSet = async (
  context: TakeContext,
  gluster: Gluster,
  info: VolumeInfo,
  name: string,
  signal: AbortSignal,
): Promise<void> => {
  const { wish, endpoints } = context;
  const bricks = wishedSets(wish).find((each) => each.name === name)?.bricks ?? [];
  if (bricks.length === 0) throw changed(wish.volume, gluster.server);
  const ids = bricks.map((brick) => brickId(endpoints, brick));
  if (ids.every((id) => info.bricks.some((brick) => brick.id === id))) return;
  if (wish.force) await requireEmpty(context, bricks, signal);
  // Noted before, so that no crash leaves a set that nothing is ever moved to.
  await set(gluster, wish.volume, rebalanceOptions('due'), signal);
  const force = wish.force ? ['force'] : [];
  await gluster.tell(['volume', 'add-brick', wish.volume, ...ids, ...force], signal);
};

const rebalance = async ({ wish }: TakeContext, gluster: Gluster, signal: AbortSignal): Promise<void> => {
  const { root } = await gluster.tell(['volume', 'rebalance', wish.volume, 'start'], signal);
  const task = textAt(root, 'volRebalance', 'task-id');
  if (task !== undefined) await set(gluster, wish.volume, rebalanceOptions(task), signal);
};

/** What an arbiter knows to be stale on a copy that stays can only be had from the brick that is down. */
const requireNothingLost = async (
  { wish }: TakeContext,
  gluster: Gluster,
  info: VolumeInfo,
  from: string,
  signal: AbortSignal,
): Promise<void> => {
  const { root } = await gluster.tell(['volume', 'heal', wish.volume, 'info'], signal);
  const listed = new Map(parseEntries(root).map(({ id, files }) => [id, files]));
  const at = info.bricks.findIndex(({ id }) => id === from);
  const first = at - (at % info.replica);
  const others = info.bricks.slice(first, first + info.replica).filter(({ id }) => id !== from);
  const arbiter = others.find((brick) => brick.arbiter);
  if (arbiter === undefined) return;
  const known = [...(listed.get(arbiter.id)?.keys() ?? [])];
  const stale = known.filter((gfid) => others.some(({ id }) => listed.get(id)?.has(gfid) !== true));
  if (stale.length === 0) return;
  const message = `Brick ${from} may hold the only good copy of ${plural(stale.length, 'entry', 'entries')}: it is not replaced before it was up again and everything is healed.`;
  throw new Fault('unreachable', message, { reason: 'BrickDown', where: gluster.server });
};

const replaceBrick = async (
  context: TakeContext,
  gluster: Gluster,
  info: VolumeInfo,
  { from, to, blind }: Extract<GlusterStep, { kind: 'replaceBrick' }>,
  signal: AbortSignal,
): Promise<void> => {
  const { wish, endpoints } = context;
  const target = brickId(endpoints, to);
  const ids = new Set(info.bricks.map(({ id }) => id));
  if (ids.has(target) && !ids.has(from)) return;
  if (!ids.has(from)) throw changed(wish.volume, gluster.server);
  await requireOwnFileSystem(context, to, signal);
  await requireEmpty(context, [to], signal);
  if (blind) await requireNothingLost(context, gluster, info, from, signal);
  // There is no other form; it forces nothing but what was looked at above.
  await gluster.tell(['volume', 'replace-brick', wish.volume, from, target, 'commit', 'force'], signal);
};

const removeBricks = (volume: string, bricks: readonly string[], verb: string): readonly string[] => [
  'volume',
  'remove-brick',
  volume,
  ...bricks,
  verb,
];

const dropBricks = async (
  { wish }: TakeContext,
  gluster: Gluster,
  bricks: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  // Before, so that all of them tell how far they are; and after, so that none left meanwhile.
  await requireConnected(gluster, signal);
  const { root } = await gluster.tell(removeBricks(wish.volume, bricks, 'status'), signal);
  const told = parseProgress(root);
  if (told?.state !== 'completed' || told.progress.failures + told.progress.skipped > 0) {
    throw changed(wish.volume, gluster.server);
  }
  await requireConnected(gluster, signal);
  await gluster.tell(removeBricks(wish.volume, bricks, 'commit'), signal);
};

/** Steps on a volume that is ours, as it is right now. */
const takeOnOurs = async (
  context: TakeContext,
  step: GlusterStep,
  gluster: Gluster,
  info: VolumeInfo,
  signal: AbortSignal,
): Promise<unknown> => {
  const { volume } = context.wish;
  const has = (bricks: readonly string[]): boolean =>
    bricks.every((id) => info.bricks.some((brick) => brick.id === id));
  switch (step.kind) {
    case 'profile':
      return gluster.tell(['volume', 'set', volume, 'group', 'virt'], signal);
    case 'setOptions':
      return set(gluster, volume, step.options, signal);
    case 'start':
      return info.status === 'Started' ? undefined : gluster.tell(['volume', 'start', volume], signal);
    case 'addSet':
      return addSet(context, gluster, info, step.set, signal);
    case 'rebalance':
      return rebalance(context, gluster, signal);
    case 'rebalanced':
      return set(gluster, volume, rebalanceOptions(), signal);
    case 'replaceBrick':
      return replaceBrick(context, gluster, info, step, signal);
    case 'emptyBricks':
      return has(step.bricks) ? gluster.tell(removeBricks(volume, step.bricks, 'start'), signal) : undefined;
    case 'dropBricks':
      return has(step.bricks) ? dropBricks(context, gluster, step.bricks, signal) : undefined;
    case 'keepBricks':
      return gluster.tell(removeBricks(volume, step.bricks, 'stop'), signal);
    case 'stop':
      await requireNoFiles(context, info, signal);
      return info.status === 'Started' ? gluster.tell(['volume', 'stop', volume], signal) : undefined;
    case 'delete':
      await requireNoFiles(context, info, signal);
      return gluster.tell(['volume', 'delete', volume], signal);
    case 'unmark':
      return set(gluster, volume, unmarkOptions, signal);
    case 'probe':
    case 'create':
    case 'mark':
      throw new Fault('bug', `The step ${step.kind} is for volumes that are not ours yet.`);
    default:
      return step satisfies never;
  }
};

/** Throws Fault; `conflict` when the volume is no longer what the plan saw, `busy` while Gluster is locked. */
export const takeStep = async (
  context: TakeContext,
  step: GlusterStep,
  signal: AbortSignal,
): Promise<void> => {
  const { wish, identity } = context;
  const gluster = context.on(step.server);
  if (step.kind === 'probe') {
    await gluster.tell(['peer', 'probe', step.address], signal);
    return;
  }
  const info = await seeInfo(gluster, wish.volume, signal);
  if (step.kind === 'create') {
    if (info === undefined) await create(context, gluster, signal);
    return;
  }
  if (info === undefined) {
    if (step.kind === 'delete' || step.kind === 'stop' || step.kind === 'unmark') return;
    throw changed(wish.volume, step.server);
  }
  const mark = markOf(info, identity);
  if (step.kind === 'mark') {
    if (mark.kind === 'none') await set(gluster, wish.volume, markOptions(identity, step.made), signal);
    else if (mark.kind !== 'ours') throw changed(wish.volume, step.server);
    return;
  }
  if (mark.kind !== 'ours') throw changed(wish.volume, step.server);
  await takeOnOurs(context, step, gluster, info, signal);
};
