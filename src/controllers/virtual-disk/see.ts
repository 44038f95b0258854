/** What lies on the hosts that matter for a disk. Never mutates. */
import type { VmSeen } from '../../drivers/hypervisor/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { diskServerOf } from '../served.ts';
import { homeOf } from './claim.ts';
import { decide } from './decide.ts';
import { actsUnseen } from './decide-served.ts';
import type { GatherDeps } from './gather.ts';
import { seeCopy } from './see-copy.ts';
import type { DiskSight, DiskWorld, HostWorld, ServedWorld } from './world.ts';

/** The bound host; on deletion of a disk that names none, every host that could have it. */
const hostsToAsk = (world: DiskWorld): readonly HostWorld[] => {
  const home = homeOf(world);
  const deleting = world.disk.metadata.deletionTimestamp !== undefined;
  if (home !== undefined && (!deleting || world.disk.status?.host !== undefined || world.shared)) {
    return world.hosts.filter(({ name }) => name === home);
  }
  return deleting ? world.hosts : [];
};

/** Until every host was tried once nothing can be told: a start of the operator writes no status. */
const awaitConnections = ({ fleet }: ControllerContext, hosts: readonly HostWorld[]): void => {
  const untried = hosts.find(
    ({ pool, id, declaredDown }) =>
      declaredDown === undefined && fleet.session(pool)?.hosts().has(id) !== true,
  );
  if (untried !== undefined)
    throw new Fault('busy', `${untried.name} is being connected.`, { reason: 'Connecting' });
};

/** A host that is gone for good has nothing running. */
const isGone = (world: DiskWorld, pool: string, id: string): boolean =>
  world.hosts.some((host) => host.pool === pool && host.id === id && host.declaredDown !== undefined);

const lookForGhost = async (
  context: ControllerContext,
  world: DiskWorld,
  signal: AbortSignal,
): Promise<VmSeen | undefined> => {
  if (world.ghost === undefined) return undefined;
  const { identity, host } = world.ghost;
  const at = world.hosts.find(({ name }) => name === host);
  if (at?.declaredDown !== undefined) return { sightings: [], unseen: [], namesakes: [] };
  // A host that is no longer in its pool cannot be asked: the others may know.
  const pools = at === undefined ? [...new Set(world.hosts.map(({ pool }) => pool))] : [at.pool];
  const looks = await Promise.all(
    pools.map(async (pool) => {
      const look = await context.fleet.session(pool)?.pool.see(identity, at?.id, signal);
      return look && { ...look, unseen: look.unseen.filter((id) => !isGone(world, pool, id)) };
    }),
  );
  if (looks.length === 0 || looks.includes(undefined)) return undefined;
  return {
    sightings: looks.flatMap((look) => look?.sightings ?? []),
    unseen: looks.flatMap((look) => look?.unseen ?? []),
    namesakes: [],
  };
};

type SeeDeps = Pick<GatherDeps, 'context' | 'lastSeen'>;

/** Hosts are asked for the ghost alone: nothing of the disk lies there. */
const serverMs = 40_000;

const seeServed = async (
  { context, lastSeen }: SeeDeps,
  world: DiskWorld,
  { pool }: ServedWorld,
  signal: AbortSignal,
): Promise<DiskSight> => {
  const server = diskServerOf(context, pool);
  const { uid } = world.disk.metadata;
  const [ghost, copy] = await Promise.all([
    lookForGhost(context, world, signal),
    seeCopy(context, world, signal),
  ]);
  const last = world.move === undefined ? lastSeen.get(uid) : undefined;
  if (last !== undefined) {
    const remembered: DiskSight = { volumes: [], unseen: [], ghost, served: last };
    const { plan } = decide(world, remembered);
    if (actsUnseen(world, last, plan.kind === 'step' ? plan.step : undefined)) return remembered;
  }
  lastSeen.delete(uid);
  // One server that hangs must not hold the passes of other pools' disks for long.
  const sight = await within({ clock: context.clock, limitMs: serverMs, signal }, (inner) =>
    server.see({ diskUid: uid }, inner),
  );
  lastSeen.set(uid, sight);
  return { volumes: [], unseen: [], ghost, served: sight, copy };
};

export const see = async (deps: SeeDeps, world: DiskWorld, signal: AbortSignal): Promise<DiskSight> => {
  const { context } = deps;
  const { place, served } = world;
  if (served !== undefined) return seeServed(deps, world, served, signal);
  const asked = hostsToAsk(world).filter(({ declaredDown }) => declaredDown === undefined);
  awaitConnections(context, asked);
  const [ghost, copy] = await Promise.all([
    lookForGhost(context, world, signal),
    seeCopy(context, world, signal),
  ]);
  if (place === undefined) return { volumes: [], unseen: [], ghost, copy };
  const usable = asked.filter(({ usable }) => usable);
  const volumes = await Promise.all(
    usable.flatMap(({ name, id, pool }) => {
      const session = context.fleet.session(pool);
      return session === undefined
        ? []
        : [
            session.pool
              .hostStorage(id)
              .see(place, world.volume, signal)
              .then((sight) => ({ host: name, sight })),
          ];
    }),
  );
  return { volumes, unseen: asked.filter((host) => !host.usable).map(({ name }) => name), ghost, copy };
};
