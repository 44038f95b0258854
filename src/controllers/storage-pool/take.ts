/** One idempotent step for a StoragePool; on many hosts at once, each by itself. */
import type { StorageStep } from '../../drivers/hypervisor/host-storage.ts';
import type { Taken } from '../../runtime/pass.ts';
import type { ControllerContext } from '../context.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import { onHost, see } from './see.ts';
import type { StoragePoolStep, StoragePoolWorld, StorageSight } from './world.ts';

const onHosts = async (
  context: ControllerContext,
  { place, sites }: StoragePoolWorld,
  sight: StorageSight,
  hosts: readonly string[],
  kind: Extract<StorageStep['kind'], 'preparePlace' | 'forgetPlace'>,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const chosen = sites.filter(({ name }) => hosts.includes(name));
  const seen = await Promise.all(
    chosen.map((site) =>
      onHost(
        context,
        site,
        async (storage, inner) => {
          await context.effect(`${kind} ${site.name}`, () => storage.take(place, { kind }, inner));
          return storage.seePlace(place, inner);
        },
        signal,
      ),
    ),
  );
  // A place that is absent right after it was prepared would be prepared for ever.
  const told = seen.map(([name, it]): readonly [string, typeof it] =>
    kind === 'preparePlace' && it.kind === 'absent'
      ? [name, { kind: 'failed', reason: 'StorageNotReady', message: 'The storage did not stay prepared.' }]
      : [name, it],
  );
  return { kind: 'done', seen: new Map([...sight, ...told]) };
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
    return { kind: 'done', seen: new Map([...sight, [host, failed]]) };
  }
  return { kind: 'done', seen: await see(context, world, signal) };
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
    case 'prepare':
      return onHosts(context, world, sight, step.hosts, 'preparePlace', signal);
    case 'writeMarker':
      return writeMarker(context, world, sight, step.host, signal);
    case 'forget':
      return onHosts(context, world, sight, step.hosts, 'forgetPlace', signal);
    case 'removeFinalizer':
      await removeFinalizer(resource, world.pool, context.effect, signal);
      return { kind: 'gone' };
    default:
      return step satisfies never;
  }
};
