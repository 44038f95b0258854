/** What is really there: the place on every host that can be used, each asked by itself. Never mutates. */
import { servesDisks } from '../../api/storage-pool.ts';
import type { PlaceSeen } from '../../drivers/hypervisor/host-storage.ts';
import { Fault, toFault } from '../../runtime/fault.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { awaitTried } from '../sites.ts';
import { reasonOfFault } from '../standing.ts';
import { seeLogins } from './logins.ts';
import { seeServer } from './server.ts';
import type { PlaceSight, StoragePoolWorld, StorageSight, StorageSite } from './world.ts';
import { fits } from './world.ts';

/** One slow host must not take the whole pass. */
const hostMs = 15_000;

/** Does something on one host; what it throws becomes what is seen there. */
export const onHost = async (
  context: ControllerContext,
  { name, pool, host }: StorageSite,
  run: (
    storage: ReturnType<
      NonNullable<ReturnType<ControllerContext['fleet']['session']>>['pool']['hostStorage']
    >,
    signal: AbortSignal,
  ) => Promise<PlaceSeen>,
  signal: AbortSignal,
): Promise<readonly [string, PlaceSight]> => {
  try {
    const session = context.fleet.session(pool);
    if (session === undefined) throw new Fault('unreachable', `HostPool ${pool} is not connected.`);
    const storage = session.pool.hostStorage(host);
    const seen = await within({ clock: context.clock, limitMs: hostMs, signal }, (inner) =>
      run(storage, inner),
    );
    return [name, seen];
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return [name, { kind: 'failed', reason: reasonOfFault(fault), message: fault.message }];
  }
};

const seeHosts = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  signal: AbortSignal,
): Promise<StorageSight['hosts']> => {
  // Of single disks nothing is on a host: its facts tell whether it can take them.
  if (servesDisks(world.pool.spec)) return new Map();
  const usable = world.sites.filter((site) => site.state.kind === 'usable' && fits(world, site));
  const seen = await Promise.all(
    usable.map((site) =>
      onHost(context, site, (storage, inner) => storage.seePlace(world.place, inner), signal),
    ),
  );
  return new Map(seen);
};

export const see = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  signal: AbortSignal,
): Promise<StorageSight> => {
  awaitTried(world.sites);
  const [hosts, logins, server] = await Promise.all([
    seeHosts(context, world, signal),
    seeLogins(context, world, signal),
    seeServer(context, world, 'recent', signal),
  ]);
  return { hosts, logins, server };
};
