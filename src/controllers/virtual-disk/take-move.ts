/** One step of a disk's move to another StoragePool. */
import { encodeMove, encodePool, type MovePhase, type MoveRecord } from '../../api/disk-move.ts';
import { MOVE_ANNOTATION, POOL_ANNOTATION } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { Fault } from '../../runtime/fault.ts';
import type { JsonPatch } from '../../runtime/finalizer.ts';
import type { Taken } from '../../runtime/pass.ts';
import { FIELD_MANAGER } from '../context.ts';
import { annotationPath } from '../object-writes.ts';
import { pathIn } from '../places.ts';
import { diskServerOf } from '../served.ts';
import { withPromise } from '../storage-promises.ts';
import { homeOf } from './claim.ts';
import type { DiskStep } from './decision.ts';
import { type GatherDeps, gather } from './gather.ts';
import { copyDiffers, type MoveSource, moveContent } from './move-job.ts';
import type { DiskSight, DiskWorld, HostWorld, MoveTarget, MoveWorld, SeedNest } from './world.ts';

type Ended = Taken<DiskSight>;
export type MoveStep = Extract<
  DiskStep,
  { kind: 'markMove' | 'endMove' | 'move' | 'dropCopy' | 'clearSource' }
>;

const moveOfWorld = ({ move }: DiskWorld): MoveWorld => {
  if (move === undefined) throw new Fault('bug', 'A step of a move for a disk that does not move.');
  return move;
};

const recordOf = (world: DiskWorld): MoveRecord => {
  const { record } = moveOfWorld(world);
  if (record === undefined) throw new Fault('bug', 'A step of a move that was not begun.');
  return record;
};

const targetOf = (world: DiskWorld): MoveTarget => {
  const { target } = moveOfWorld(world);
  if (target === undefined)
    throw new Fault('unreachable', 'The StoragePool of the copy is gone.', { reason: 'StoragePoolNotFound' });
  return target;
};

const homeHost = (world: DiskWorld): HostWorld | undefined => {
  const home = homeOf(world);
  return world.hosts.find(({ name }) => name === home);
};

/** What the record says from now on. */
const nextRecord = (world: DiskWorld, phase: MovePhase): MoveRecord => {
  const { record } = moveOfWorld(world);
  if (record !== undefined) return { ...record, phase };
  const { pool, shared, host } = targetOf(world);
  const home = world.shared ? undefined : homeOf(world);
  return {
    disk: world.disk.metadata.uid,
    from: { pool: world.place?.poolUid ?? '', ...(home === undefined ? {} : { host: home }) },
    to: { pool: pool.metadata.uid, ...(shared || host === undefined ? {} : { host: host.name }) },
    phase,
  };
};

const PATH = annotationPath(MOVE_ANNOTATION);

/**
 * The object as it was read, or nothing: a machine that was given the disk meanwhile, another pool in the spec and a
 * second operator are all newer versions of it.
 */
