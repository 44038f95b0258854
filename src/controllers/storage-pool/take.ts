/** One idempotent step for a StoragePool; on many hosts at once, each by itself. */
import type { StorageStep } from '../../drivers/hypervisor/host-storage.ts';
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import type { ControllerContext } from '../context.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import { knownReason } from '../standing.ts';
import { gather } from './gather.ts';
import { onHost, see } from './see.ts';
import { seeServer, takeServerStep } from './server.ts';
import type { PlaceSight, StoragePoolStep, StoragePoolWorld, StorageSight } from './world.ts';

/** A place that is no better right after it was prepared would be prepared for ever: it is tried again later. */
const afterPreparing = ({ pool, place }: StoragePoolWorld, seen: PlaceSight): PlaceSight => {
  if (seen.kind === 'absent') {
    return { kind: 'failed', reason: 'StorageNotReady', message: 'The storage did not stay prepared.' };
  }
  if (seen.kind === 'broken') {
    return { kind: 'failed', reason: knownReason(seen.reason, 'StorageNotReady'), message: seen.message };
  }
  const strange = seen.kind === 'ready' && !seen.sharedMarker && pool.status?.sharedMarker === true;
  if (!strange || place.mount === undefined) return seen;
  const message = 'What is mounted lacks the marker file: it is another volume than before.';
  return { kind: 'failed', reason: 'MarkerMissing', message };
};

const onHosts = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  hosts: readonly string[],
  step: Extract<StorageStep, { kind: 'preparePlace' | 'forgetPlace' }>,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const { place, sites } = world;
  const { kind } = step;
  const chosen = sites.filter(({ name }) => hosts.includes(name));
  const seen = await Promise.all(
    chosen.map((site) =>
      onHost(
        context,
        site,
        async (storage, inner) => {
          await context.effect(`${kind} ${site.name}`, () => storage.take(place, step, inner));
          return storage.seePlace(place, inner);
        },
        signal,
      ),
    ),
  );
  const told = seen.map(
    ([name, it]) => [name, kind === 'preparePlace' ? afterPreparing(world, it) : it] as const,
  );
  return { kind: 'done', seen: { ...sight, hosts: new Map([...sight.hosts, ...told]) } };
};

/** Every host is asked again: whoever does not see the marker has another folder. */
const writeMarker = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  host: string,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const site = world.sites.find(({ name }) => name === host);
  if (site === undefined) return { kind: 'done', seen: sight };
  const [, wrote] = await onHost(
    context,
    site,
    async (storage, inner) => {
      await context.effect('write marker', () =>
        storage.take(world.place, { kind: 'writeSharedMarker' }, inner),
      );
      return storage.seePlace(world.place, inner);
    },
    signal,
  );
  if (wrote.kind !== 'ready' || !wrote.sharedMarker) {
    const failed =
      wrote.kind === 'failed'
        ? wrote
        : ({ kind: 'failed', reason: 'MarkerMissing', message: 'The marker file did not stay.' } as const);
    return { kind: 'done', seen: { ...sight, hosts: new Map([...sight.hosts, [host, failed]]) } };
  }
  return { kind: 'done', seen: await see(context, world, signal) };
};

/** What is on the volume that is to be erased. Disks that were deleted with `reclaimPolicy: Retain` have no object. */
const takeStock = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  host: string,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const site = world.sites.find(({ name }) => name === host);
  const session = context.storage.session(world.pool.metadata.name);
  if (site === undefined || session === undefined) return { kind: 'done', seen: sight };
  let kept: readonly string[] | undefined;
  const [, seen] = await onHost(
    context,
    site,
    async (storage, inner) => {
      kept = (await storage.list(world.place, inner)).map(({ name }) => name);
      return storage.seePlace(world.place, inner);
    },
    signal,
  );
  const sure = seen.kind === 'ready' && seen.sharedMarker && kept !== undefined;
  session.emptied = sure && kept?.length === 0;
  const unsure = {
    kind: 'failed',
    reason: 'MarkerMissing',
    message: 'What is mounted is another volume.',
  } as const;
  const told = seen.kind === 'ready' && !sure ? unsure : seen;
  const hosts = new Map([...sight.hosts, [host, told] as const]);
  const server = await seeServer(context, world, 'recent', signal);
  return { kind: 'done', seen: { ...sight, hosts, server, kept } };
};

const requireStillEmpty = (context: ControllerContext, { pool }: StoragePoolWorld): void => {
  const fresh = gather(context, pool.metadata.name);
  if (fresh?.erases === true && fresh.disks.length === 0 && fresh.images.length === 0) return;
  throw new Fault('conflict', 'What is kept in the pool changed meanwhile.');
};

export const take = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  step: StoragePoolStep,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const { resource } = context.kinds.storagePools;
  switch (step.kind) {
    case 'addFinalizer':
      await addFinalizer(resource, world.pool, context.effect, signal);
      return { kind: 'wrote' };
    case 'server': {
      // In the turn in which it is sent: what came to the pool since keeps its data.
      if (sight.server.kind === 'seen' && sight.server.erase) requireStillEmpty(context, world);
      const server = await takeServerStep(context, world, step.step, signal);
      return { kind: 'done', seen: { ...sight, server } };
    }
    case 'takeStock':
      return takeStock(context, world, sight, step.host, signal);
    case 'prepare':
      return onHosts(context, world, sight, step.hosts, { kind: 'preparePlace' }, signal);
    case 'writeMarker':
      return writeMarker(context, world, sight, step.host, signal);
    case 'forget':
      return onHosts(
        context,
        world,
        sight,
        step.hosts,
        { kind: 'forgetPlace', withMarker: step.withMarker },
        signal,
      );
    case 'removeFinalizer':
      await removeFinalizer(resource, world.pool, context.effect, signal);
      return { kind: 'gone' };
    default:
      return step satisfies never;
  }
};
