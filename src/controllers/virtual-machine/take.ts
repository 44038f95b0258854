/** One idempotent step of a machine's life, at the API server or on a host. */

import { FINALIZER, MACHINE_LABEL, MACHINE_UID_ANNOTATION } from '../../api/identity.ts';
import { API_VERSION } from '../../api/kind.ts';
import type { VirtualDiskSpec } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type {
  HostId,
  HypervisorPool,
  Sighting,
  StepOutcome,
  VmStep,
} from '../../drivers/hypervisor/contract.ts';
import type { StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import { FIELD_MANAGER } from '../context.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import { checkClaims } from './claims.ts';
import { sightingOf } from './decide.ts';
import { recordOf } from './decide-kit.ts';
import { isRelapse } from './decide-off.ts';
import type { MachineStep } from './decision.ts';
import { type GatherDeps, gather, gatherHosts } from './gather.ts';
import { intentStatus } from './intent.ts';
import { place } from './placement.ts';
import { requestOf } from './request.ts';
import { putSecrets } from './secrets.ts';
import { findSeeds } from './see.ts';
import { renderSeedSight } from './seed.ts';
import { hostIdOf, type VmSight, type VmWorld } from './world.ts';

type Ended = Taken<VmSight>;

const nameOf = ({ vm }: VmWorld) => ({ namespace: vm.metadata.namespace, name: vm.metadata.name });

const poolOf = ({ context }: GatherDeps, world: VmWorld): HypervisorPool => {
  const { name } = world.vm.spec.hostPoolRef;
  const session = context.fleet.session(name);
  if (session === undefined)
    throw new Fault('unreachable', `HostPool ${name} is not connected.`, { reason: 'NoHostsReady' });
  return session.pool;
};

const homeOf = (world: VmWorld): string => {
  const home = hostIdOf(world, world.vm.status?.host);
  if (home === undefined) throw new Fault('bug', 'A step for a machine without a host.');
  return home;
};

/** What is known of the machine after a step on one host; other hosts' sightings stay. */
const withSighting = (seen: VmSight, host: string, sighting: Sighting | undefined): VmSight => ({
  ...seen,
  machine: {
    ...seen.machine,
    sightings: [
      ...seen.machine.sightings.filter((it) => it.host !== host),
      ...(sighting === undefined ? [] : [sighting]),
    ],
  },
});

const drive = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  step: VmStep,
  signal: AbortSignal,
): Promise<Ended> => {
  const before = sightingOf(world, seen);
  await putSecrets(deps.context, poolOf(deps, world), world, step, signal);
  deps.ledger.noteMade(world.identity.uid);
  const outcome: StepOutcome = await deps.context.effect(`drive ${step.kind}`, async () => {
    const { namespace, name } = nameOf(world);
    checkClaims(world, gather(deps, `${namespace}/${name}`), step);
    return poolOf(deps, world).take(world.identity, step, signal);
  });
  if (
    step.kind === 'start' &&
    before?.power.kind === 'off' &&
    recordOf(before)?.startDue === false &&
    isRelapse(before.power.cause)
  ) {
    deps.ledger.noteRelapse(world.identity.uid, deps.context.clock.monotonicMs());
  }
  if (outcome.kind === 'started') return { kind: 'started' };
  if (outcome.sighting === undefined || outcome.sighting.power.kind === 'off')
    deps.ledger.clearAsked(world.identity.uid);
  return { kind: 'done', seen: withSighting(seen, step.host, outcome.sighting) };
};

/** The choice is made again on what is promised right now, held in the same turn, and then made durable. */
const writeIntent = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  host: string,
  signal: AbortSignal,
): Promise<Ended> => {
  const { context, allocations } = deps;
  const { uid } = world.identity;
  const request = requestOf(world);
  const met = sightingOf(world, seen) !== undefined;
  if (world.resources.kind === 'lack' || (request.kind === 'lack' && !met)) return { kind: 'wrote' };
  const fresh = gatherHosts(deps, world.vm).map(({ candidate }) => candidate);
  const choice =
    met || request.kind === 'lack' ? { kind: 'placed' as const, host } : place(request.value, fresh);
  if (choice.kind === 'unplaced') return { kind: 'wrote' };
  const { cpus, memoryMiB } = world.resources.value;
  allocations.hold(uid, { host: choice.host, cpus, memoryMiB });
  try {
    await context.effect('write intent', () =>
      context.kinds.machines.resource.applyStatus(
        {
          apiVersion: API_VERSION,
          kind: 'VirtualMachine',
          metadata: { ...nameOf(world), uid, resourceVersion: world.vm.metadata.resourceVersion },
          status: intentStatus(
            world,
            world.resources.kind === 'ok' ? world.resources.value : undefined,
            choice.host,
            context.clock.nowMs(),
          ),
        },
        { fieldManager: FIELD_MANAGER, force: true },
        signal,
      ),
    );
  } catch (error) {
    allocations.release(uid);
    throw error;
  }
  return { kind: 'wrote' };
};

const diskSpecOf = (vm: VirtualMachine, name: string): VirtualDiskSpec => {
  const template = vm.spec.disks.find((disk) => disk.name === name)?.template;
  if (template === undefined) throw new Fault('bug', `Disk ${name} has no template.`);
  const { size, storagePoolRef, imageRef, clone, reclaimPolicy = 'Delete' } = template;
  return {
    size,
    storagePoolRef,
    source:
      imageRef === undefined
        ? { type: 'Blank' }
        : { type: 'Image', imageRef, ...(clone === undefined ? {} : { clone }) },
    format: 'qcow2',
    reclaimPolicy,
    deletionProtection: false,
  };
};

