import { randomUUID } from 'node:crypto';
import { type DebianGuest, startDebianGuest } from './debian-guest.ts';
import { writeSshCommand } from './kvm-host-credentials.ts';
import type { LabNetwork } from './lab-network.ts';

export type GuestHostOptions = {
  /** Folder for its disks and keys; made when missing. Keep it short: a socket below it has 107 characters. */
  dir: string;
  /** Name in a HostPool, and hostname. Default `deb1`. */
  name?: string;
  /** A lab's network to join; without one it makes its own. */
  network?: LabNetwork;
  /** Its places on that network. Default 4 and 5, beside those of the storage guest. */
  seats?: readonly [number, ...number[]];
  /** Size of an empty disk, /dev/vdb, for a volume group of its own. Default 0: none. */
  dataBytes?: number;
  /** Leave it running when this process ends. */
  detached?: boolean;
};

/** A host with a kernel of its own: it mounts NFS, logs in to iSCSI targets, and has LVM and multipath. */
export type GuestHost = DebianGuest & {
  hostUuid: string;
  /** As a HostPool takes it. */
  uri: string;
  /** Content of the Secret that goes with it. */
  secret: Readonly<Record<string, string>>;
  /** A complete URI for virsh on this machine, with key and pinned host key; it costs a key exchange each time. */
  virshUri: string;
  initiatorName: string;
  /** A folder for disks, which is there: /var/lib/ovcp/disks. */
  diskDir: string;
  /** Standard output of virsh, run inside; throws with its error. */
  virsh(...args: string[]): Promise<string>;
  /** The same for commands that take a description: `virshFile(xml, 'define')`. */
  virshFile(xml: string, ...args: string[]): Promise<string>;
};

const diskDir = '/var/lib/ovcp/disks';
/** Everything that a host with any storage runs. */
const services = ['libvirtd.service', 'iscsid.service', 'multipathd.service'];

/**
 * Starts an emulated Debian that is a libvirt host, for what this machine's kernel cannot do. A machine on it is
 * emulation inside emulation: the proof guest (proof-guest.ts) is up within seconds there, an operating system is not.
 * Needs root and the packages of `storageGuestPackages`.
 */
export const startGuestHost = async (options: GuestHostOptions): Promise<GuestHost> => {
  const { dir, name = 'deb1', network, seats = [4, 5], dataBytes = 0, detached = false } = options;
  const hostUuid = randomUUID();
  const initiatorName = `iqn.2003-01.org.example:${name}`;
  const guest = await startDebianGuest(
    {
      dir,
      name,
      network,
      seats,
      memoryMiB: 1024,
      dataBytes,
      uuid: hostUuid,
      initiatorName,
      services,
      detached,
    },
    async (exec) => void (await exec(['mkdir', '-p', diskDir])),
  );
  const uri = `qemu+ssh://root@${guest.address}/system`;
  const command = encodeURIComponent(writeSshCommand(dir, guest));
  const virsh = ['virsh', '-q', '-c', 'qemu:///system'];
  return {
    ...guest,
    hostUuid,
    uri,
    secret: { 'ssh-privatekey': guest.sshPrivateKey, known_hosts: guest.sshKnownHosts },
    virshUri: `${uri}?command=${command}&keyfile=${encodeURIComponent(guest.sshPrivateKeyPath)}`,
    initiatorName,
    diskDir,
    virsh: async (...args) => (await guest.exec([...virsh, ...args])).stdout,
    virshFile: async (xml, ...args) =>
      (await guest.exec([...virsh, ...args, '--file', '/dev/stdin'], { stdin: xml })).stdout,
  };
};
