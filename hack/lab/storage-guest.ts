import { randomUUID } from 'node:crypto';
import { type DebianGuest, startDebianGuest } from './debian-guest.ts';
import type { LabNetwork } from './lab-network.ts';

export type StorageGuestOptions = {
  /** Folder for its disks and keys; made when missing. Keep it short: a socket below it has 107 characters. */
  dir: string;
  /** A lab's network to join, where hosts and this machine reach it; without one it makes its own. */
  network?: LabNetwork;
  /** Its two places on that network. Default 6 and 7: KVM hosts count from 0, Gluster servers from 8. */
  seats?: readonly [number, number];
  /** Serve NFS from the start, also after a reboot. Default: once somebody starts `nfs-server`. */
  nfs?: boolean;
  /** Leave it running when this process ends. */
  detached?: boolean;
};

export type StorageGuest = DebianGuest & {
  /** Two addresses on one network card, so that an iSCSI target has two portals. */
  addresses: readonly [string, string];
  /** Account that is not root, with the sudoers file of docs/storage-servers.md; the same key opens it. */
  unprivilegedUser: string;
  volumeGroup: string;
  /** Thin pool of the volume group. */
  thinPool: string;
  /** Exported by NFS once `nfs-server` is started. */
  exportPath: string;
};

const GIB = 1024 ** 3;
const volumeGroup = 'vg0';
const thinPool = 'pool';

/** A volume group on the data disk: half of it a thin pool, the rest for thick volumes. */
const makeVolumes = async (exec: DebianGuest['exec']): Promise<void> => {
  await exec(['vgcreate', '-q', volumeGroup, '/dev/vdb']);
  const size = ['--size', '5G', '--poolmetadatasize', '32M'];
  await exec(['lvcreate', '-q', ...size, '--thinpool', thinPool, volumeGroup]);
};

/**
 * Starts the lab's storage server: an emulated Debian with LIO, LVM, NFS and the initiator's side, because this kernel
 * has none of them. Needs root and the packages of `storageGuestPackages`. One is enough for a lab.
 */
export const startStorageGuest = async (options: StorageGuestOptions): Promise<StorageGuest> => {
  const { dir, network, seats = [6, 7], nfs = false, detached = false } = options;
  const guest = await startDebianGuest(
    {
      ...{ dir, name: 'storage', network, seats, memoryMiB: 768, dataBytes: 10 * GIB, uuid: randomUUID() },
      initiatorName: 'iqn.2003-01.org.example:storage',
      services: nfs ? ['nfs-server.service'] : [],
      detached,
    },
    makeVolumes,
  );
  const [first, second] = seats;
  return {
    ...guest,
    addresses: [guest.network.addressOf(first), guest.network.addressOf(second)],
    unprivilegedUser: 'ovcp',
    volumeGroup,
    thinPool,
    exportPath: '/srv/nfs',
  };
};
