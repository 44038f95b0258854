/** What is really there: the machine on its hosts, and what of its seeds is left when it goes. Never mutates. */
import { FINALIZER } from '../../api/identity.ts';
import type { VmSeen } from '../../drivers/hypervisor/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { seedPlaceOf } from './seed-place.ts';
import { hostIdOf, type SeedSight, type VmSight, type VmWorld } from './world.ts';

/** Every seed of the machine begins so; src/api/identity.ts seedVolumeName. */
export const seedPrefix = (vmUid: string): string => `ovcp-seed-${vmUid}-`;

/** Without a session nobody can be asked: every host of the pool may hold a machine that we have begun to make. */
const blind = (world: VmWorld): VmSeen => ({
  sightings: [],
  unseen: (world.vm.metadata.finalizers ?? []).includes(FINALIZER) ? world.hosts.map(({ id }) => id) : [],
  namesakes: [],
});

/**
 * Seeds that a machine which is gone has left: on its host, or wherever they may be when its status was lost. The spec
 * says nothing of them, for cloudInit may have been taken out of it since.
 */
export const findSeeds = async (
  context: ControllerContext,
  world: VmWorld,
  signal: AbortSignal,
): Promise<SeedSight> => {
  const beside = world.disks.find(({ place }) => place !== undefined);
  const session = context.fleet.session(world.vm.spec.hostPoolRef.name);
  if (beside?.place === undefined || session === undefined) return { kind: 'none' };
  const { place, storagePool = '' } = beside;
  const home = hostIdOf(world, world.vm.status?.host);
  const hosts = world.hosts.filter(
    ({ id, declaredDown, candidate }) =>
      declaredDown === undefined &&
      (home === undefined ? candidate.storagePools.has(storagePool) : id === home),
  );
  const prefix = seedPrefix(world.identity.uid);
  const found = await Promise.all(
    hosts.map(async ({ id: host }) => {
      const volumes = await session.pool.hostStorage(host).list(place, signal);
      return { host, volumes: volumes.map(({ name }) => name).filter((name) => name.startsWith(prefix)) };
    }),
  );
  return { kind: 'left', place, found: found.filter(({ volumes }) => volumes.length > 0) };
};

/** Until every host of the pool was tried once, nothing can be told: a start of the operator writes no status. */
const awaitConnections = (context: ControllerContext, world: VmWorld): void => {
  const { name } = world.vm.spec.hostPoolRef;
  if (context.kinds.hostPools.store.get(name) === undefined) return;
  const hosts = context.fleet.session(name)?.hosts();
  const untried = world.hosts.filter(
    ({ id, declaredDown }) => declaredDown === undefined && hosts?.has(id) !== true,
  );
  if (hosts === undefined || untried.length > 0) {
    throw new Fault('busy', `HostPool ${name} is being connected.`, { reason: 'Connecting' });
  }
};

export const see = async (
  context: ControllerContext,
  world: VmWorld,
  signal: AbortSignal,
): Promise<VmSight> => {
  awaitConnections(context, world);
  const session = context.fleet.session(world.vm.spec.hostPoolRef.name);
  const hint = hostIdOf(world, world.vm.status?.host);
  const machine = session === undefined ? blind(world) : await session.pool.see(world.identity, hint, signal);
  const ending =
    world.vm.metadata.deletionTimestamp !== undefined && world.vm.spec.deletionPolicy === 'Delete';
  if (ending) return { machine, seed: { kind: seedPlaceOf(world) === undefined ? 'none' : 'keep' } };
  return { machine, seed: { kind: world.vm.spec.cloudInit === undefined ? 'none' : 'keep' } };
};
