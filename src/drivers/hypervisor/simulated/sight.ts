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
import type { Witness } from '../witness.ts';
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
  readonly witness: Witness;
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
  attachmentKinds: host.settings.attachmentKinds ?? ['file', 'block', 'network'],
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

export const createSight = ({ world, members, inventory, witness, clusterId }: SightContext): Sight => {
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

  /** Whether the host could not be looked at. */
  const isBlind = async (host: SimulatedHost, vm: VmIdentity, signal: AbortSignal): Promise<boolean> => {
    if (host.link.kind === 'down') return true;
    try {
      await calls.run(host, { method: 'see', mutating: false, subject: vm.uuid }, () => undefined, signal);
      return false;
    } catch (error) {
      if (isFault(error, 'unreachable') && !signal.aborted) return true;
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
    const looked = await Promise.all(asked.map((host) => isBlind(host, vm, signal)));
    const blind = asked.filter((_host, index) => looked[index] === true);
    const seen = asked.filter((host) => host.link.kind === 'up' && !blind.includes(host));
    const sightings = seen.flatMap((host) => sightingOn(host, vm) ?? []);
    return {
      sightings,
      unseen: witness.unseen(
        vm,
        hint,
        blind.map(({ name }) => name),
        sightings,
      ),
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