const annotate = async (
  { context }: GatherDeps,
  { disk }: DiskWorld,
  name: string,
  change: JsonPatch,
  signal: AbortSignal,
): Promise<void> => {
  const { namespace, name: diskName, resourceVersion, uid } = disk.metadata;
  const unchanged: JsonPatch = [
    { op: 'test', path: '/metadata/uid', value: uid },
    { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
  ];
  await context.effect(name, () =>
    context.kinds.disks.resource.patchJson(
      { namespace, name: diskName },
      [...unchanged, ...change],
      { fieldManager: FIELD_MANAGER },
      signal,
    ),
  );
};

const markMove = async (
  deps: GatherDeps,
  world: DiskWorld,
  phase: MovePhase,
  signal: AbortSignal,
): Promise<Ended> => {
  const value = encodeMove(nextRecord(world, phase));
  const change: JsonPatch =
    world.disk.metadata.annotations === undefined
      ? [{ op: 'add', path: '/metadata/annotations', value: { [MOVE_ANNOTATION]: value } }]
      : [{ op: 'add', path: PATH, value }];
  const mark = (): Promise<void> => annotate(deps, world, `mark move ${phase}`, change, signal);
  const { uid } = world.disk.metadata;
  // The other pool is promised the disk in the turn in which it is found to fit there.
  const before = moveOfWorld(world).record?.phase;
  const bytes = bytesOf(world.disk.status?.size ?? world.disk.spec.size);
  await (phase === 'Copying' && (before === undefined || before === 'Dropping')
    ? withPromise(deps.context, targetOf(world).pool, uid, bytes, mark)
    : mark());
  // What was compared before the disk could be used again says nothing of it.
  if (phase !== 'Removing') deps.moves.forget(world.disk.metadata.uid);
  return { kind: 'wrote' };
};

/** What is seen from here on belongs to another world: the next pass looks. */
const endMove = async (deps: GatherDeps, world: DiskWorld, signal: AbortSignal): Promise<Ended> => {
  const { phase, from, to } = recordOf(world);
  const pool = encodePool(world.disk.metadata.uid, phase === 'Removing' ? to : from);
  const change: JsonPatch = [
    { op: 'remove', path: PATH },
    { op: 'add', path: annotationPath(POOL_ANNOTATION), value: pool },
  ];
  await annotate(deps, world, 'end move', change, signal);
  deps.moves.forget(world.disk.metadata.uid);
  return { kind: 'started', afterMs: 0 };
};

const sourceBytes = (world: DiskWorld, seen: DiskSight): number => {
  if (seen.served?.kind === 'present') return seen.served.sizeBytes;
  const home = homeOf(world);
  const sight = seen.volumes.find(({ host }) => host === home)?.sight;
  if (sight?.kind === 'present') return sight.volume.sizeBytes;
  throw new Fault('conflict', 'The disk is not where it was.');
};

const startMove = (deps: GatherDeps, world: DiskWorld, seen: DiskSight): Ended => {
  const { context, jobs, moves } = deps;
  const { uid, namespace, name } = world.disk.metadata;
  const record = recordOf(world);
  const target = targetOf(world);
  // From here to the start of the job nobody else has a turn.
  const fresh = gather(deps, `${namespace}/${name}`);
  if (fresh?.disk.status?.claim !== undefined || fresh?.granting === true)
    throw new Fault('conflict', 'A machine uses the disk.');
  const source: MoveSource = { world, host: homeHost(world), sizeBytes: sourceBytes(world, seen) };
  const group = target.host?.name ?? `fill/${target.pool.metadata.name}`;
  jobs.forget(uid);
  jobs.start(uid, group, async (progress, signal) => {
    const result = await moveContent(context, source, target, progress, signal);
    moves.noteCompared(uid, record, result);
    if (result === 'differs') throw copyDiffers(moveOfWorld(world));
  });
  return { kind: 'started' };
};

/** What was removed is told by this process's memory, and what is left by the next look. */
const again: Ended = { kind: 'started', afterMs: 0 };

const dropCopy = async (deps: GatherDeps, world: DiskWorld, signal: AbortSignal): Promise<Ended> => {
  const { context, moves } = deps;
  const { uid } = world.disk.metadata;
  const { pool, place, served, volume, host } = targetOf(world);
  const session = host && context.fleet.session(host.pool);
  await context.effect('drop copy', async () => {
    if (served) return diskServerOf(context, pool).take({ diskUid: uid }, { kind: 'delete' }, signal);
    if (host === undefined || session === undefined)
      throw new Fault('unreachable', `No host reaches StoragePool ${pool.metadata.name}.`, {
        reason: 'NoHostsReady',
      });
    return session.pool.hostStorage(host.id).take(place, { kind: 'delete', volume }, signal);
  });
  moves.noteRemoved(uid, recordOf(world));
  return again;
};

const dropSeeds = async (
  { context }: GatherDeps,
  { vmUid, place, host }: SeedNest,
  signal: AbortSignal,
): Promise<void> => {
  const storage = context.fleet.session(host.pool)?.pool.hostStorage(host.id);
  const volumes = (await storage?.list(place, signal)) ?? [];
  for (const { name } of volumes.filter((it) => it.name.startsWith(`ovcp-seed-${vmUid}-`)))
    await context.effect('delete seed', async () =>
      storage?.take(place, { kind: 'delete', volume: name }, signal),
    );
};

/** The file of an image whose object is gone goes with the last disk that stands on it. */
const clearFiles = async (deps: GatherDeps, world: DiskWorld, signal: AbortSignal): Promise<void> => {
  const { context } = deps;
  const { place, volume, orphanedImage } = world;
  const host = homeHost(world);
  const storage = host && context.fleet.session(host.pool)?.pool.hostStorage(host.id);
  if (place === undefined || storage === undefined)
    throw new Fault('unreachable', 'No host reaches what is left of the disk.', { reason: 'NoHostsReady' });
  await context.effect('clear source', () => storage.take(place, { kind: 'delete', volume }, signal));
  if (orphanedImage === undefined) return;
  const path = pathIn(place, orphanedImage);
  const volumes = await storage.list(place, signal);
  if (volumes.some(({ backingPath }) => backingPath === path)) return;
  await context.effect('delete image', () =>
    storage.take(place, { kind: 'delete', volume: orphanedImage }, signal),
  );
};

const clearSource = async (deps: GatherDeps, world: DiskWorld, signal: AbortSignal): Promise<Ended> => {
  const { context, moves } = deps;
  const { uid, namespace, name } = world.disk.metadata;
  const fresh = gather(deps, `${namespace}/${name}`);
  if (fresh?.move?.record?.phase !== 'Removing' || fresh.disk.status?.claim !== undefined)
    throw new Fault('conflict', 'The disk changed meanwhile.');
  for (const nest of fresh.seeds ?? []) await dropSeeds(deps, nest, signal);
  const { served } = world;
  if (served !== undefined) {
    const server = diskServerOf(context, served.pool);
    await context.effect('clear source', () => server.take({ diskUid: uid }, { kind: 'delete' }, signal));
  } else {
    await clearFiles(deps, world, signal);
  }
  moves.noteRemoved(uid, recordOf(world));
  return again;
};

export const takeMove = (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  step: MoveStep,
  signal: AbortSignal,
): Promise<Ended> => {
  switch (step.kind) {
    case 'markMove':
      return markMove(deps, world, step.phase, signal);
    case 'endMove':
      return endMove(deps, world, signal);
    case 'move':
      return Promise.resolve(startMove(deps, world, seen));
    case 'dropCopy':
      return dropCopy(deps, world, signal);
    case 'clearSource':
      return clearSource(deps, world, signal);
    default:
      return step satisfies never;
  }
};
