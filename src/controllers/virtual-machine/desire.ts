/** The hardware the machine shall have: the spec resolved, with what is missing carried over from what it has. Pure. */

import type { Sighting } from '../../drivers/hypervisor/contract.ts';
import type {
  CdromShape,
  DiskShape,
  HardwareShape,
  NicBackend,
  NicShape,
  VmShape,
} from '../../drivers/hypervisor/shape.ts';
import {
  type Lack,
  type NicWorld,
  type Resources,
  SEED_DRIVE,
  type SeedSight,
  type VmWorld,
} from './world.ts';

/** What the machine shall be, and what of it cannot be had yet. */
export interface Desire {
  readonly shape: VmShape;
  readonly lacks: readonly Lack[];
  /** Every disk, drive, card and the seed is there: it may be defined. */
  readonly complete: boolean;
  /** Disks that this machine may not use yet; it must not be started, nor get them attached. */
  readonly unclaimed: readonly Lack[];
}

const seenShape = (sighting: Sighting | undefined): VmShape | undefined =>
  sighting?.running ?? sighting?.next;

/** A device that cannot be resolved now is neither attached nor detached: what the machine has stays. */
const orSeen = <T>(wanted: T | undefined, seen: T | undefined): readonly T[] => {
  const it = wanted ?? seen;
  return it === undefined ? [] : [it];
};

const disksOf = (world: VmWorld, sighting: Sighting | undefined): readonly DiskShape[] => {
  const seen = seenShape(sighting)?.disks ?? [];
  return world.disks.flatMap(({ name, state }) => {
    const there = seen.find((disk) => disk.name === name);
    const usable =
      state.kind === 'ready' && (state.claimed || sighting?.running === undefined || there !== undefined);
    return orSeen(usable ? state.shape : undefined, there);
  });
};

const sameBackend = (a: NicBackend, b: NicBackend): boolean =>
  a.kind === 'network'
    ? b.kind === 'network' && a.network === b.network
    : b.kind === 'bridge' && a.bridge === b.bridge && a.vlan === b.vlan;

/** A card that the machine has, on the same network, is no new use of it: what forbids new ones does not touch it. */
const nicLack = ({ shape, reserved }: NicWorld, there: NicShape | undefined): Lack | undefined => {
  if (shape.kind === 'lack') return shape.lack;
  const kept = there !== undefined && sameBackend(there.backend, shape.value.backend);
  return kept ? undefined : reserved;
};

const nicsOf = (world: VmWorld, sighting: Sighting | undefined) => {
  const seen = seenShape(sighting)?.nics ?? [];
  return world.nics.map((nic) => {
    const there = seen.find(({ mac }) => mac === nic.mac);
    const lack = nicLack(nic, there);
    const wanted = lack === undefined && nic.shape.kind === 'ok' ? nic.shape.value : undefined;
    return { lack, shapes: orSeen(wanted, there) };
  });
};

const cdromsOf = (world: VmWorld, seed: SeedSight, sighting: Sighting | undefined): readonly CdromShape[] => {
  const seen = seenShape(sighting)?.cdroms ?? [];
  const wanted = world.cdroms.flatMap(({ name, bootOrder, path }): readonly CdromShape[] =>
    path.kind === 'ok'
      ? [{ name, path: path.value, bootOrder }]
      : seen.filter((drive) => drive.name === name),
  );
  const drive = seen.find((cdrom) => cdrom.name === SEED_DRIVE);
  switch (seed.kind) {
    case 'none':
      return wanted;
    case 'wanted':
      return [...wanted, { name: SEED_DRIVE, path: seed.path }];
    case 'keep':
    case 'left':
    case 'lack':
      return drive === undefined ? wanted : [...wanted, drive];
    default:
      return seed satisfies never;
  }
};

/** Without any boot order of the user, the first disk is booted, else the first drive. */
const withBootOrder = (shape: VmShape): VmShape => {
  const devices = [...shape.disks, ...shape.cdroms, ...shape.nics];
  if (devices.some(({ bootOrder }) => bootOrder !== undefined)) return shape;
  const [disk, ...disks] = shape.disks;
  if (disk !== undefined) return { ...shape, disks: [{ ...disk, bootOrder: 1 }, ...disks] };
  const [cdrom, ...cdroms] = shape.cdroms;
  return cdrom === undefined ? shape : { ...shape, cdroms: [{ ...cdrom, bootOrder: 1 }, ...cdroms] };
};

const hardwareOf = (world: VmWorld, sighting: Sighting | undefined): HardwareShape => ({
  machineType: world.vm.status?.hardware?.machineType ?? seenShape(sighting)?.hardware.machineType,
  cpuModel: world.vm.status?.hardware?.cpuModel ?? seenShape(sighting)?.hardware.cpuModel,
});

const lacksOf = (
  world: VmWorld,
  seed: SeedSight,
  nics: readonly { readonly lack: Lack | undefined }[],
): readonly Lack[] => [
  ...world.disks.flatMap(({ state }) => (state.kind === 'lacking' ? [state.lack] : [])),
  ...nics.flatMap(({ lack }) => lack ?? []),
  ...world.cdroms.flatMap(({ path }) => (path.kind === 'lack' ? [path.lack] : [])),
  ...(seed.kind === 'lack' ? [seed.lack] : []),
];

/**
 * Machines whose disks are all on their host start with it even when the control plane is down; a machine on shared
 * storage never does, because it may have been started elsewhere by then.
 */
const autostartOf = ({ vm, disks }: VmWorld): boolean =>
  vm.spec.powerState === 'PoweredOn' &&
  vm.spec.restartPolicy !== 'Never' &&
  disks.length > 0 &&
  disks.every(({ hostLocal }) => hostLocal);

const unclaimedOf = ({ disks }: VmWorld): readonly Lack[] =>
  disks.flatMap(({ diskName, state }): readonly Lack[] => {
    if (state.kind !== 'ready' || state.claimed) return [];
    const condition = 'StorageReady';
    const why =
      state.movingTo === undefined
        ? 'is not free for this machine yet'
        : `is being moved to StoragePool ${state.movingTo}`;
    return state.heldBy === undefined
      ? [{ condition, reason: 'WaitingForDisk', message: `Disk ${diskName} ${why}.` }]
      : [{ condition, reason: 'DiskInUse', message: `Disk ${diskName} is used by machine ${state.heldBy}.` }];
  });

/** `resources` must have been resolved. */
export const desireOf = (
  world: VmWorld,
  resources: Resources,
  seed: SeedSight,
  sighting: Sighting | undefined,
): Desire => {
  const nics = nicsOf(world, sighting);
  const lacks = lacksOf(world, seed, nics);
  const shape = withBootOrder({
    cpu: resources.cpu,
    memoryMiB: resources.memoryMiB,
    disks: disksOf(world, sighting),
    cdroms: cdromsOf(world, seed, sighting),
    nics: nics.flatMap(({ shapes }) => shapes),
    hardware: hardwareOf(world, sighting),
    autostart: autostartOf(world),
  });
  const toCreate = world.disks.some(({ state }) => state.kind === 'toCreate');
  return {
    shape,
    lacks,
    complete: lacks.length === 0 && !toCreate,
    unclaimed: unclaimedOf(world),
  };
};
