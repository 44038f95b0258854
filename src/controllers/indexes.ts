/** Named indexes of the stores: who refers to whom, so that a change finds the objects it matters to. Pure. */

import { moveOf, recordedPlaceOf } from '../api/disk-move.ts';
import type { Host } from '../api/host.ts';
import { macAddress, templateDiskName, vmUuid } from '../api/identity.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { MachineDisk, MachineNetwork, VirtualMachine } from '../api/virtual-machine.ts';
import type { VirtualMachineImage } from '../api/virtual-machine-image.ts';
import type { VirtualNetwork } from '../api/virtual-network.ts';

/** Name of the VirtualDisk behind an entry of a machine's list: `<machine>.<disk>` when it is a template. */
export const diskNameOf = (machine: string, disk: MachineDisk): string =>
  disk.diskRef === undefined ? templateDiskName(machine, disk.name) : disk.diskRef.name;

/** Key of an object in the namespace of another. */
export const besides = (
  object: { readonly metadata: { readonly namespace: string } },
  name: string,
): string => `${object.metadata.namespace}/${name}`;

/** MAC address of a card: the user's own, else derived. */
export const macOf = (vm: VirtualMachine, nic: MachineNetwork): string =>
  nic.macAddress ?? macAddress(vm.metadata.uid, nic.name);
/** Key of an address on a network. */
export const macKey = (network: string, mac: string): string => `${network}/${mac}`;

const unique = (names: readonly (string | undefined)[]): string[] => [
  ...new Set(names.filter((name) => name !== undefined)),
];

export const machineIndexes = (clusterId: string) => ({
  uuid: (vm: VirtualMachine) => [vmUuid(clusterId, vm.metadata.uid)],
  uid: (vm: VirtualMachine) => [vm.metadata.uid],
  namespace: (vm: VirtualMachine) => [vm.metadata.namespace],
  hostPool: (vm: VirtualMachine) => [vm.spec.hostPoolRef.name],
  host: (vm: VirtualMachine) => unique([vm.status?.host]),
  /** Pools that a machine without a host waits for. */
  unplaced: (vm: VirtualMachine) => (vm.status?.host === undefined ? [vm.spec.hostPoolRef.name] : []),
  size: (vm: VirtualMachine) => unique([vm.spec.sizeRef?.name]),
  /** Keys of disks. */
  disk: (vm: VirtualMachine) => vm.spec.disks.map((disk) => besides(vm, diskNameOf(vm.metadata.name, disk))),
  /** UIDs of disks that are plugged in by the last status, whether or not the spec still names them. */
  plugged: (vm: VirtualMachine) =>
    unique((vm.status?.disks ?? []).map(({ diskUid, attached }) => (attached ? diskUid : undefined))),
  /** Keys of images, of templates and drives. */
  image: (vm: VirtualMachine) =>
    unique([
      ...vm.spec.disks.map((disk) => disk.template?.imageRef?.name),
      ...vm.spec.cdroms.map((cdrom) => cdrom.imageRef?.name),
    ]).map((name) => besides(vm, name)),
  storagePool: (vm: VirtualMachine) =>
    unique(vm.spec.disks.map((disk) => disk.template?.storagePoolRef.name)),
  /** Addresses of cards, by network. */
  mac: (vm: VirtualMachine) =>
    unique(vm.spec.networks.map((nic) => macKey(nic.networkRef.name, macOf(vm, nic)))),
  network: (vm: VirtualMachine) => unique(vm.spec.networks.map((network) => network.networkRef.name)),
});

export const diskIndexes = {
  uid: (disk: VirtualDisk) => [disk.metadata.uid],
  namespace: (disk: VirtualDisk) => [disk.metadata.namespace],
  storagePool: (disk: VirtualDisk) => [disk.spec.storagePoolRef.name],
  /** UIDs of pools where data of it is, or may be. */
  poolUid: (disk: VirtualDisk) => {
    const move = moveOf(disk);
    const home = disk.status?.volume?.pool ?? recordedPlaceOf(disk)?.pool;
    return unique([home, move?.from.pool, move?.to.pool]);
  },
  host: (disk: VirtualDisk) => unique([disk.status?.host]),
  /** Keys of images. */
  image: (disk: VirtualDisk) =>
    disk.spec.source.type === 'Image' ? [besides(disk, disk.spec.source.imageRef.name)] : [],
  /** UIDs of images that linked clones stand on, whether or not the image object still exists. */
  imageUid: (disk: VirtualDisk) => unique([disk.status?.image?.uid]),
  /** UID of the machine that holds the claim, whether or not its spec still names the disk. */
  holder: (disk: VirtualDisk) => unique([disk.status?.claim?.vmUid]),
  /** UID of the pool, and host, of disks that are claimed: `<uid>@<host>`. */
  usedOn: (disk: VirtualDisk) => {
    const { claim, volume } = disk.status ?? {};
    return claim?.host === undefined || volume === undefined ? [] : [`${volume.pool}@${claim.host}`];
  },
  /** Keys of disks that this one is copied from. */
  source: (disk: VirtualDisk) =>
    disk.spec.source.type === 'Disk' ? [besides(disk, disk.spec.source.diskRef.name)] : [],
};

export const imageIndexes = {
  uid: (image: VirtualMachineImage) => [image.metadata.uid],
  namespace: (image: VirtualMachineImage) => [image.metadata.namespace],
  storagePool: (image: VirtualMachineImage) => [image.spec.storagePoolRef.name],
};

export const hostIndexes = {
  hostPool: (host: Host) => [host.spec.hostPoolRef.name],
  hostUuid: (host: Host) => unique([host.status?.hostUuid]),
};

export const storagePoolIndexes = {
  uid: (pool: StoragePool) => [pool.metadata.uid],
  hostPool: (pool: StoragePool) => pool.spec.hostPoolRefs.map((ref) => ref.name),
};

export const networkIndexes = {
  hostPool: (network: VirtualNetwork) => network.spec.backends.map((backend) => backend.hostPoolRef.name),
};
