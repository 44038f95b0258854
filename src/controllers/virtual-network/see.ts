/** What is really there: the network on every host that can be used, each asked by itself. Never mutates. */
import type { HostNetworks, NetworkSeen } from '../../drivers/hypervisor/host-networks.ts';
import { Fault, toFault } from '../../runtime/fault.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { awaitTried } from '../sites.ts';
import { reasonOfFault } from '../standing.ts';
import {
  mayHold,
  type NetworkSight,
  type NetworkSightOnHost,
  type NetworkSite,
  type NetworkWorld,
} from './world.ts';

/** One slow host must not take the whole pass. */
const hostMs = 15_000;

/** Does something on one host; what it throws becomes what is seen there. */
export const onHost = async (
  { fleet, clock }: Pick<ControllerContext, 'fleet' | 'clock'>,
  { name, pool, host }: NetworkSite,
  run: (networks: HostNetworks, signal: AbortSignal) => Promise<NetworkSeen>,
  signal: AbortSignal,
): Promise<readonly [string, NetworkSightOnHost]> => {
  try {
    const session = fleet.session(pool);
    if (session === undefined) throw new Fault('unreachable', `HostPool ${pool} is not connected.`);
    const networks = session.pool.hostNetworks(host);
    return [name, await within({ clock, limitMs: hostMs, signal }, (inner) => run(networks, inner))];
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return [name, { kind: 'failed', reason: reasonOfFault(fault), message: fault.message }];
  }
};

export const see = async (
  context: ControllerContext,
  world: NetworkWorld,
  signal: AbortSignal,
): Promise<NetworkSight> => {
  awaitTried(world.sites);
  const asked = world.sites.filter((site) => site.state.kind === 'usable' && mayHold(site));
  const seen = await Promise.all(
    asked.map((site) =>
      onHost(context, site, (networks, inner) => networks.see(world.identity, inner), signal),
    ),
  );
  return new Map(seen);
};
