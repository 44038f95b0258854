/**
 * The simulated world: hosts with machines, folders and networks, which go on when a session ends. Sessions
 * (driver.ts) see it as a real driver sees its hosts; tests also have hands in it (hands.ts).
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import { createFabric, type Fabric } from '../../storage/simulated/fabric.ts';
import type { ShareState } from '../../storage/simulated/world.ts';
import type { HostId } from '../contract.ts';
import type { StoragePlace } from '../host-storage.ts';
import { createEventBus, type EventBus } from './events.ts';
import { createFabricUser } from './fabric-user.ts';
import { createGate, type Gate } from './gate.ts';
import { type GuestBehaviour, politeGuest } from './guest.ts';
import { createHands, type Hands } from './hands.ts';
import { createHostHands, type HostHands } from './host-hands.ts';
import { type Violation, violationsOf } from './invariants.ts';
import type { SimulatedDirectory, SimulatedHost, SimulatedHostSettings } from './state.ts';

export interface SimulatedWorld {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly events: EventBus;
  /** Latency, failures, counters and the log of mutating calls. */
  readonly calls: Gate;
  /** What somebody does to machines, volumes and networks without asking us. */
  readonly hand: Hands;
  /** What happens to whole hosts: partition, power loss, a daemon that restarts. */
  readonly host: HostHands;
  readonly guests: {
    /** Of every guest without a behaviour of its own. */
    readonly setDefault: (behaviour: Partial<GuestBehaviour>) => void;
    readonly set: (uuid: string, behaviour: Partial<GuestBehaviour>) => void;
    readonly of: (uuid: string) => GuestBehaviour;
  };
  readonly hosts: () => readonly SimulatedHost[];
  readonly fabric: Fabric;
  readonly find: (host: HostId) => SimulatedHost | undefined;
  /** Throws Fault invalid for a host that is not there. */
  readonly get: (host: HostId) => SimulatedHost;
  /** Adds the host, or changes what it has; the machines on it stay. */
  readonly ensureHost: (settings: SimulatedHostSettings) => SimulatedHost;
  readonly directoryAt: (
    host: SimulatedHost,
    place: Pick<StoragePlace, 'path' | 'topology'>,
  ) => SimulatedDirectory;
  /** How the storage servers serve a share that hosts mount. */
  readonly shareState: (share: string) => ShareState;
  /** What must never be (I1, I2): empty in a sound world. */
  readonly violations: () => readonly Violation[];
  /** Open sessions, and with them iterations over changes. */
  readonly sessions: Set<object>;
}

const defaultDiskBytes = 1024 ** 4;
const firstVncPort = 5900;

const hostUuid = (name: HostId): string => {
  const hex = createHash('sha256').update(`simulated/${name}`).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
};

const newHost = (settings: SimulatedHostSettings, fabric: Fabric): SimulatedHost => ({
  name: settings.name,
  uuid: hostUuid(settings.name),
  settings,
  machines: new Map(),
  byDomainName: new Map(),
  byRecord: new Map(),
  places: new Map(),
  directories: new Map(),
  unmounted: new Set(),
  networks: new Map(),
  secrets: new Map(),
  logins: new Map(),
  fabric,
  claimedBy: undefined,
  link: { kind: 'up' },
  epoch: 0,
  nextVncPort: firstVncPort,
});

const createGuests = (): SimulatedWorld['guests'] => {
  let usual = politeGuest;
  const own = new Map<string, Partial<GuestBehaviour>>();
  return {
    setDefault: (behaviour) => {
      usual = { ...usual, ...behaviour };
    },
    set: (uuid, behaviour) => {
      own.set(uuid, { ...own.get(uuid), ...behaviour });
    },
    of: (uuid) => {
      const behaviour = own.get(uuid);
      return behaviour === undefined ? usual : { ...usual, ...behaviour };
    },
  };
};

const createDirectories = (): SimulatedWorld['directoryAt'] => {
  const shared = new Map<string, SimulatedDirectory>();
  return (host, { path, topology }) => {
    const mounted = topology === 'Shared' && !host.unmounted.has(path);
    const directories = mounted ? shared : host.directories;
    const known = directories.get(path);
    if (known !== undefined) {
      return known;
    }
    const made: SimulatedDirectory = {
      volumes: new Map(),
      marker: undefined,
      capacityBytes: host.settings.diskBytes ?? defaultDiskBytes,
      foreignBytes: 0,
    };
    directories.set(path, made);
    return made;
  };
};

/** A world with these hosts; more may come by `ensureHost`. */
export const createWorld = (options: {
  readonly clock: Clock;
  readonly random: () => number;
  readonly hosts?: readonly SimulatedHostSettings[];
  /** Of the simulated storage servers; without them every share is there. */
  readonly shareState?: (share: string) => ShareState;
  /** That of the simulated storage servers; one of its own when absent. */
  readonly fabric?: Fabric;
}): SimulatedWorld => {
  const { clock, random, shareState = () => 'up' } = options;
  const hosts = new Map<HostId, SimulatedHost>();
  const fabric = options.fabric ?? createFabric();
  const events = createEventBus(clock);
  const directoryAt = createDirectories();
  const guests = createGuests();

  const get = (name: HostId): SimulatedHost => {
    const host = hosts.get(name);
    if (host === undefined) {
      throw new Fault('invalid', `There is no simulated host ${name}.`, { reason: 'NotInPool', where: name });
    }
    return host;
  };
  const ensureHost = (settings: SimulatedHostSettings): SimulatedHost => {
    const host = hosts.get(settings.name) ?? newHost(settings, fabric);
    host.settings = settings;
    hosts.set(settings.name, host);
    return host;
  };
  for (const settings of options.hosts ?? []) {
    ensureHost(settings);
  }

  fabric.users.add(createFabricUser(() => [...hosts.values()], events));
  const insides = { clock, events, get, hosts: () => [...hosts.values()], directoryAt };
  return {
    ...insides,
    fabric,
    random,
    calls: createGate(clock),
    hand: createHands(insides),
    host: createHostHands(insides),
    guests,
    shareState,
    find: (name) => hosts.get(name),
    ensureHost,
    violations: () => violationsOf([...hosts.values()]),
    sessions: new Set(),
  };
};
