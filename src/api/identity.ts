import { createHash, hash } from 'node:crypto';

/** Our finalizer: the object stays until what it stands for is gone or let go of. */
export const FINALIZER = 'ovcp.dev/protect';
/** Annotation that keeps the operator from acting; its value says who and why. */
export const PAUSED_ANNOTATION = 'ovcp.dev/paused';
/** Label of a VirtualDisk that was made from a template: name of its machine. */
export const MACHINE_LABEL = 'ovcp.dev/machine';
/** Annotation of the same disk: uid of its machine. */
export const MACHINE_UID_ANNOTATION = 'ovcp.dev/machine-uid';

/** Annotation of a VirtualDisk: its uid, and where it is made, in case that its status is lost (disk-move.ts). */
export const POOL_ANNOTATION = 'ovcp.dev/storage-pool';
/** Annotation of a VirtualDisk on its way to another StoragePool: from where to where, and how far (disk-move.ts). */
export const MOVE_ANNOTATION = 'ovcp.dev/move';

/** Namespace of our UUIDs: the UUIDv5 of the DNS name ovcp.dev, so that no other derivation meets ours. */
const OVCP_NAMESPACE = 'f0b8bf12-d697-5feb-924d-c96d52e602e2';

const sha256 = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** RFC 9562 section 5.5: SHA-1 over namespace and name, version and variant set. */
export const uuidV5 = (namespace: string, name: string): string => {
  const bytes = hash(
    'sha1',
    Buffer.concat([Buffer.from(namespace.replaceAll('-', ''), 'hex'), Buffer.from(name)]),
    'buffer',
  );
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex', 0, 16);
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join('-');
};

/** UUID of a machine on its host. */
export const vmUuid = (clusterId: string, uid: string): string =>
  uuidV5(OVCP_NAMESPACE, `machine/${clusterId}/${uid}`);

/** Name of a machine on its host, so that an administrator recognises it: `namespace.name.uid8`, ≤ 250 bytes. */
export const domainName = (namespace: string, name: string, uid: string): string => {
  const tail = `.${uid.slice(0, 8)}`;
  return `${`${namespace}.${name}`.slice(0, 250 - tail.length)}${tail}`;
};

/**
 * MAC address of a card: unicast, locally administered, 52:54 as QEMU's own and then 32 bits of hash. QEMU's
 * third byte of 00 would leave 24 bits, and ten thousand cards would already hold several pairs.
 */
export const macAddress = (vmUid: string, nicName: string): string => {
  const hash = sha256('mac', vmUid, nicName);
  return ['52', '54', ...[0, 2, 4, 6].map((at) => hash.slice(at, at + 2))].join(':');
};

/** Name of a disk's volume in its storage pool. */
export const diskVolumeName = (uid: string, format: 'qcow2' | 'raw'): string => `ovcp-disk-${uid}.${format}`;

/**
 * Digest in the marker of a volume that was copied into that pool by a move. It tells such a copy from the very volume
 * it shall be a copy of, which is what the folder shows when two StoragePools are one storage.
 */
export const arrivalMark = (poolUid: string, diskUid: string): string =>
  `sha256:${sha256('arrival', poolUid, diskUid)}`;

/** Name of an image's volume, before its extension. */
export const imageVolumeName = (uid: string): string => `ovcp-image-${uid}`;

/** Name of a machine's cloud-init seed; another content is another name. */
export const seedVolumeName = (vmUid: string, digest: string): string =>
  `ovcp-seed-${vmUid}-${sha256('seed', digest).slice(0, 12)}.iso`;

/** Serial number the guest sees of a disk: 20 characters, the limit of virtio-blk. */
export const diskSerial = (uid: string): string => uid.replaceAll('-', '').slice(0, 20);

/** RFC 7143 4.2.7: a date at which the domain was ours, and the domain backwards. */
const ISCSI_AUTHORITY = 'iqn.2025-01.dev.ovcp';

/** Name a host logs in to iSCSI targets with. */
export const hostInitiatorIqn = (hostUid: string): string => `${ISCSI_AUTHORITY}:host.${hostUid}`;

/** Name of the target that serves one disk. */
export const diskTargetIqn = (diskUid: string): string => `${ISCSI_AUTHORITY}:disk.${diskUid}`;

/** Never 0: some targets answer reads of a LUN 0 that was taken away with zeros. */
export const DISK_LUN = 1;

/** NAA 6 (registered extended) with the company id that Linux's target uses for every disk it makes up a name for. */
const NAA_PREFIX = '6001405';

/** SCSI unit serial of a disk of a storage server: 32 hexadecimal digits. */
export const unitSerial = (diskUid: string): string => diskUid.replaceAll('-', '');

/** Its world wide name, 32 hexadecimal digits: what udev and multipath call the disk, with a `3` before it. */
export const unitWwn = (diskUid: string): string => `${NAA_PREFIX}${unitSerial(diskUid).slice(0, 25)}`;

/** Name of what holds a disk on a storage server: a logical volume, or a file. */
export const servedVolumeName = (diskUid: string): string => `ovcp-disk-${diskUid}`;

/** UUID of the secret that hosts of an installation keep for a StoragePool; another one for each version. */
export const poolSecretUuid = (clusterId: string, poolUid: string, version: string): string =>
  uuidV5(OVCP_NAMESPACE, `secret/${clusterId}/${poolUid}/${version}`);

/** Usage of that secret, and what all versions of it begin with. */
export const poolSecretMark = (clusterId: string, poolUid: string): string => `ovcp/${clusterId}/${poolUid}/`;

/** Name of a network's bridge on a host: at most 15 characters, the limit of Linux. */
export const networkBridgeName = (uid: string): string => `ovcp${sha256('bridge', uid).slice(0, 10)}`;

/** UUID of a network that we make on a host: our mark on it. */
export const networkUuid = (clusterId: string, uid: string): string =>
  uuidV5(OVCP_NAMESPACE, `network/${clusterId}/${uid}`);

/** Name of that network on the host, so that an administrator recognises it. */
export const networkHostName = (name: string, uid: string): string =>
  `ovcp-${name.slice(0, 40)}-${uid.slice(0, 8)}`;

/** Name of the Host object. A pool's name has no dots, so the two never run together. */
export const hostObjectName = (pool: string, host: string): string => `${pool}.${host}`;

/** Name of the VirtualDisk that a machine's template makes. A machine's name has no dots. */
export const templateDiskName = (machine: string, disk: string): string => `${machine}.${disk}`;
