/** Logins of one host: by SSH as libvirt is reached, and not at all where that is another way. */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import type { HostEndpoint } from '../contract.ts';
import type { HostLogins } from '../host-logins.ts';
import { createOpenIscsi } from '../open-iscsi/logins.ts';
import { openShell, type Shell } from '../open-iscsi/shell.ts';
import { isReachedBySsh, sshOptionsOf } from './dial.ts';
import { listDomains, readRunning } from './domains.ts';
import type { HostLink } from './host-link.ts';
import { isActive, powerOf } from './power.ts';
import { toHostFault } from './to-fault.ts';

export interface ManagedLogins {
  readonly logins: HostLogins;
  close(): void;
}

/**
 * The hosts' word, asked once more where it would be worst to be wrong: nothing else tells that an emulator has a
 * single path open.
 */
const checkUnused = async (
  host: string,
  link: HostLink<unknown>,
  wwn: string,
  signal: AbortSignal,
): Promise<void> => {
  try {
    const { remote } = await link.up(signal);
    const active = (await listDomains(remote, signal)).filter(({ state, reason }) =>
      isActive(powerOf(state, reason, undefined)),
    );
    for (const { uuid } of active) {
      const disks = (await readRunning(remote, uuid, signal))?.shape.disks ?? [];
      const isUsed = disks.some(
        ({ attachment }) => attachment.kind === 'block' && attachment.path.endsWith(wwn),
      );
      if (isUsed) {
        const message = `A machine on ${host} still has the disk open.`;
        throw new Fault('busy', message, { reason: 'DiskInUse', where: host });
      }
    }
  } catch (error) {
    throw toHostFault(error, host);
  }
};

/** Nothing is opened before it is needed, and nothing after `close`. */
export const createManagedLogins = (
  endpoint: HostEndpoint,
  clock: Clock,
  link: HostLink<unknown>,
): ManagedLogins => {
  const { host } = endpoint;
  let open: { readonly shell: Shell; readonly logins: HostLogins } | undefined;
  let closed = false;
  const made = (): HostLogins => {
    if (closed)
      throw new Fault('unreachable', `The host ${host} is not in the pool any more.`, { where: host });
    if (open !== undefined) return open.logins;
    const options = isReachedBySsh(endpoint) ? sshOptionsOf(endpoint) : undefined;
    if (options === undefined) {
      const message = `The host ${host} is not reached by SSH, which logging in to iSCSI targets needs.`;
      throw new Fault('unsupported', message, { reason: 'UnsupportedByHost', where: host });
    }
    const shell = openShell(host, options);
    open = { shell, logins: createOpenIscsi(shell, clock) };
    return open.logins;
  };
  return {
    logins: {
      see: async (signal) => made().see(signal),
      connect: async (wish, signal) => made().connect(wish, signal),
      disconnect: async (login, signal) => {
        const logins = made();
        await checkUnused(host, link, login.wwn, signal);
        await logins.disconnect(login, signal);
      },
    },
    close: () => {
      closed = true;
      open?.shell.close();
    },
  };
};
