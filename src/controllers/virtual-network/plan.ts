/** The next step for a VirtualNetwork. Pure. */
import { FINALIZER } from '../../api/identity.ts';
import { type NetworkSeen, type NetworkShape, sameNetwork } from '../../drivers/hypervisor/host-networks.ts';
import type { Plan } from '../../runtime/pass.ts';
import {
  mayHold,
  type NetworkSight,
  type NetworkSite,
  type NetworkStepOfPass,
  type NetworkWorld,
} from './world.ts';

type Next = Plan<NetworkStepOfPass>;

const settled: Next = { kind: 'settled' };
const step = (it: NetworkStepOfPass): Next => ({ kind: 'step', step: it });

/** Whether the host has the network as it is wanted. */
export const isMade = (seen: NetworkSeen, shape: NetworkShape): boolean =>
  seen.kind === 'present' && seen.active && seen.autostart && sameNetwork(seen.shape, shape);

const toRemove = (sites: readonly NetworkSite[], sight: NetworkSight): readonly string[] =>
  sites.filter(({ name }) => sight.get(name)?.kind === 'present').map(({ name }) => name);

const planDeletion = ({ sites, machines }: NetworkWorld, sight: NetworkSight): Next => {
  if (machines.length > 0) return settled;
  const hosts = toRemove(sites, sight);
  if (hosts.length > 0) return step({ kind: 'remove', hosts });
  const unseen = sites.some(
    (site) =>
      mayHold(site) &&
      (sight.get(site.name)?.kind === 'failed' || (site.state.kind === 'unusable' && !site.state.gone)),
  );
  return unseen ? { kind: 'wait' } : step({ kind: 'removeFinalizer' });
};

export const plan = (world: NetworkWorld, sight: NetworkSight): Next => {
  const { network, sites } = world;
  const ours = network.metadata.finalizers?.includes(FINALIZER) === true;
  if (network.metadata.deletionTimestamp !== undefined) return ours ? planDeletion(world, sight) : settled;
  if (!ours) return step({ kind: 'addFinalizer' });
  const unmade = sites.filter(({ name, shape }) => {
    const seen = sight.get(name);
    if (shape === undefined || seen === undefined || seen.kind === 'taken' || seen.kind === 'failed')
      return false;
    return !isMade(seen, shape);
  });
  if (unmade.length > 0) return step({ kind: 'make', hosts: unmade.map(({ name }) => name) });
  const retired = sites.filter(({ backend, machines }) => backend === undefined && machines.length === 0);
  const hosts = toRemove(retired, sight);
  if (hosts.length > 0) return step({ kind: 'remove', hosts });
  // A host that failed is asked again; all else is told by events and by the audit.
  return [...sight.values()].some(({ kind }) => kind === 'failed') ? { kind: 'wait' } : settled;
};
