/** How a session sees simulated hosts and machines. Nothing here changes anything (H-02). */
import { isFault } from '../../../runtime/fault.ts';
import type {
  HostFacts,
  HostId,
  HostSeen,
  Namesake,
  Sighting,
  SurveySeen,
  VmIdentity,
  VmSeen,
} from '../contract.ts';
import { simulatedEndpoint } from './endpoint.ts';
import { guestSeen } from './guest.ts';
import type { Inventory } from './inventory.ts';
import { powerSeen, recordKey, type SimulatedHost, simulatedCapabilities } from './state.ts';
import { createSurvey, ownershipFor } from './survey.ts';
import type { SimulatedWorld } from './world.ts';

export interface SightContext {
  readonly world: SimulatedWorld;
  readonly members: () => readonly SimulatedHost[];
  readonly inventory: Inventory;
  readonly clusterId: string | undefined;
}

export interface Sight {
  readonly hosts: () => readonly HostSeen[];
  readonly survey: (signal: AbortSignal) => Promise<readonly SurveySeen[]>;
  readonly see: (vm: VmIdentity, hint: HostId | undefined, signal: AbortSignal) => Promise<VmSeen>;
  readonly sightingOn: (host: SimulatedHost, vm: VmIdentity) => Sighting | undefined;
}

const factsOf = (host: SimulatedHost): HostFacts => ({
  hostUuid: host.uuid,
  uri: simulatedEndpoint(host.settings).uri,
  hypervisor: { type: 'simulated', version: '1', architecture: 'x86_64' },
  acceleration: 'Emulation',
  cpus: host.settings.cpus,
  memoryMiB: host.settings.memoryMiB,
  capabilities: host.settings.capabilities ?? simulatedCapabilities,
  attachmentKinds: host.settings.attachmentKinds ?? ['file', 'network'],
  claimedBy: host.claimedBy,
  bridges: host.settings.bridges ?? ['br0'],
});

const hostSeen = (host: SimulatedHost): HostSeen => {
  const { name, link } = host;
  if (link.kind === 'up') {
    return { kind: 'reachable', host: name, facts: factsOf(host) };
  }
  const message = `The host ${name} does not answer.`;
  return { kind: 'unreachable', host: name, sinceMs: link.sinceMs, reason: 'HostUnreachable', message };
};

const namesakesOn = (host: SimulatedHost, vm: VmIdentity): Namesake[] => {
  const uuids = new Set(host.byRecord.get(recordKey(vm)));
  const named = host.byDomainName.get(vm.domainName);
  if (named !== undefined) {
    uuids.add(named);
  }
  uuids.delete(vm.uuid);
  return [...uuids].map((uuid) => ({
    host: host.name,
    uuid,
    ownership: ownershipFor(
      host.machines.get(uuid)?.record,
      (record) => record.clusterId === vm.clusterId && record.uid === vm.uid,
    ),
  }));
};

export const createSight = ({ world, members, inventory, clusterId }: SightContext): Sight => {
  const { calls, clock, guests } = world;
  const survey = createSurvey({ calls, clock, inventory, clusterId });

  const sightingOn: Sight['sightingOn'] = (host, vm) => {
    const machine = host.machines.get(vm.uuid);
    if (machine === undefined) {
      return undefined;
    }
    return {
      host: host.name,
      ownership: ownershipFor(
        machine.record,
        (record) => record.clusterId === vm.clusterId && record.uid === vm.uid,
      ),
      power: powerSeen(machine),
      running: machine.running,
      next: machine.next,
      guest: guestSeen(host, machine, guests.of(vm.uuid), clock.nowMs()),
      vncPort: machine.vncPort,
    };
  };

  /** A status that names a host narrows the search; without one the machine may be anywhere we cannot look. */
  const mayBeOn = (host: HostId, vm: VmIdentity, hint: HostId | undefined): boolean =>
    hint === undefined || hint === host || inventory.had(host, vm.uuid) === true;

  const look = async (
    host: SimulatedHost,
    vm: VmIdentity,
    hint: HostId | undefined,
    signal: AbortSignal,
  ): Promise<HostId | undefined> => {
    if (host.link.kind === 'down') {
      return mayBeOn(host.name, vm, hint) ? host.name : undefined;
    }
    try {
      await calls.run(host, { method: 'see', mutating: false, subject: vm.uuid }, () => undefined, signal);
      return undefined;
    } catch (error) {
      if (isFault(error, 'unreachable') && !signal.aborted) {
        return host.name;
      }
      throw error;
    }
  };

  const see: Sight['see'] = async (vm, hint, signal) => {
    const hosts = members();
    // Only hosts with something of that name are asked: the inventory of the others is kept by events.
    const asked = hosts.filter(
      (host) =>
        host.link.kind === 'down' ||
        host.name === hint ||
        host.machines.has(vm.uuid) ||
        namesakesOn(host, vm).length > 0,
    );
    const unseen = await Promise.all(asked.map((host) => look(host, vm, hint, signal)));
    const missing = new Set(unseen.filter((name) => name !== undefined));
    const seen = asked.filter(({ name, link }) => link.kind === 'up' && !missing.has(name));
    return {
      sightings: seen.flatMap((host) => sightingOn(host, vm) ?? []),
      unseen: [...missing],
      namesakes: seen.flatMap((host) => namesakesOn(host, vm)),
    };
  };

  return {
    hosts: () => members().map(hostSeen),
    survey: (signal) => Promise.all(members().map((host) => survey(host, signal))),
    see,
    sightingOn,
  };
};
