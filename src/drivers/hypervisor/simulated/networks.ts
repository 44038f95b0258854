/** Networks of a simulated host. */
import { Fault } from '../../../runtime/fault.ts';
import type { Change } from '../contract.ts';
import {
  type HostNetworks,
  type NetworkIdentity,
  type NetworkSeen,
  type NetworkStep,
  sameNetwork,
} from '../host-networks.ts';
import type { Gate } from './gate.ts';
import type { SimulatedHost } from './state.ts';

export interface NetworksContext {
  readonly host: SimulatedHost;
  readonly gate: Gate;
  readonly emit: (change: Change) => void;
  /** Throws Fault unreachable once the session is closed. */
  readonly checkOpen: () => void;
}

const takenBy = (host: SimulatedHost, network: NetworkIdentity): string | undefined => {
  const other = [...host.networks.values()].find(
    ({ uuid, name, bridge }) =>
      uuid !== network.uuid && (name === network.networkName || bridge === network.bridgeName),
  );
  return other === undefined
    ? undefined
    : `The host ${host.name} has another network ${other.name} on bridge ${other.bridge}.`;
};

const see = (host: SimulatedHost, network: NetworkIdentity): NetworkSeen => {
  const found = host.networks.get(network.uuid);
  if (found !== undefined) {
    const { active, autostart, shape, running = shape } = found;
    const seen = { kind: 'present', active, autostart, shape } as const;
    return !active || sameNetwork(running, shape) ? seen : { ...seen, running };
  }
  const message = takenBy(host, network);
  return message === undefined ? { kind: 'absent' } : { kind: 'taken', message };
};

const define = (
  host: SimulatedHost,
  network: NetworkIdentity,
  { shape }: Extract<NetworkStep, { kind: 'define' }>,
): void => {
  const message = takenBy(host, network);
  if (message !== undefined) {
    throw new Fault('denied', message, { reason: 'NameTaken', where: host.name });
  }
  const found = host.networks.get(network.uuid);
  if (found === undefined) {
    const { uuid, networkName: name, bridgeName: bridge } = network;
    host.networks.set(uuid, { uuid, name, bridge, shape, active: false, autostart: false });
  } else {
    if (found.active) found.running ??= found.shape;
    found.shape = shape;
  }
};

const takeStep = (host: SimulatedHost, network: NetworkIdentity, step: NetworkStep): void => {
  switch (step.kind) {
    case 'define':
      define(host, network, step);
      return;
    case 'start': {
      const found = host.networks.get(network.uuid);
      if (found === undefined) {
        const message = `The network ${network.networkName} is not defined on ${host.name}.`;
        throw new Fault('conflict', message, { where: host.name });
      }
      if (!found.active) found.running = found.shape;
      found.active = true;
      found.autostart = true;
      return;
    }
    case 'remove':
      host.networks.delete(network.uuid);
      return;
    default:
      step satisfies never;
  }
};

/** A host's networks as one session sees them. */
export const createHostNetworks = ({ host, gate, emit, checkOpen }: NetworksContext): HostNetworks => ({
  see: async (network, signal) => {
    checkOpen();
    const call = { method: 'network.see', mutating: false, subject: network.uuid };
    return gate.run(host, call, () => see(host, network), signal);
  },
  take: async (network, step, signal) => {
    checkOpen();
    const call = { method: `network.${step.kind}`, mutating: true, subject: network.uuid };
    const effect = (): void => {
      takeStep(host, network, step);
      emit({ kind: 'network', host: host.name });
    };
    await gate.run(host, call, effect, signal);
  },
});
