/**
 * What a machine looks like, in one vocabulary for wish and sight: controllers describe the machine they want,
 * drivers describe what a host has, and `compare` (compare.ts) tells the difference. Plain data only.
 */

export interface FileAttachment {
  readonly kind: 'file';
  /** Absolute path on the host, made by a driver, never by a user. */
  readonly path: string;
  /** From our own record; images are never probed (reliability.md S7). */
  readonly format: 'qcow2' | 'raw';
  /** The chain below, nearest first; the driver terminates it explicitly. */
  readonly backing: readonly { readonly path: string; readonly format: 'qcow2' | 'raw' }[];
}

/** A disk of a storage server, opened by the emulator itself: the host's kernel never sees it. */
export interface NetworkAttachment {
  readonly kind: 'network';
  readonly protocol: 'iscsi';
  readonly portal: { readonly address: string; readonly port: number };
  readonly targetIqn: string;
  readonly lun: number;
  /** By this name the server knows the host, and lets it in or not. */
  readonly initiator: string;
  /** Names a secret that the host keeps (host-secrets.ts); never its value. */
  readonly auth?: { readonly user: string; readonly secretUuid: string } | undefined;
  readonly format: 'raw';
}

/** A block device of the host: a logical volume, or a disk of a storage server that it has logged in to (host-logins.ts). */
export interface BlockAttachment {
  readonly kind: 'block';
  /** Absolute path on the host, made by a driver, never by a user: a link that names the disk itself, never a place in an order. */
  readonly path: string;
  readonly format: 'raw';
}

/** How a host reaches a disk. A new way (vdi) is a new member. */
export type Attachment = FileAttachment | BlockAttachment | NetworkAttachment;
export type AttachmentKind = Attachment['kind'];

/** The files that a host opens for it: none for a block device or a disk of a storage server. */
export const filesOf = (
  attachment: Attachment,
): readonly { readonly path: string; readonly format: 'qcow2' | 'raw' }[] => {
  switch (attachment.kind) {
    case 'file':
      return [attachment, ...attachment.backing];
    case 'block':
    case 'network':
      return [];
    default:
      return attachment satisfies never;
  }
};

export type DiskBus = 'Virtio' | 'SCSI' | 'SATA';
export type NicModel = 'Virtio' | 'E1000e';
export type LinkState = 'Up' | 'Down';

export interface CpuShape {
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  /** `HostModel`, `HostPassthrough` or a model name that the hypervisor knows; undefined: the driver's default. */
  readonly model?: string | undefined;
}

export interface DiskShape {
  /** The machine's own name for it: unique per machine, stable. */
  readonly name: string;
  /** `diskSerial(uid)`: what the guest sees, and how `see` recognises the disk. */
  readonly serial: string;
  readonly bus: DiskBus;
  readonly attachment: Attachment;
  readonly sizeBytes: number;
  /** Of a wish alone: its server cannot show a running machine another size. */
  readonly growsOffline?: boolean | undefined;
  readonly bootOrder?: number | undefined;
}

export interface CdromShape {
  /** User's name, or `seed` with the prefix `ovcp-` for the cloud-init seed. */
  readonly name: string;
  /** Undefined: the drive is empty. */
  readonly path?: string | undefined;
  readonly bootOrder?: number | undefined;
}

/** What a NIC plugs into on a host. A new kind of network is a new member. */
export type NicBackend =
  | { readonly kind: 'bridge'; readonly bridge: string; readonly vlan?: number | undefined }
  | { readonly kind: 'network' /** The libvirt network's name on the host. */; readonly network: string };

export interface NicShape {
  readonly name: string;
  readonly mac: string;
  readonly model: NicModel;
  readonly link: LinkState;
  readonly backend: NicBackend;
  /** Anti-spoofing filter: what the guest may claim to be. `ips` empty with `ip` on means: learn by DHCP. */
  readonly guard: { readonly mac: boolean; readonly ip: boolean; readonly ips: readonly string[] };
  readonly bootOrder?: number | undefined;
}

/** Fixed at first create and kept in the machine's status: upgrades of defaults must not change a guest's hardware. */
export interface HardwareShape {
  readonly machineType?: string | undefined;
  readonly cpuModel?: string | undefined;
}

export interface VmShape {
  readonly cpu: CpuShape;
  readonly memoryMiB: number;
  readonly disks: readonly DiskShape[];
  readonly cdroms: readonly CdromShape[];
  readonly nics: readonly NicShape[];
  readonly hardware: HardwareShape;
  /** Start with the host: machines on host-local disks only, while they are wanted on. */
  readonly autostart: boolean;
}
