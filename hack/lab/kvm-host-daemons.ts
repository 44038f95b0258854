import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type HostNamespace, relink } from './host-namespace.ts';
import { type HostFiles, prepareRun } from './kvm-host-files.ts';
import { type Daemon, waitUntil } from './process.ts';

/** Daemons that have a socket of their own when libvirt is split (libvirt's daemons.rst). */
export const splitDaemons = [
  'virtqemud',
  'virtnetworkd',
  'virtstoraged',
  'virtnodedevd',
  'virtnwfilterd',
  'virtsecretd',
] as const;

export type DaemonLayout = 'single' | 'split';

/** Where the split layout's one real daemon listens when the packages bring no virtqemud. */
export const splitSocketDir = '/run/libvirt/split';

export const hasSplitDaemons = (): boolean => existsSync('/usr/sbin/virtqemud');

export type HostDaemons = {
  virtlogd: Daemon;
  sshd: Daemon;
  /** libvirtd, or the split daemons, virtqemud first. */
  libvirt: Daemon[];
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

const waitForSocket = (daemon: Daemon, path: string, signal?: AbortSignal): Promise<void> =>
  waitUntil(
    `${daemon.name}'s socket`,
    () => answers(path),
    { limitMs: 120_000, stepMs: 20, alive: [daemon] },
    signal,
  );

const log = (files: HostFiles, name: string): string => join(files.dir, `${name}.log`);
const socketOutside = (files: HostFiles, name: string): string => join(files.dir, 'run/libvirt', name);

const startSingle = async (ns: HostNamespace, files: HostFiles, signal?: AbortSignal): Promise<Daemon[]> => {
  // --listen is what makes it open the TLS port itself: there is no socket activation here.
  const listen = files.tls === undefined ? [] : ['--listen'];
  const daemon = await ns.start('libvirtd', ['/usr/sbin/libvirtd', ...listen], log(files, 'libvirtd'));
  await waitForSocket(daemon, join(files.dir, files.socketDir, 'libvirt-sock'), signal);
  return [daemon];
};

const startSplit = async (ns: HostNamespace, files: HostFiles, signal?: AbortSignal): Promise<Daemon[]> => {
  const started: Daemon[] = [];
  // virtqemud opens the others' sockets when a call needs them, so it comes last and is named first.
  for (const name of splitDaemons.toReversed()) {
    const config = ['--config', '/etc/libvirt/libvirtd.conf'];
    const daemon = await ns.start(name, [`/usr/sbin/${name}`, ...config], log(files, name));
    await waitForSocket(daemon, socketOutside(files, `${name}-sock`), signal);
    started.unshift(daemon);
  }
  return started;
};

/**
 * Debian 12 has no package with the split daemons. A client tells the layouts apart by the sockets alone (virtqemud
 * passes calls for networks and storage on to its siblings), so there one libvirtd answers on their sockets.
 */
const startAsSplit = async (ns: HostNamespace, files: HostFiles, signal?: AbortSignal): Promise<Daemon[]> => {
  mkdirSync(join(files.dir, files.socketDir), { recursive: true });
  const daemons = await startSingle(ns, files, signal);
  for (const name of splitDaemons) {
    relink('split/libvirt-sock', socketOutside(files, `${name}-sock`));
    relink('split/libvirt-sock-ro', socketOutside(files, `${name}-sock-ro`));
  }
  return daemons;
};

export const startLibvirt = (
  ns: HostNamespace,
  files: HostFiles,
  layout: DaemonLayout,
  signal?: AbortSignal,
): Promise<Daemon[]> => {
  if (layout === 'single') return startSingle(ns, files, signal);
  return hasSplitDaemons() ? startSplit(ns, files, signal) : startAsSplit(ns, files, signal);
};

/** Starts a machine's daemons on an empty /run, as after power-on. */
export const startDaemons = async (
  ns: HostNamespace,
  files: HostFiles,
  layout: DaemonLayout,
  signal?: AbortSignal,
): Promise<HostDaemons> => {
  prepareRun(files);
  const virtlogd = await ns.start('virtlogd', ['/usr/sbin/virtlogd'], log(files, 'virtlogd'));
  const sshdArgv = ['/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/sshd_config'];
  const sshd = await ns.start('sshd', sshdArgv, log(files, 'sshd'));
  await waitForSocket(virtlogd, socketOutside(files, 'virtlogd-sock'), signal);
  return { virtlogd, sshd, libvirt: await startLibvirt(ns, files, layout, signal) };
};

/** Empties /run from outside; only when nothing of the host runs. */
export const wipeRun = (dir: string): void => {
  rmSync(join(dir, 'run'), { recursive: true, force: true });
  mkdirSync(join(dir, 'run'), { recursive: true });
};
