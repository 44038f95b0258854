/**
 * The simulated hypervisor driver: the whole contract on hosts in memory. A session is what an operator process has;
 * the world outlives it, so that a test restarts the operator by opening another session.
 */
import { Fault } from '../../../runtime/fault.ts';
import type {
  Change,
  HostEndpoint,
  HostId,
  HypervisorDriver,
  HypervisorPool,
  StepOutcome,
  VmIdentity,
  VmStep,
} from '../contract.ts';
import { createWitness } from '../witness.ts';
import { settingsOf } from './endpoint.ts';
import { createChangeFeed } from './events.ts';
import { createInventory, type Inventory } from './inventory.ts';
import { createHostLogins } from './logins.ts';
import { createHostNetworks } from './networks.ts';
import { createHostSecrets } from './secrets.ts';
import { createSight, type Sight } from './sight.ts';
import type { SimulatedHost, SimulatedHostSettings } from './state.ts';
import { takeStep } from './steps.ts';
import { createHostStorage } from './storage.ts';
import type { SimulatedWorld } from './world.ts';

export interface SimulatedSettings {
  /** Hosts of the pool; made in the world when it has none of that name. */
  readonly hosts: readonly SimulatedHostSettings[];
  /** The installation a survey counts as ours; every tagged machine when absent. */
  readonly clusterId?: string | undefined;
}

interface Members {
  readonly list: () => readonly SimulatedHost[];
  /** Throws Fault invalid for a host that is not in the pool. */
  readonly get: (name: HostId) => SimulatedHost;
  readonly has: (name: HostId) => boolean;
  readonly reconfigure: (endpoints: readonly HostEndpoint[]) => void;
}

const createMembers = (
  world: SimulatedWorld,
  { hosts }: SimulatedSettings,
  inventory: Inventory,
  tell: (change: Change) => void,
): Members => {
  const members = new Map<HostId, SimulatedHost>();
  /** A host that answers tells at once which machines it has. */
  const connect = (host: SimulatedHost): void => {
    members.set(host.name, host);
    if (host.link.kind === 'up') inventory.note(host);
  };
  for (const settings of hosts) connect(world.ensureHost(settings));

  const reconfigure = (endpoints: readonly HostEndpoint[]): void => {
    const wanted = new Set(endpoints.map(({ host }) => host));
    for (const name of [...members.keys()].filter((name) => !wanted.has(name))) {
      members.delete(name);
      inventory.forget(name);
      tell({ kind: 'host', host: name });
    }
    for (const endpoint of endpoints) {
      const isNew = !members.has(endpoint.host);
      const host = world.ensureHost(settingsOf(endpoint, world.find(endpoint.host)));
      if (isNew) {
        connect(host);
        tell({ kind: 'resync', host: host.name });
      }
    }
  };

  return {
    list: () => [...members.values()],
    get: (name) => {
      const host = members.get(name);
      if (host === undefined) {
        const message = `The host ${name} is not in the pool.`;
        throw new Fault('invalid', message, { reason: 'NotInPool', where: name });
      }
      return host;
    },
    has: (name) => members.has(name),
    reconfigure,
  };
};

/** Events of a host that nobody reaches are lost; the news that it is gone is the connection's own. */
const createListener =
  (members: Members, inventory: Inventory, push: (change: Change) => void) =>
  (change: Change): void => {
    if (change.kind === 'vm') {
      push(change);
      return;
    }
    if (members.has(change.host)) {
      const host = members.get(change.host);
      if (host.link.kind === 'up') {
        inventory.note(host);
      }
      push(change);
    }
  };

const createTake =
  (world: SimulatedWorld, sight: Sight) =>
  (
    host: SimulatedHost,
    vm: VmIdentity,
    step: VmStep,
    emit: (change: Change) => void,
    signal: AbortSignal,
  ): Promise<StepOutcome> => {
    const { calls, clock, guests } = world;
    const later = (delayMs: number, run: () => void): void => {
      clock.after(delayMs, run);
    };
    const effect = (): StepOutcome => {
      const behaviour = guests.of(vm.uuid);
      const kind = takeStep(step, { host, vm, behaviour, nowMs: clock.nowMs(), emit, later });
      return kind === 'started' ? { kind } : { kind, sighting: sight.sightingOn(host, vm) };
    };
    return calls.run(host, { method: step.kind, mutating: true, subject: vm.uuid }, effect, signal);
  };

const claimHost = (host: SimulatedHost, clusterId: string): { readonly claimedBy: string } => {
  host.claimedBy ??= clusterId;
  return { claimedBy: host.claimedBy };
};

const openPool = (world: SimulatedWorld, settings: SimulatedSettings): HypervisorPool => {
  const { calls, events } = world;
  const session = {};
  let open = true;
  const checkOpen = (): void => {
    if (!open) {
      throw new Fault('unreachable', 'The pool is closed.');
    }
  };
  const feed = createChangeFeed();
  const inventory = createInventory();
  const members = createMembers(world, settings, inventory, feed.push);
  const unsubscribe = events.subscribe(createListener(members, inventory, feed.push));
  const witness = createWitness({
    listed: inventory.listed,
    had: (host, uuid) => inventory.had(host, uuid) === true,
  });
  const { clusterId } = settings;
  const sight = createSight({ world, members: members.list, inventory, witness, clusterId });
  const take = createTake(world, sight);
  const member = (name: HostId): SimulatedHost => {
    checkOpen();
    return members.get(name);
  };
  const facet = (name: HostId) => ({ host: member(name), gate: calls, emit: events.emit, checkOpen });
  world.sessions.add(session);

  return {
    hosts: async () => {
      checkOpen();
      return sight.hosts();
    },
    survey: async (signal) => {
      checkOpen();
      return sight.survey(signal);
    },
    see: async (vm, hint, signal) => {
      checkOpen();
      return sight.see(vm, hint, signal);
    },
    take: async (vm, step, signal) => {
      const host = member(step.host);
      return witness.during(vm, step, () => take(host, vm, step, events.emit, signal));
    },
    changes: (signal) => feed.iterate(signal),
    reconfigure: (endpoints) => {
      checkOpen();
      members.reconfigure(endpoints);
    },
    claim: async (name, clusterId, signal) => {
      const host = member(name);
      const call = { method: 'claim', mutating: host.claimedBy === undefined, subject: clusterId };
      return calls.run(host, call, () => claimHost(host, clusterId), signal);
    },
    hostStorage: (name) =>
      createHostStorage({
        ...facet(name),
        directoryAt: world.directoryAt,
        shareState: world.shareState,
      }),
    hostNetworks: (name) => createHostNetworks(facet(name)),
    hostSecrets: (name) => createHostSecrets(facet(name)),
    hostLogins: (name) => createHostLogins(facet(name)),
    close: async () => {
      open = false;
      unsubscribe();
      feed.close();
      world.sessions.delete(session);
    },
  };
};

/** A driver for this world. */
export const createSimulatedDriver = (world: SimulatedWorld): HypervisorDriver<SimulatedSettings> => ({
  name: 'simulated',
  open: (settings) => openPool(world, settings),
});

export { simulatedEndpoint } from './endpoint.ts';