const createDisk = async (
  deps: GatherDeps,
  world: VmWorld,
  name: string,
  signal: AbortSignal,
): Promise<Ended> => {
  const { vm } = world;
  const diskName = world.disks.find((disk) => disk.name === name)?.diskName ?? name;
  const object = {
    apiVersion: API_VERSION,
    kind: 'VirtualDisk',
    metadata: {
      namespace: vm.metadata.namespace,
      name: diskName,
      finalizers: [FINALIZER],
      labels: { [MACHINE_LABEL]: vm.metadata.name },
      annotations: { [MACHINE_UID_ANNOTATION]: vm.metadata.uid },
    },
    spec: diskSpecOf(vm, name),
  };
  await deps.context.effect('create disk', () => deps.context.kinds.disks.resource.create(object, signal));
  return { kind: 'wrote' };
};

const putSeed = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  signal: AbortSignal,
): Promise<Ended> => {
  const { seed } = seen;
  if (seed.kind !== 'wanted') return { kind: 'done', seen };
  const storage = poolOf(deps, world).hostStorage(homeOf(world));
  await deps.context.effect('put seed', () =>
    storage.take(seed.place, { kind: 'putSmall', volume: seed.volume, bytes: seed.bytes }, signal),
  );
  return { kind: 'done', seen: { ...seen, seed: { ...seed, present: true } } };
};

interface Seeds {
  readonly host: HostId;
  readonly place: StoragePlace;
  readonly volumes: readonly string[];
}

const deleteSeeds = async (
  deps: GatherDeps,
  world: VmWorld,
  { host, place, volumes }: Seeds,
  signal: AbortSignal,
): Promise<void> => {
  const storage = poolOf(deps, world).hostStorage(host);
  for (const volume of volumes) {
    await deps.context.effect('delete seed', () => storage.take(place, { kind: 'delete', volume }, signal));
  }
};

const sweepSeeds = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  volumes: readonly string[],
  signal: AbortSignal,
): Promise<Ended> => {
  const { seed } = seen;
  if (seed.kind !== 'wanted') return { kind: 'done', seen };
  await deleteSeeds(deps, world, { host: homeOf(world), place: seed.place, volumes }, signal);
  const stale = seed.stale.filter((name) => !volumes.includes(name));
  return { kind: 'done', seen: { ...seen, seed: { ...seed, stale } } };
};

const dropSeeds = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  signal: AbortSignal,
): Promise<Ended> => {
  const { seed } = seen;
  if (seed.kind !== 'left') return { kind: 'done', seen };
  for (const { host, volumes } of seed.found) {
    await deleteSeeds(deps, world, { host, place: seed.place, volumes }, signal);
  }
  return { kind: 'done', seen: { ...seen, seed: { ...seed, found: [] } } };
};

const askShutdown = (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  signal: AbortSignal,
): Promise<Ended> => {
  const sighting = sightingOf(world, seen);
  deps.ledger.noteAsked(world.identity.uid, deps.context.clock.monotonicMs());
  if (sighting === undefined) return Promise.resolve({ kind: 'done', seen });
  const again: Ended = {
    kind: 'started',
    afterMs: Math.min(10_000, world.vm.spec.shutdown.timeoutSeconds * 1000),
  };
  return drive(deps, world, seen, { kind: 'shutdown', host: sighting.host }, signal).then((ended) =>
    ended.kind === 'started' ? again : ended,
  );
};

export const take = async (
  deps: GatherDeps,
  world: VmWorld,
  seen: VmSight,
  step: MachineStep,
  signal: AbortSignal,
): Promise<Ended> => {
  switch (step.kind) {
    case 'addFinalizer':
      await addFinalizer(deps.context.kinds.machines.resource, world.vm, deps.context.effect, signal);
      // Nothing is made without our finalizer: until the first step on a host, no host can have this machine.
      if (world.vm.status?.host === undefined) deps.ledger.noteFresh(world.identity.uid);
      return { kind: 'wrote' };
    case 'removeFinalizer':
      await removeFinalizer(deps.context.kinds.machines.resource, world.vm, deps.context.effect, signal);
      deps.ledger.forget(world.identity.uid);
      return { kind: 'gone' };
    case 'place':
      return writeIntent(deps, world, seen, step.host, signal);
    case 'createDisk':
      return createDisk(deps, world, step.disk, signal);
    case 'deleteDisk':
      await deps.context.effect('delete disk', () =>
        deps.context.kinds.disks.resource.delete(
          { namespace: world.identity.namespace, name: step.diskName },
          { uid: step.uid },
          signal,
        ),
      );
      return { kind: 'wrote' };
    case 'renderSeed':
      return { kind: 'done', seen: { ...seen, seed: await renderSeedSight(deps.context, world, signal) } };
    case 'putSeed':
      return putSeed(deps, world, seen, signal);
    case 'sweepSeeds':
      return sweepSeeds(deps, world, seen, step.volumes, signal);
    case 'findSeeds':
      return { kind: 'done', seen: { ...seen, seed: await findSeeds(deps.context, world, signal) } };
    case 'dropSeeds':
      return dropSeeds(deps, world, seen, signal);
    case 'askShutdown':
      return askShutdown(deps, world, seen, signal);
    case 'drive':
      return drive(deps, world, seen, step.step, signal);
    default:
      return step satisfies never;
  }
};
