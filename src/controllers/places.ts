/** Where things of ours are on a host: places of storage pools and volumes in them, networks. Pure. */
import {
  diskVolumeName,
  imageVolumeName,
  networkBridgeName,
  networkHostName,
  networkUuid,
} from '../api/identity.ts';
import { type StoragePool, topologyOf } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { VirtualMachineImage } from '../api/virtual-machine-image.ts';
import type { VirtualNetwork } from '../api/virtual-network.ts';
import type { NetworkIdentity } from '../drivers/hypervisor/host-networks.ts';
import type { MountSource, StoragePlace } from '../drivers/hypervisor/host-storage.ts';
import type { Attachment } from '../drivers/hypervisor/shape.ts';

/** What hosts mount to reach the pool; undefined where they have its folder already. */
const mountOf = ({ spec, metadata }: StoragePool): MountSource | undefined => {
  switch (spec.driver) {
    case 'dir':
    case 'lvm':
    case 'iscsi':
      return undefined;
    case 'simulated':
      return spec.simulated?.server?.serves === 'Files'
        ? { kind: 'simulated', share: metadata.name }
        : undefined;
    case 'gluster': {
      // In the order of their names, so that a list in another order is the same mount.
      const servers = spec.gluster.servers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return { kind: 'gluster', servers: servers.map(({ address }) => address), volume: spec.gluster.volume };
    }
    case 'nfs':
      return { kind: 'nfs', server: spec.nfs.server, export: spec.nfs.export };
    default:
      return spec satisfies never;
  }
};

/** Where things that we mount ourselves are: no path that a user chose, and never that of another pool. */
const pathOf = ({ spec, metadata }: StoragePool): string => {
  switch (spec.driver) {
    case 'dir':
      return spec.dir.path;
    case 'lvm':
      return `/dev/${spec.lvm.volumeGroup}`;
    case 'simulated':
      return `/simulated/${metadata.uid}`;
    case 'gluster':
    case 'nfs':
    // Of single disks nothing is there.
    case 'iscsi':
      return `/var/lib/ovcp/mounts/${metadata.uid}`;
    default:
      return spec satisfies never;
  }
};

/** The folder, or volume group, of a pool on each of its hosts. */
export const placeOf = (clusterId: string, pool: StoragePool): StoragePlace => {
  const mount = mountOf(pool);
  return {
    clusterId,
    poolUid: pool.metadata.uid,
    poolName: pool.metadata.name,
    path: pathOf(pool),
    topology: topologyOf(pool.spec),
    ...(mount === undefined ? {} : { mount }),
    ...(pool.spec.driver === 'lvm' ? { volumeGroup: pool.spec.lvm.volumeGroup } : {}),
  };
};

/** File of an image: ISO images are kept as they are, all others as flat qcow2. */
export const imageFileName = (uid: string, format: 'raw' | 'qcow2' | 'iso'): string =>
  `${imageVolumeName(uid)}.${format === 'iso' ? 'iso' : 'qcow2'}`;

export const pathIn = (place: StoragePlace, volume: string): string => `${place.path}/${volume}`;

/** Whether the disk shares unchanged data with its image: only qcow2 can, and one that was moved does no longer. */
export const isLinked = (disk: VirtualDisk): boolean =>
  disk.status?.volume?.standalone !== true && wasLinked(disk);

/** Whether it was made so. */
export const wasLinked = (disk: VirtualDisk): boolean =>
  disk.spec.source.type === 'Image' &&
  (disk.spec.source.clone ?? 'Linked') === 'Linked' &&
  disk.spec.format === 'qcow2';

const UID = /^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/;
/**
 * The image that a linked disk stands on, as its status says; undefined when it says none, or one that cannot be it:
 * a status may have been written by somebody else, and must not lead to the image of another namespace. An image
 * object that is gone cannot be asked; its uid is known to those alone who could see it.
 */
export const linkedImageUid = (
  disk: VirtualDisk,
  imagesByUid: (uid: string) => readonly VirtualMachineImage[],
): string | undefined => {
  const uid = disk.status?.image?.uid;
  if (uid === undefined || !isLinked(disk) || !UID.test(uid)) return undefined;
  const foreign = imagesByUid(uid).some(({ metadata }) => metadata.namespace !== disk.metadata.namespace);
  return foreign ? undefined : uid;
};

/** Name of a disk's volume on its hosts; in a volume group it is raw, whatever the spec says of files. */
export const volumeOf = (place: Pick<StoragePlace, 'volumeGroup'>, disk: VirtualDisk): string =>
  diskVolumeName(disk.metadata.uid, formatIn(place, disk));

export const formatIn = (
  { volumeGroup }: Pick<StoragePlace, 'volumeGroup'>,
  disk: VirtualDisk,
): 'qcow2' | 'raw' => (volumeGroup === undefined ? disk.spec.format : 'raw');

/** The uid in the name of an image's file; undefined for any other file. */
export const imageUidOf = (path: string): string | undefined =>
  /(?:^|\/)ovcp-image-([0-9A-Za-z-]{1,64})\.qcow2$/.exec(path)?.[1];

/**
 * How a host reaches a disk: its name is derived, its format from our own record, never probed. `imageUid` is the image
 * that a linked disk stands on.
 */
export const attachmentOf = (
  place: StoragePlace,
  disk: VirtualDisk,
  imageUid: string | undefined,
): Attachment => {
  const path = pathIn(place, volumeOf(place, disk));
  if (place.volumeGroup !== undefined) return { kind: 'block', path, format: 'raw' };
  return {
    kind: 'file',
    path,
    format: disk.spec.format,
    backing:
      imageUid === undefined
        ? []
        : [{ path: pathIn(place, imageFileName(imageUid, 'qcow2')), format: 'qcow2' }],
  };
};

/** What we make of a VirtualNetwork on a host. */
export const networkIdentityOf = (clusterId: string, network: VirtualNetwork): NetworkIdentity => ({
  clusterId,
  uid: network.metadata.uid,
  uuid: networkUuid(clusterId, network.metadata.uid),
  networkName: networkHostName(network.metadata.name, network.metadata.uid),
  bridgeName: networkBridgeName(network.metadata.uid),
});
