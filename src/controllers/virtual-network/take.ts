/** One idempotent step for a VirtualNetwork; on many hosts at once, each by itself. */
import {
  type HostNetworks,
  type NetworkSeen,
  type NetworkStep,
  sameNetwork,
} from '../../drivers/hypervisor/host-networks.ts';
import type { Taken } from '../../runtime/pass.ts';
import type { ControllerContext } from '../context.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import { isMade } from './plan.ts';
import { onHost } from './see.ts';
import type { NetworkSight, NetworkSite, NetworkStepOfPass, NetworkWorld } from './world.ts';

const stepsFor = (site: NetworkSite, seen: NetworkSeen | undefined): readonly NetworkStep[] => {
  const { shape } = site;
  if (shape === undefined) return [{ kind: 'remove' }];
  const defined = seen?.kind === 'present' && sameNetwork(seen.shape, shape);
  return defined ? [{ kind: 'start' }] : [{ kind: 'define', shape }, { kind: 'start' }];
};

const onHosts = async (
  context: ControllerContext,
  { identity, sites }: NetworkWorld,
  sight: NetworkSight,
  step: Extract<NetworkStepOfPass, { kind: 'make' | 'remove' }>,
  signal: AbortSignal,
): Promise<Taken<NetworkSight>> => {
  const chosen = sites.filter(({ name }) => step.hosts.includes(name));
  const work = (site: NetworkSite) => async (networks: HostNetworks, inner: AbortSignal) => {
    const before = sight.get(site.name);
    const seen = before?.kind === 'failed' ? undefined : before;
    const steps: readonly NetworkStep[] =
      step.kind === 'remove' ? [{ kind: 'remove' }] : stepsFor(site, seen);
    for (const it of steps) {
      await context.effect(`${it.kind} network ${site.name}`, () => networks.take(identity, it, inner));
    }
    return networks.see(identity, inner);
  };
  const seen = await Promise.all(chosen.map((site) => onHost(context, site, work(site), signal)));
  // A network that is not as wanted right after it was made would be made for ever.
  const told = seen.map(([name, it]): readonly [string, typeof it] => {
    const shape = chosen.find((site) => site.name === name)?.shape;
    const stuck =
      step.kind === 'make'
        ? shape !== undefined && it.kind !== 'failed' && it.kind !== 'taken' && !isMade(it, shape)
        : it.kind === 'present';
    return stuck
      ? [
          name,
          { kind: 'failed', reason: 'NetworkNotReady', message: 'The network did not stay as it was made.' },
        ]
      : [name, it];
  });
  return { kind: 'done', seen: new Map([...sight, ...told]) };
};

export const take = async (
  context: ControllerContext,
  world: NetworkWorld,
  sight: NetworkSight,
  step: NetworkStepOfPass,
  signal: AbortSignal,
): Promise<Taken<NetworkSight>> => {
  const { resource } = context.kinds.networks;
  switch (step.kind) {
    case 'addFinalizer':
      await addFinalizer(resource, world.network, context.effect, signal);
      return { kind: 'wrote' };
    case 'make':
    case 'remove':
      return onHosts(context, world, sight, step, signal);
    case 'removeFinalizer':
      await removeFinalizer(resource, world.network, context.effect, signal);
      return { kind: 'gone' };
    default:
      return step satisfies never;
  }
};
