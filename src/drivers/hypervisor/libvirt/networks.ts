/** Networks of a host that we make and keep: known by their uuid, which is derived and therefore our mark. */
import { Fault } from '../../../runtime/fault.ts';
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Network } from '../../../wire/libvirt/protocol.gen.ts';
import type { HostId } from '../contract.ts';
import {
  type HostNetworks,
  type NetworkIdentity,
  type NetworkSeen,
  type NetworkShape,
  type NetworkStep,
  sameNetwork,
} from '../host-networks.ts';
import type { HostLink } from './host-link.ts';
import { type NetworkParsed, networkXml, parseNetwork } from './network-xml.ts';
import type { Remote } from './remote.ts';
import { saidNo, toHostFault } from './to-fault.ts';

/** VIR_NETWORK_XML_INACTIVE: the definition, which the next start uses. */
const XML_INACTIVE = 1;

const find = async (
  remote: Remote,
  network: NetworkIdentity,
  signal: AbortSignal,
): Promise<Network | undefined> => {
  try {
    return (await remote.call('NETWORK_LOOKUP_BY_UUID', { uuid: network.uuid }, signal)).net;
  } catch (error) {
    if (saidNo(error, errorCodes.noNetwork)) return undefined;
    throw error;
  }
};

const readNetwork = async (
  remote: Remote,
  net: Network,
  flags: number,
  signal: AbortSignal,
): Promise<NetworkParsed> =>
  parseNetwork((await remote.call('NETWORK_GET_XML_DESC', { net, flags }, signal)).xml);

const describeNetwork = async (remote: Remote, net: Network, signal: AbortSignal): Promise<NetworkParsed> => {
  try {
    return await readNetwork(remote, net, XML_INACTIVE, signal);
  } catch (error) {
    // The test driver keeps one description of a network.
    if (!saidNo(error, errorCodes.invalidArgument)) throw error;
    return readNetwork(remote, net, 0, signal);
  }
};

/** Somebody else's network that has our name or our bridge. */
const collision = async (
  remote: Remote,
  network: NetworkIdentity,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { nets } = await remote.call('CONNECT_LIST_ALL_NETWORKS', { need_results: 1, flags: 0 }, signal);
  const others = nets.filter(({ uuid }) => uuid.toLowerCase() !== network.uuid);
  if (others.some(({ name }) => name === network.networkName)) {
    return `A network named ${network.networkName} exists on the host and is not ours.`;
  }
  for (const net of others) {
    try {
      const { bridge } = await describeNetwork(remote, net, signal);
      if (bridge === network.bridgeName) {
        return `The network ${net.name} on the host uses the bridge ${bridge} and is not ours.`;
      }
    } catch (error) {
      if (!saidNo(error, errorCodes.noNetwork)) throw error;
    }
  }
  return undefined;
};

const look = async (remote: Remote, network: NetworkIdentity, signal: AbortSignal): Promise<NetworkSeen> => {
  const net = await find(remote, network, signal);
  if (net === undefined) {
    const message = await collision(remote, network, signal);
    return message === undefined ? { kind: 'absent' } : { kind: 'taken', message };
  }
  const [{ shape }, { active }, { autostart }] = await Promise.all([
    describeNetwork(remote, net, signal),
    remote.call('NETWORK_IS_ACTIVE', { net }, signal),
    remote.call('NETWORK_GET_AUTOSTART', { net }, signal),
  ]);
  const seen = { kind: 'present', active: active === 1, autostart: autostart === 1, shape } as const;
  if (!seen.active) return seen;
  const { shape: running } = await readNetwork(remote, net, 0, signal);
  return sameNetwork(running, shape) ? seen : { ...seen, running };
};

const define = async (
  remote: Remote,
  network: NetworkIdentity,
  shape: NetworkShape,
  signal: AbortSignal,
): Promise<void> => {
  const seen = await look(remote, network, signal);
  if (seen.kind === 'taken') throw new Fault('denied', seen.message, { reason: 'NameTaken' });
  if (seen.kind === 'present' && sameNetwork(seen.shape, shape)) return;
  await remote.call('NETWORK_DEFINE_XML', { xml: networkXml(network, shape) }, signal);
};

const start = async (remote: Remote, network: NetworkIdentity, signal: AbortSignal): Promise<void> => {
  const net = await find(remote, network, signal);
  if (net === undefined)
    throw new Fault('conflict', `The network ${network.networkName} is not defined on the host.`);
  const { active } = await remote.call('NETWORK_IS_ACTIVE', { net }, signal);
  if (active !== 1) {
    try {
      await remote.call('NETWORK_CREATE', { net }, signal);
    } catch (error) {
      // Somebody started it in between.
      const now = await remote.call('NETWORK_IS_ACTIVE', { net }, signal);
      if (now.active !== 1) throw error;
    }
  }
  const { autostart } = await remote.call('NETWORK_GET_AUTOSTART', { net }, signal);
  if (autostart !== 1) await remote.call('NETWORK_SET_AUTOSTART', { net, autostart: 1 }, signal);
};

const remove = async (remote: Remote, network: NetworkIdentity, signal: AbortSignal): Promise<void> => {
  const net = await find(remote, network, signal);
  if (net === undefined) return;
  const { active } = await remote.call('NETWORK_IS_ACTIVE', { net }, signal);
  if (active === 1) await remote.call('NETWORK_DESTROY', { net }, signal);
  try {
    await remote.call('NETWORK_UNDEFINE', { net }, signal);
  } catch (error) {
    // A network without a definition went with its end.
    if (!saidNo(error, errorCodes.noNetwork)) throw error;
  }
};

const takeStep = (
  remote: Remote,
  network: NetworkIdentity,
  step: NetworkStep,
  signal: AbortSignal,
): Promise<void> => {
  switch (step.kind) {
    case 'define':
      return define(remote, network, step.shape, signal);
    case 'start':
      return start(remote, network, signal);
    case 'remove':
      return remove(remote, network, signal);
    default:
      return step satisfies never;
  }
};

/** `linkOf` throws Fault when the host is not in the pool (any more). */
export const createHostNetworks = (host: HostId, linkOf: () => HostLink<unknown>): HostNetworks => {
  const on = async <T>(work: (remote: Remote) => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      const { remote } = await linkOf().up(signal);
      return await work(remote);
    } catch (error) {
      throw toHostFault(error, host);
    }
  };
  return {
    see: (network, signal) => on((remote) => look(remote, network, signal), signal),
    take: (network, step, signal) => on((remote) => takeStep(remote, network, step, signal), signal),
  };
};
