/** Where things of ours are on a host: places of storage pools and volumes in them, networks. Pure. */
import {
  diskVolumeName,
  imageVolumeName,
  networkBridgeName,
  networkHostName,
  networkUuid,
} from '../api/identity.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { VirtualNetwork } from '../api/virtual-network.ts';
import type { NetworkIdentity } from '../drivers/hypervisor/host-networks.ts';
import type { StoragePlace } from '../drivers/hypervisor/host-storage.ts';
import type { Attachment } from '../drivers/hypervisor/shape.ts';

/** The folder of a pool on each of its hosts. */
export const placeOf = (clusterId: string, pool: StoragePool): StoragePlace => ({
  clusterId,
  poolUid: pool.metadata.uid,
  poolName: pool.metadata.name,
  path: pool.spec.driver === 'dir' ? pool.spec.dir.path : `/simulated/${pool.metadata.uid}`,
  topology: pool.spec.topology,
});

/** File of an image: ISO images are kept as they are, all others as flat qcow2. */
export const imageFileName = (uid: string, format: 'raw' | 'qcow2' | 'iso'): string =>
  `${imageVolumeName(uid)}.${format === 'iso' ? 'iso' : 'qcow2'}`;

export const pathIn = (place: StoragePlace, volume: string): string => `${place.path}/${volume}`;

/** Whether the disk shares unchanged data with its image: only qcow2 can. */
export const isLinked = (disk: VirtualDisk): boolean =>
  disk.spec.source.type === 'Image' &&
  (disk.spec.source.clone ?? 'Linked') === 'Linked' &&
  disk.spec.format === 'qcow2';

/** How a host reaches a disk whose status names its volume; the format is from our own record, never probed. */
export const attachmentOf = (place: StoragePlace, disk: VirtualDisk): Attachment => {
  const imageUid = disk.status?.image?.uid;
  const volume = disk.status?.volume?.name ?? diskVolumeName(disk.metadata.uid, disk.spec.format);
  return {
    kind: 'file',
    path: pathIn(place, volume),
    format: disk.spec.format,
    backing:
      isLinked(disk) && imageUid !== undefined
        ? [{ path: pathIn(place, imageFileName(imageUid, 'qcow2')), format: 'qcow2' }]
        : [],
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
