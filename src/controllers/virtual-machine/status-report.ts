/** What the machine and its guest tell of themselves, for the status. Pure; values are bounded by the driver. */
import { diskSerial } from '../../api/identity.ts';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import type { PowerSeen, Sighting } from '../../drivers/hypervisor/contract.ts';
import type { HardwareShape } from '../../drivers/hypervisor/shape.ts';
import type { VmWorld } from './world.ts';

const powerState = (power: PowerSeen): NonNullable<VirtualMachineStatus['powerState']> => {
  switch (power.kind) {
    case 'running':
    case 'stopping':
      return 'PoweredOn';
    case 'paused':
      return 'Paused';
    case 'off':
      return 'PoweredOff';
    default:
      return power satisfies never;
  }
};

const addressesOf = (sighting: Sighting, mac: string): readonly string[] =>
  sighting.guest?.addresses.find((it) => it.mac === mac)?.ips ?? [];

type Networks = NonNullable<VirtualMachineStatus['networks']>;

/** Cards with what they were given; a model is recorded so that an upgrade of defaults does not change it. */
const networksOf = (world: VmWorld, sighting: Sighting): Networks =>
  world.nics.map(({ name, mac, shape }) => {
    const ips = addressesOf(sighting, mac);
    const model = shape.kind === 'ok' ? shape.value.model : undefined;
    return {
      name,
      mac,
      ...(model === undefined ? {} : { model }),
      ...(ips.length === 0 ? {} : { ipAddresses: ips.slice(0, 32) }),
    };
  });

type Disks = NonNullable<VirtualMachineStatus['disks']>;

/** No longer in the list and still in the running machine: such a disk is not free for others yet. */
const leavingDisks = ({ vm, disks }: VmWorld, there: ReadonlySet<string>): Disks =>
  (vm.status?.disks ?? [])
    .filter(
      ({ diskUid }) =>
        diskUid !== undefined &&
        there.has(diskSerial(diskUid)) &&
        !disks.some((disk) => disk.diskUid === diskUid),
    )
    .map((entry) => ({ ...entry, attached: true }));

const disksOf = (world: VmWorld, sighting: Sighting | undefined): Disks => {
  const there = new Set(sighting?.running?.disks.map(({ serial }) => serial));
  const leaving = leavingDisks(world, there);
  const listed = world.disks.map(({ name, diskName, diskUid, state }) => ({
    name,
    diskName,
    ...(diskUid === undefined ? {} : { diskUid }),
    ...(state.kind === 'ready' ? { bus: state.shape.bus } : {}),
    // A disk that is only in the definition of a stopped machine is in nobody's use.
    attached: diskUid !== undefined && there.has(diskSerial(diskUid)),
  }));
  // Of an entry that names another disk now, the old disk is shown until it is out.
  return [...listed.filter(({ name }) => !leaving.some((it) => it.name === name)), ...leaving];
};

const hardwareOf = (world: VmWorld, seen: HardwareShape | undefined): VirtualMachineStatus['hardware'] => {
  const recorded = world.vm.status?.hardware;
  const machineType = recorded?.machineType ?? seen?.machineType;
  const cpuModel = recorded?.cpuModel ?? seen?.cpuModel;
  if (machineType === undefined && cpuModel === undefined) return recorded;
  return {
    ...recorded,
    ...(machineType === undefined ? {} : { machineType }),
    ...(cpuModel === undefined ? {} : { cpuModel }),
  };
};

type Report = Pick<
  VirtualMachineStatus,
  'powerState' | 'lastPowerCause' | 'hardware' | 'ipAddress' | 'networks' | 'guest' | 'disks'
>;

/** Nobody could look: all that was last known stays, but the power. */
const lastKnown = ({ vm }: VmWorld): Report => {
  const { hardware, ipAddress, networks, guest, disks } = vm.status ?? {};
  return {
    ...(vm.status?.powerState === undefined ? {} : { powerState: 'Unknown' }),
    ...(hardware === undefined ? {} : { hardware }),
    ...(ipAddress === undefined ? {} : { ipAddress }),
    ...(networks === undefined ? {} : { networks }),
    ...(guest === undefined ? {} : { guest }),
    ...(disks === undefined ? {} : { disks }),
  };
};

const runningReport = (world: VmWorld, sighting: Sighting): Report => {
  const networks = networksOf(world, sighting);
  const ipAddress = networks.flatMap((nic) => nic.ipAddresses ?? [])[0];
  const { hostname, os } = sighting.guest ?? {};
  return {
    ...(networks.length === 0 ? {} : { networks }),
    ...(sighting.running === undefined || ipAddress === undefined ? {} : { ipAddress }),
    ...(hostname === undefined && os === undefined
      ? {}
      : { guest: { ...(hostname === undefined ? {} : { hostname }), ...(os === undefined ? {} : { os }) } }),
  };
};

export const reportOf = (world: VmWorld, sighting: Sighting | undefined, blind: boolean): Report => {
  if (blind) return lastKnown(world);
  const hardware = hardwareOf(world, (sighting?.running ?? sighting?.next)?.hardware);
  const disks = disksOf(world, sighting);
  const base: Report = {
    ...(hardware === undefined ? {} : { hardware }),
    ...(disks.length === 0 ? {} : { disks }),
  };
  if (sighting === undefined)
    return world.vm.status?.powerState === undefined ? base : { ...base, powerState: 'PoweredOff' };
  const cause = sighting.power.kind === 'off' ? sighting.power.cause : undefined;
  return {
    ...base,
    ...runningReport(world, sighting),
    powerState: powerState(sighting.power),
    ...(cause === undefined || cause === 'NeverStarted' ? {} : { lastPowerCause: cause }),
  };
};
