/** One step of a disk's life on a storage server. */
import { poolSecretMark } from '../../api/identity.ts';
import type { Chunk } from '../../drivers/hypervisor/host-storage.ts';
import type { DiskIdentity, DiskServer, ServedStep } from '../../drivers/storage/contract.ts';
import { readQcow2 } from '../../media/qcow2-read.ts';
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import { diskServerOf } from '../served.ts';
import { claimOf } from './claim.ts';
import type { DiskStep, ServedSource } from './decision.ts';
import { type GatherDeps, gather } from './gather.ts';
import type { DiskSight, DiskWorld, ServedWorld } from './world.ts';

type Ended = Taken<DiskSight>;
export type ServerStep = Extract<DiskStep, { kind: 'serve' | 'withdraw' | 'make' | 'cancelMake' }>;

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

const look = async (
  server: DiskServer,
  world: DiskWorld,
  seen: DiskSight,
  signal: AbortSignal,
): Promise<Ended> => ({
  kind: 'done',
  seen: { ...seen, served: await server.see(identityOf(world), signal) },
});

/**
 * The file of an image as the raw content of a disk, through the operator: neither the host nor the server has to
 * know of the other (docs/adr/0013-images-stream-through-the-operator.md).
 */
async function* contentOf(
  { context }: GatherDeps,
  { reader, file }: Extract<ServedSource, { kind: 'image' }>,
  signal: AbortSignal,
): AsyncGenerator<Chunk, void, void> {
  const session = context.fleet.session(reader.pool);
  if (session === undefined)
    throw new Fault('unreachable', `${reader.name} is not connected.`, { reason: 'HostUnreachable' });
  const storage = session.pool.hostStorage(reader.id);
  const sight = await storage.see(reader.place, file, signal);
  if (sight.kind === 'absent' || !sight.volume.complete)
    throw new Fault('conflict', `The image is no longer complete on ${reader.name}.`);
  yield* readQcow2((offset, length) => storage.read(reader.place, file, { offset, length }, signal));
}

const making =
  (deps: GatherDeps, world: DiskWorld, server: DiskServer, step: Extract<ServerStep, { kind: 'make' }>) =>
  (progress: (percent: number) => void, signal: AbortSignal): Promise<void> => {
    const { from, sizeBytes } = step;
    const disk = identityOf(world);
    switch (from.kind) {
      case 'blank':
        return server.take(disk, { kind: 'createBlank', sizeBytes }, signal);
      case 'clone':
        return server.take(disk, { kind: 'createClone', from: { diskUid: from.diskUid }, sizeBytes }, signal);
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

/**
 * Whether no other disk of the pool is used on the host. Two disks of one machine are let go of at the same time: one
 * that is on its way out does not count, so that the second of them finds itself to be the last.
 */
const isLastOn = ({ context }: GatherDeps, world: DiskWorld, hostName: string): boolean =>
  context.kinds.disks.store
    .byIndex('usedOn', `${servedOf(world).pool.metadata.name}@${hostName}`)
    .every(({ metadata: { uid } }) => uid === world.disk.metadata.uid || context.releasing.has(uid));

/**
 * The question of the claim is asked once more in the turn in which the host is let out: a machine that was switched
 * on meanwhile keeps its disk, and one that reads the cache until the status says so sees `releasing`.
 */
const withdraw = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  { iqn, secretFrom }: Extract<ServerStep, { kind: 'withdraw' }>,
  signal: AbortSignal,
): Promise<Ended> => {
  const { context } = deps;
  const server = diskServerOf(context, servedOf(world).pool);
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
  const revoke = stamped({ kind: 'revoke', initiator: { iqn } }, seen);
  await context.effect('revoke', () => server.take(identityOf(world), revoke, signal));
  return look(server, world, seen, signal);
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
    case 'serve': {
      const server = diskServerOf(deps.context, servedOf(world).pool);
      const held = stamped(step.step, seen);
      await deps.context.effect(held.kind, () => server.take(identityOf(world), held, signal));
      return look(server, world, seen, signal);
    }
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
