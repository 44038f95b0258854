/** What somebody does on a simulated host without us: `virsh` in an administrator's hands, or the guest's own doing. */
import type { Clock } from '../../../runtime/clock.ts';
import type { HostId } from '../contract.ts';
import type { StoragePlace } from '../host-storage.ts';
import type { VmShape } from '../shape.ts';
import type { EventBus } from './events.ts';
import { addMachine, changed, powerOff, powerOn, removeMachine, setRecord } from './machines.ts';
import type { SimulatedDirectory, SimulatedHost, SimulatedMachine, SimulatedPower } from './state.ts';

/** What hands need of the world. */
export interface Insides {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly get: (host: HostId) => SimulatedHost;
  readonly hosts: () => readonly SimulatedHost[];
  readonly directoryAt: (
    host: SimulatedHost,
    place: Pick<StoragePlace, 'path' | 'topology'>,
  ) => SimulatedDirectory;
}

/** Machines are found by uuid on whichever host has them; what is not there is left so. */
export interface Hands {
  readonly destroy: (uuid: string) => void;
  /** A running machine goes on and is gone once it is off. */
  readonly undefine: (uuid: string) => void;
  readonly start: (uuid: string) => void;
  readonly pause: (uuid: string, cause?: 'User' | 'IoError' | 'Other') => void;
  /** The guest powers itself off. */
  readonly guestShutdown: (uuid: string) => void;
  /** The guest, or the process it runs in, crashes. */
  readonly crash: (uuid: string) => void;
  /** Changes the stored definition, as `virsh edit` does. */
  readonly edit: (uuid: string, change: (shape: VmShape) => VmShape) => void;
  /** Changes the live hardware. */
  readonly editLive: (uuid: string, change: (shape: VmShape) => VmShape) => void;
  /** Takes the record away. */
  readonly dropRecord: (uuid: string) => void;
  /** A machine that is not ours; `uuid` may be one of ours. */
  readonly defineForeign: (host: HostId, domainName: string, options?: ForeignOptions) => string;
  readonly defineForeignNetwork: (host: HostId, name: string, bridge: string) => void;
  readonly deleteVolume: (host: HostId, place: StoragePlace, volume: string) => void;
  /** A file that nobody finished: what a killed process leaves. */
  readonly putUnfinished: (host: HostId, place: StoragePlace, volume: string) => void;
  /** Files of others that leave only so many bytes free. */
  readonly leaveFree: (host: HostId, place: StoragePlace, bytes: number) => void;
  /** The shared folder is not mounted on the host, or is again. */
  readonly setMounted: (host: HostId, place: StoragePlace, mounted: boolean) => void;
  readonly machine: (
    uuid: string,
  ) => { readonly host: HostId; readonly machine: SimulatedMachine } | undefined;
}

export interface ForeignOptions {
  readonly uuid?: string;
  readonly running?: boolean;
}

const emptyShape: VmShape = {
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 64,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
};

type OnMachine = (host: SimulatedHost, machine: SimulatedMachine) => void;

const createReach = ({ hosts, events }: Insides) => {
  const find = (uuid: string): [SimulatedHost, SimulatedMachine] | undefined => {
    for (const host of hosts()) {
      const machine = host.machines.get(uuid);
      if (machine !== undefined) return [host, machine];
    }
    return undefined;
  };
  const withMachine = (uuid: string, act: OnMachine): void => {
    const found = find(uuid);
    if (found !== undefined) {
      act(...found);
      changed(...found, events.emit);
    }
  };
  return { find, withMachine };
};

