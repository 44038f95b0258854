/** The status of a VirtualNetwork: the network as each host has it. Pure. */
import type { Reason } from '../../api/reasons.ts';
import type { VirtualNetworkStatus } from '../../api/virtual-network.ts';
import { type ConditionInput, setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import {
  condition,
  knownReason,
  namesOf,
  reasonOfFault,
  type Standing,
  standingConditions,
} from '../standing.ts';
import { isMade } from './plan.ts';
import { mayHold, type NetworkSight, type NetworkSite, type NetworkWorld } from './world.ts';

type HostState = NonNullable<VirtualNetworkStatus['hosts']>[number];

interface Word {
  readonly reason: Reason;
  readonly message: string;
}

const notReady = (message: string): Word => ({ reason: 'NetworkNotReady', message });

const bridgeWord = ({ backend, state }: NetworkSite): Word | undefined => {
  if (backend?.type !== 'Bridge' || state.kind !== 'usable') return undefined;
  const { name, vlan } = backend.bridge;
  if (!state.facts.bridges.includes(name)) {
    return { reason: 'BridgeNotFound', message: `The bridge ${name} does not exist on the host.` };
  }
  return vlan !== undefined && !state.facts.capabilities.includes('BridgeVlan')
    ? { reason: 'UnsupportedByHost', message: `The bridge ${name} of the host has no VLANs.` }
    : undefined;
};

const unreadyWord = (site: NetworkSite, sight: NetworkSight | undefined): Word | undefined => {
  const { backend, shape, state, name } = site;
  if (backend === undefined) {
    return {
      reason: 'NetworkNotInPool',
      message: 'The network has no backend there any more, and machines still use it.',
    };
  }
  if (state.kind === 'unusable') return state;
  if (state.kind === 'untried') return { reason: 'Connecting', message: 'The host is being connected.' };
  if (shape === undefined) return bridgeWord(site);
  const needed = shape.kind === 'NAT' ? 'NatNetwork' : 'IsolatedNetwork';
  if (!state.facts.capabilities.includes(needed)) {
    return { reason: 'UnsupportedByHost', message: `The host cannot have networks of type ${shape.kind}.` };
  }
  const seen = sight?.get(name);
  switch (seen?.kind) {
    case undefined:
    case 'absent':
      return notReady('The network is not made on the host yet.');
    case 'taken':
      return { reason: 'NameTaken', message: seen.message };
    case 'failed':
      return seen;
    case 'present':
      return isMade(seen, shape) ? undefined : notReady('The network is being changed on the host.');
    default:
      return seen satisfies never;
  }
};

const bridgeOf = ({ identity }: NetworkWorld, { backend, shape }: NetworkSite): string | undefined => {
  if (backend?.type === 'Bridge') return backend.bridge.name;
  return shape === undefined ? undefined : identity.bridgeName;
};

const hostState = (world: NetworkWorld, site: NetworkSite, sight: NetworkSight | undefined): HostState => {
  const word = unreadyWord(site, sight);
  const before = world.network.status?.hosts?.find(({ name }) => name === site.name);
  const bridge = bridgeOf(world, site);
  return {
    name: site.name,
    backend: site.backend?.name ?? before?.backend ?? 'none',
    ready: word === undefined,
    ...(bridge === undefined ? {} : { bridge }),
    ...(word === undefined ? {} : { reason: word.reason, message: word.message.slice(0, 1024) }),
  };
};

const deletionOf = ({ machines, sites }: NetworkWorld): Standing => {
  if (machines.length > 0) {
    const message = `Machines still use the network: ${namesOf(machines)}.`;
    return { ready: 'False', reason: 'WaitingForDependents', message };
  }
  const unseen = sites
    .filter((site) => mayHold(site) && site.state.kind === 'unusable' && !site.state.gone)
    .map(({ name }) => name);
  return unseen.length > 0
    ? {
        ready: 'False',
        reason: 'HostUnreachable',
        message: `${namesOf(unseen)} cannot be reached, where the network is to be removed.`,
      }
    : { ready: 'False', reason: 'Deleting', message: 'The network is being removed on its hosts.' };
};

const standingOf = (world: NetworkWorld, hosts: readonly HostState[], fault: Fault | undefined): Standing => {
  const { network, missingPools } = world;
  if (fault !== undefined) return { ready: 'False', reason: reasonOfFault(fault), message: fault.message };
  if (network.metadata.deletionTimestamp !== undefined) return deletionOf(world);
  const missing = `HostPool ${namesOf(missingPools)} does not exist`;
  if (hosts.length === 0) {
    return missingPools.length > 0
      ? { ready: 'False', reason: 'HostPoolNotFound', message: `${missing}.` }
      : { ready: 'False', reason: 'NoHostsReady', message: 'No host of its backends is known yet.' };
  }
  const unready = hosts.filter(({ ready }) => !ready);
  const [first] = unready;
  if (first === undefined) {
    return missingPools.length > 0
      ? { ready: 'True', reason: 'HostPoolNotFound', message: `${missing}; all other hosts are ready.` }
      : { ready: 'True', reason: 'Ready', message: 'The network is ready on all hosts.' };
  }
  if (unready.length < hosts.length) {
    const message = `Not ready on ${namesOf(unready.map(({ name }) => name))}: ${first.message ?? ''}`;
    return { ready: 'True', reason: 'SomeHostsNotReady', message };
  }
  const reason = knownReason(first.reason, 'NoHostsReady');
  return { ready: 'False', reason, message: `${first.name}: ${first.message ?? ''}` };
};

/** Hosts where the network goes on as it was before its spec changed. */
const upToDateOf = (sight: NetworkSight | undefined): ConditionInput => {
  const stale = [...(sight ?? [])]
    .filter(([, seen]) => seen.kind === 'present' && seen.running !== undefined)
    .map(([name]) => name);
  return stale.length === 0
    ? condition('UpToDate', 'True', 'Synced', 'The network is what its spec says.')
    : condition(
        'UpToDate',
        'False',
        'RequiresNetworkRestart',
        `The network goes on as it was on ${namesOf(stale)} until it is started anew there.`,
      );
};

export const statusOf = (
  world: NetworkWorld,
  sight: NetworkSight | undefined,
  fault: Fault | undefined,
  nowMs: number,
): VirtualNetworkStatus => {
  const { network } = world;
  // A host without a backend any more is shown for as long as something of ours may be there.
  const sites = world.sites.filter(
    ({ backend, machines, name, state }) =>
      backend !== undefined ||
      machines.length > 0 ||
      (state.kind === 'unusable' && !state.gone) ||
      ['present', 'failed'].includes(sight?.get(name)?.kind ?? ''),
  );
  const hosts = sites.map((site) => hostState(world, site, sight));
  const standing = standingOf(world, hosts, fault);
  const inputs = [
    ...standingConditions(standing),
    ...(sight === undefined ? [] : [upToDateOf(sight)]),
    ...(network.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', standing.reason, standing.message)]),
  ];
  const stamp = { generation: network.metadata.generation, nowMs };
  return {
    observedGeneration: network.metadata.generation,
    hosts,
    hostsReady: hosts.filter(({ ready }) => ready).length,
    conditions: [...setConditions(network.status?.conditions ?? [], inputs, stamp)],
  };
};
