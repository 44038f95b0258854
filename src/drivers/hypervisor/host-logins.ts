/**
 * Disks of storage servers that the host's own initiator logs in to, so that machines open them as block devices.
 * A login is made right before the disk is used and taken away before the server lets the host out
 * (docs/adr/0014-hosts-log-in-over-ssh.md). Laws L-01 … in docs/driver-contract.md.
 */

/** An address of a target. */
export interface Portal {
  readonly address: string;
  readonly port: number;
}

/** What a host logs in with. In memory alone: in no argument of a program, message or log. */
export interface LoginSecret {
  readonly user: string;
  readonly password: string;
  /** What the target has to prove itself with, or the host does not log in. */
  readonly mutual?: { readonly user: string; readonly password: string } | undefined;
  /** Changes with the Secret, and tells nothing of it. */
  readonly version: string;
}

export interface LoginWish {
  readonly targetIqn: string;
  readonly lun: number;
  readonly portals: readonly Portal[];
  /** By this name the server knows the host. */
  readonly initiator: string;
  /** What the device must call itself, or it is not used: 32 hexadecimal digits each. */
  readonly wwn: string;
  readonly serial: string;
  /** The device has to measure that much; it is looked at anew where it does not. */
  readonly sizeBytes: number;
  readonly secret?: LoginSecret | undefined;
  /** A machine has it open: nothing is done that would interrupt it. */
  readonly inUse: boolean;
}

/** A session with one portal. `Down`: it is being tried again, and carries nothing meanwhile. */
export interface PathSeen {
  readonly portal: Portal;
  readonly state: 'Up' | 'Down';
  /** Version of the secret it logged in with; undefined where it needed none, or nobody can tell. */
  readonly version?: string | undefined;
}

/** Without a path: the host has a record of it alone, as after its restart. */
export interface LoginSeen {
  readonly targetIqn: string;
  readonly paths: readonly PathSeen[];
}

export interface LoginsSeen {
  /** The host joins several paths to one device. */
  readonly multipath: boolean;
  /** Of targets of disks of ours alone, of whichever pool. */
  readonly logins: readonly LoginSeen[];
}

export interface HostLogins {
  /**
   * All of the host, in calls that do not depend on their number. Fault `unsupported` when the host cannot log in: it
   * is not reached by SSH, or the initiator is not installed.
   */
  see(signal: AbortSignal): Promise<LoginsSeen>;
  /**
   * Idempotent. Logs in at every portal where there is no session; one path is enough. Returns when the device is there
   * under `devicePathOf`, has proved what it is, and has its size. Faults: `unreachable` when no portal lets it in
   * (`LoginFailed`), `denied` when the device is another one (`DeviceMismatch`; the host is logged out again),
   * `unsupported` when several portals need multipathd and it does not run.
   */
  connect(wish: LoginWish, signal: AbortSignal): Promise<void>;
  /**
   * Idempotent. Fault `busy` while something has the device open as far as the host can tell; else nothing of it is
   * left when it returns: no device, session or record.
   */
  disconnect(login: Pick<LoginWish, 'targetIqn' | 'wwn'>, signal: AbortSignal): Promise<void>;
}

/**
 * Where the device is, by its own name: udev makes these links from what the device says of itself. With several
 * portals it is the map of all paths, never a single path.
 */
export const devicePathOf = ({ wwn, portals }: Pick<LoginWish, 'wwn' | 'portals'>): string =>
  portals.length > 1 ? `/dev/disk/by-id/dm-uuid-mpath-3${wwn}` : `/dev/disk/by-id/wwn-0x${wwn}`;

/** How a portal is written: `192.0.2.31:3260`, `[2001:db8::31]:3260`. */
export const portalText = ({ address, port }: Portal): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
