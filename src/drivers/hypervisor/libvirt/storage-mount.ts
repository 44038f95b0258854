/**
 * Mounts of a host as libvirt `netfs` pools. libvirt believes that what it mounted stays mounted; the marker file in
 * it is what proves it, since the folder below must never be taken for the volume.
 */
import { Fault } from '../../../runtime/fault.ts';
import { safeText } from '../../../runtime/text.ts';
import { errorCodes, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { StoragePool } from '../../../wire/libvirt/protocol.gen.ts';
import type { MountSource, StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';
import type { NetworkSource, PoolParsed } from './storage-xml.ts';
import { saidNo } from './to-fault.ts';

const ENOTCONN = 107;

/** mount.glusterfs(8): asks another server for the layout of the volume when the first is down. */
const backupServers = (servers: readonly string[]): readonly string[] =>
  servers.length === 0 ? [] : [`backup-volfile-servers=${servers.join(':')}`];

/**
 * nfs(5): without it mount(8) tries for two minutes what cannot be had, and nobody learns why. Mounts are hard, as
 * they are by default: a machine waits for a server that restarts, and is never told that a write failed.
 */
const NFS_OPTIONS = ['retry=0'] as const;

/** Throws Fault `unsupported` for what no real host can mount. */
export const networkSourceOf = (mount: MountSource): NetworkSource => {
  switch (mount.kind) {
    case 'gluster': {
      const [host = '', ...others] = mount.servers;
      return { host, dir: `/${mount.volume}`, format: 'glusterfs', options: backupServers(others) };
    }
    case 'nfs':
      return { host: mount.server, dir: mount.export, format: 'nfs', options: NFS_OPTIONS };
    case 'simulated':
      throw new Fault('unsupported', 'Only simulated hosts can mount simulated storage.', {
        reason: 'Unsupported',
      });
    default:
      return mount satisfies never;
  }
};

/** Whether the pool is defined as it would be now; what is mounted goes on all the same. */
export const isOutdated = ({ source }: PoolParsed, mount: MountSource): boolean => {
  const wanted = networkSourceOf(mount);
  return (
    source === undefined ||
    source.host !== wanted.host ||
    source.options.toSorted().join() !== wanted.options.toSorted().join()
  );
};

/** Whether it is another volume than it was made for: that cannot be put right by mounting again. */
export const isOtherVolume = ({ source }: PoolParsed, mount: MountSource): boolean =>
  source?.dir !== networkSourceOf(mount).dir;

const nameOf = (mount: MountSource): string => {
  const { host, dir } = networkSourceOf(mount);
  return `${dir} of ${host}`;
};

/** libvirt tells the whole command line of mount(8) before what it said. */
const textOf = (error: unknown): string =>
  error instanceof Error ? safeText(error.message.replace(/^.* unexpected exit status \d+: /s, ''), 300) : '';

/** Errors of the connection pass through: they say nothing about the mount. */
const mountFault = (place: StoragePlace, mount: MountSource, error: unknown): unknown =>
  error instanceof LibvirtError
    ? new Fault(
        'unreachable',
        `The host cannot mount ${nameOf(mount)} for the pool ${place.poolName}: ${textOf(error)}`,
        { reason: 'MountFailed', cause: error },
      )
    : error;

/** mount.nfs and mount.glusterfs; libvirt runs them in the C locale. */
const NO_FOLDER = /mount point(?: \S+)? does not exist/i;

/**
 * Mounts and reads what is there. The folder is made when it is missing, and only then: libvirt sets the mode of a
 * folder that it finds, and a mount that libvirt gave up may still be there, with the folder of others on top.
 */
export const mountPool = async (
  remote: Remote,
  place: StoragePlace,
  mount: MountSource,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  const create = (): Promise<unknown> => remote.call('STORAGE_POOL_CREATE', { pool, flags: 0 }, signal);
  try {
    await create().catch(async (error: unknown) => {
      if (!(error instanceof LibvirtError)) throw error;
      if (NO_FOLDER.test(error.message)) {
        await remote.call('STORAGE_POOL_BUILD', { pool, flags: 0 }, signal);
      } else if (error.numbers[0] !== ENOTCONN) {
        // libvirt takes a dead mount for a mounted one, cannot read it, and unmounts it as it gives up.
        throw error;
      }
      return create();
    });
  } catch (error) {
    throw mountFault(place, mount, error);
  }
};

/** Throws Fault `unreachable` (`MountLost`) while a machine has files open on it. */
export const unmountPool = async (
  remote: Remote,
  place: StoragePlace,
  pool: StoragePool,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await remote.call('STORAGE_POOL_DESTROY', { pool }, signal);
  } catch (error) {
    if (!(error instanceof LibvirtError) || saidNo(error, errorCodes.operationInvalid)) throw error;
    const message = `The mount of the pool ${place.poolName} is in use and cannot be taken down: ${textOf(error)}`;
    throw new Fault('unreachable', message, { reason: 'MountLost', cause: error });
  }
};

/** Takes the empty folder away; whatever is in it stays, and so does the folder. */
export const removeFolder = async (remote: Remote, pool: StoragePool, signal: AbortSignal): Promise<void> => {
  try {
    await remote.call('STORAGE_POOL_DELETE', { pool, flags: 0 }, signal);
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
  }
};
