/** One step of a disk's life on a storage server. */
import { diskTargetIqn, poolSecretMark, unitWwn } from '../../api/identity.ts';
import type { VirtualDiskStatus } from '../../api/virtual-disk.ts';
import type { DiskIdentity, DiskServer, ServedStep } from '../../drivers/storage/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import { diskServerOf } from '../served.ts';
import { claimOf } from './claim.ts';
import type { DiskStep } from './decision.ts';
import { type GatherDeps, gather } from './gather.ts';
import { contentOf } from './image-content.ts';
import { promised } from './promised.ts';
import { statusOf } from './status.ts';
import type { DiskSight, DiskWorld, ServedWorld } from './world.ts';
import { writeDiskStatus } from './write-status.ts';

type Ended = Taken<DiskSight>;
export type ServerStep = Extract<DiskStep, { kind: 'grant' | 'serve' | 'withdraw' | 'make' | 'cancelMake' }>;

/** A step that is held up is worth nothing once somebody was let in or out after this look. */
const stamped = (step: ServedStep, seen: DiskSight): ServedStep => {
  const sight = seen.served;
  if (step.kind !== 'publish' && step.kind !== 'revoke' && step.kind !== 'delete') return step;
  return sight?.kind === 'present' && sight.stamp !== undefined ? { ...step, stamp: sight.stamp } : step;
};

/** The API server gives up on a request long before this. */
const lateWriteMs = 180_000;

const identityOf = ({ disk }: DiskWorld): DiskIdentity => ({ diskUid: disk.metadata.uid });

const servedOf = ({ served }: DiskWorld): ServedWorld => {
  if (served === undefined) throw new Fault('bug', 'A step on a storage server for a disk of hosts.');
  return served;
};

/**
 * One step on the server, which answers how the disk is after it. What was known before is forgotten first: after a
 * failure nobody goes by it.
 */
const serve = async (
  { context, lastSeen }: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  step: ServedStep,
  signal: AbortSignal,
): Promise<Ended> => {
  const server = diskServerOf(context, servedOf(world).pool);
  const disk = identityOf(world);
  lastSeen.delete(disk.diskUid);
  const held = stamped(step, seen);
  const run = () => context.effect(held.kind, () => server.take(disk, held, signal));
  const after = await (step.kind === 'grow' ? promised(context, world, run) : run());
  const served = after ?? (await server.see(disk, signal));
  lastSeen.set(disk.diskUid, served);
  // The host of the claim was let out and, since its machine runs again, back in: no status tells that, for it is the same.
  if (step.kind === 'publish') context.releasing.delete(disk.diskUid);
  return { kind: 'done', seen: { ...seen, served } };
};

const making =
  (deps: GatherDeps, world: DiskWorld, server: DiskServer, step: Extract<ServerStep, { kind: 'make' }>) =>
  async (progress: (percent: number) => void, signal: AbortSignal): Promise<void> => {
    const { from, sizeBytes } = step;
    const disk = identityOf(world);
    switch (from.kind) {
      case 'blank':
        await server.take(disk, { kind: 'createBlank', sizeBytes }, signal);
        return;
      case 'clone':
        await server.take(disk, { kind: 'createClone', from: { diskUid: from.diskUid }, sizeBytes }, signal);
        return;
      case 'image': {
        const chunks = contentOf(deps, from, signal);
        return server.fill(disk, { sizeBytes, chunks, finished: Promise.resolve() }, progress, signal);
      }
      default:
        return from satisfies never;
    }
  };

const make = (deps: GatherDeps, world: DiskWorld, step: Extract<ServerStep, { kind: 'make' }>): Ended => {
  const { pool } = servedOf(world);
  const server = diskServerOf(deps.context, pool);
  const { uid, namespace, name } = world.disk.metadata;
  // The source may have been given to a machine since; from here to the start of the job nobody else has a turn.
  const source = gather(deps, `${namespace}/${name}`)?.source;
  if (source?.kind === 'disk' && source.inUseBy !== undefined)
    throw new Fault('conflict', `VirtualDisk ${source.name} is in use by ${source.inUseBy}.`);
  const run = making(deps, world, server, step);
  deps.jobs.forget(uid);
  // What takes its time does not hold up what does not.
  const group = `${step.from.kind === 'image' ? 'fill' : 'make'}/${pool.metadata.name}`;
  deps.jobs.start(uid, group, (progress, signal) =>
    deps.context.effect(`make ${step.from.kind}`, () => run(progress, signal)),
  );
  return { kind: 'started' };
};