const createStorageHands = ({
  get,
  directoryAt,
}: Insides): Pick<Hands, 'deleteVolume' | 'putUnfinished' | 'leaveFree' | 'setMounted'> => ({
  deleteVolume: (host, place, volume) => {
    directoryAt(get(host), place).volumes.delete(volume);
  },
  putUnfinished: (host, place, name) => {
    directoryAt(get(host), place).volumes.set(name, {
      name,
      format: 'qcow2',
      sizeBytes: 1024 ** 2,
      allocatedBytes: 4096,
      backingPath: undefined,
      complete: false,
      digest: undefined,
      bytes: undefined,
    });
  },
  leaveFree: (host, place, bytes) => {
    const directory = directoryAt(get(host), place);
    const used = [...directory.volumes.values()].reduce((sum, volume) => sum + volume.allocatedBytes, 0);
    directory.foreignBytes = Math.max(0, directory.capacityBytes - used - bytes);
  },
  setMounted: (name, place, mounted) => {
    const host = get(name);
    if (mounted) {
      host.unmounted.delete(place.path);
    } else {
      host.unmounted.add(place.path);
    }
    const prepared = host.places.get(place.path);
    if (prepared !== undefined) {
      host.places.set(place.path, { ...prepared, directory: directoryAt(host, place) });
    }
  },
});

const createPowerHands = (
  withMachine: (uuid: string, act: OnMachine) => void,
  nowMs: () => number,
): Pick<Hands, 'destroy' | 'start' | 'pause' | 'guestShutdown' | 'crash'> => {
  const off = (why: Extract<SimulatedPower, { kind: 'off' }>['why']): ((uuid: string) => void) => {
    const act: OnMachine = (host, machine) => {
      if (machine.power.kind !== 'off') {
        powerOff(host, machine, why);
      }
    };
    return (uuid) => withMachine(uuid, act);
  };
  return {
    destroy: off('Destroyed'),
    guestShutdown: off('GuestShutdown'),
    crash: off('Crashed'),
    start: (uuid) => withMachine(uuid, (host, machine) => powerOn(host, machine, nowMs())),
    pause: (uuid, cause = 'User') =>
      withMachine(uuid, (_host, machine) => {
        if (machine.power.kind === 'running') {
          machine.power = { kind: 'paused', cause };
        }
      }),
  };
};

export const createHands = (insides: Insides): Hands => {
  const { clock, events, get } = insides;
  const { find, withMachine } = createReach(insides);
  let foreign = 0;

  const defineForeign: Hands['defineForeign'] = (name, domainName, options = {}) => {
    const host = get(name);
    foreign += 1;
    const uuid = options.uuid ?? `ffffffff-0000-4000-8000-${foreign.toString(16).padStart(12, '0')}`;
    const machine = addMachine(host, { uuid, domainName, record: undefined, shape: emptyShape });
    if (options.running === true) {
      powerOn(host, machine, clock.nowMs());
    }
    changed(host, machine, events.emit);
    return uuid;
  };

  return {
    ...createPowerHands(withMachine, () => clock.nowMs()),
    ...createStorageHands(insides),
    undefine: (uuid) =>
      withMachine(uuid, (host, machine) => {
        machine.next = undefined;
        if (machine.running === undefined) removeMachine(host, machine);
      }),
    edit: (uuid, change) =>
      withMachine(uuid, (_host, machine) => {
        machine.next = machine.next === undefined ? undefined : change(machine.next);
      }),
    editLive: (uuid, change) =>
      withMachine(uuid, (_host, machine) => {
        machine.running = machine.running === undefined ? undefined : change(machine.running);
      }),
    dropRecord: (uuid) => withMachine(uuid, (host, machine) => setRecord(host, machine, undefined)),
    defineForeign,
    defineForeignNetwork: (host, name, bridge) => {
      const uuid = `ffffffff-0000-4000-8000-${name}`;
      const shape = { kind: 'NAT' } as const;
      get(host).networks.set(uuid, { uuid, name, bridge, shape, active: true, autostart: true });
      events.emit({ kind: 'network', host });
    },
    machine: (uuid) => {
      const found = find(uuid);
      return found === undefined ? undefined : { host: found[0].name, machine: found[1] };
    },
  };
};