/** Every version of the pool's secret goes from the host: machines that run keep what they logged in with. */
const dropSecrets = async (
  { context }: GatherDeps,
  world: DiskWorld,
  hostName: string,
  signal: AbortSignal,
): Promise<void> => {
  const host = world.hosts.find(({ name }) => name === hostName);
  const session = host && context.fleet.session(host.pool);
  if (host === undefined || session === undefined) return;
  const secrets = session.pool.hostSecrets(host.id);
  const mark = poolSecretMark(world.clusterId, servedOf(world).pool.metadata.uid);
  for (const { uuid, usage } of await secrets.list(signal)) {
    if (usage.startsWith(mark)) await context.effect('drop secret', () => secrets.drop(uuid, signal));
  }
};

/** Before the server lets it out: after that the host would try for ever. Throws when the host cannot be asked. */
const logOut = async (
  { context }: GatherDeps,
  world: DiskWorld,
  hostName: string,
  signal: AbortSignal,
): Promise<void> => {
  const host = world.hosts.find(({ name }) => name === hostName);
  const session = host && context.fleet.session(host.pool);
  if (host === undefined || session === undefined)
    throw new Fault('unreachable', `${hostName} is not connected.`, { reason: 'HostUnreachable' });
  const { uid } = world.disk.metadata;
  const login = { targetIqn: diskTargetIqn(uid), wwn: unitWwn(uid) };
  await context.effect('log out', () => session.pool.hostLogins(host.id).disconnect(login, signal));
};

/**
 * Whether no other disk of the pool is used on the host. Two disks of one machine are let go of at the same time: one
 * that is on its way out does not count, so that the second of them finds itself to be the last.
 */
const isLastOn = ({ context }: GatherDeps, world: DiskWorld, hostName: string): boolean =>
  context.kinds.disks.store
    .byIndex('usedOn', `${servedOf(world).pool.metadata.uid}@${hostName}`)
    .every(({ metadata: { uid } }) => uid === world.disk.metadata.uid || context.releasing.has(uid));

/**
 * The question of the claim is asked once more in the turn in which the host is let out: a machine that was switched
 * on meanwhile keeps its disk, and one that reads the cache until the status says so sees `releasing`.
 */
const withdraw = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  { iqn, secretFrom, loginFrom }: Extract<ServerStep, { kind: 'withdraw' }>,
  signal: AbortSignal,
): Promise<Ended> => {
  const { context } = deps;
  const { namespace, name, uid } = world.disk.metadata;
  const fresh = gather(deps, `${namespace}/${name}`);
  const claim = fresh?.disk.status?.claim;
  const initiator = fresh?.hosts.find((host) => host.name === claim?.host)?.initiator;
  if (fresh === undefined || (initiator === iqn && claimOf(fresh, seen, undefined) === claim))
    throw new Fault('conflict', 'The machines of the disk changed meanwhile.');
  if (initiator === iqn) {
    context.releasing.add(uid);
    context.clock.after(lateWriteMs, () => context.releasing.delete(uid));
  }
  if (secretFrom !== undefined && isLastOn(deps, world, secretFrom))
    await dropSecrets(deps, world, secretFrom, signal);
  if (loginFrom !== undefined) await logOut(deps, world, loginFrom, signal);
  return serve(deps, world, seen, { kind: 'revoke', initiator: { iqn } }, signal);
};

/** From here on the host of the machine may be let in; whoever ends in between finds out from the status. */
const grant = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  { claim }: Extract<ServerStep, { kind: 'grant' }>,
  signal: AbortSignal,
): Promise<Ended> => {
  const { context } = deps;
  const told = statusOf(world, seen, undefined, undefined, context.clock.nowMs());
  // What the disk says of itself stays as it was for this moment.
  const { conditions = [], observedGeneration } = world.disk.status ?? {};
  const said =
    conditions.length === 0 || observedGeneration === undefined ? {} : { conditions, observedGeneration };
  const intent: VirtualDiskStatus = { ...told, ...said, claim };
  await context.effect('write claim', () => writeDiskStatus(deps, world, seen, intent, signal));
  // What hosts said was of the machine that had it before.
  return { kind: 'wrote', seen: { ...seen, ghost: undefined } };
};

/** What was seen before the job ended says nothing of what it left: the next pass looks. */
export const cancelMake = async ({ jobs }: Pick<GatherDeps, 'jobs'>, diskUid: string): Promise<Ended> => {
  await jobs.cancel(diskUid);
  jobs.forget(diskUid);
  return { kind: 'started', afterMs: 0 };
};

export const takeServed = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  step: ServerStep,
  signal: AbortSignal,
): Promise<Ended> => {
  switch (step.kind) {
    case 'grant':
      return grant(deps, world, seen, step, signal);
    case 'serve':
      return serve(deps, world, seen, step.step, signal);
    case 'withdraw':
      return withdraw(deps, world, seen, step, signal);
    case 'make':
      return make(deps, world, step);
    case 'cancelMake':
      return cancelMake(deps, world.disk.metadata.uid);
    default:
      return step satisfies never;
  }
};
