/**
 * An iSCSI target server of the lab: a machine made of namespaces with its own address, tgtd (user space) and sshd.
 * Joined to the bridge of a lab, KVM hosts reach it.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createHostNamespace, type HostNamespace } from './host-namespace.ts';
import {
  lunFolder,
  type TargetFiles,
  targetMounts,
  targetUser,
  wipeTargetRun,
  writeTargetFiles,
} from './iscsi-target-files.ts';
import { createHostKeys, createLabCredentials, type HostCredentials } from './kvm-host-credentials.ts';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import { type Daemon, type RunOptions, type RunResult, run, waitUntil } from './process.ts';

export { foreignTarget } from './iscsi-target-files.ts';

export type IscsiTarget = {
  name: string;
  address: string;
  /** Where tgtd listens: its port is 3260. */
  portal: { address: string; port: number };
  credentials: HostCredentials;
  /** Account that is not root, with the sudoers file of docs/storage-servers.md; the same key opens it. */
  sudoUser: string;
  /** A file system of its own for disks, as the server sees it. */
  lunFolder: string;
  network: LabNetwork;
  /** Pid of the server's process 1: killing it ends all of the server. */
  initPid: number;
  /** Runs a program on the server. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Standard output of tgtadm on the server; throws with its error. */
  tgtadm(...args: string[]): Promise<string>;
  /** Every target with its LUNs, sessions, accounts and rules, as tgtadm shows it. */
  show(): Promise<string>;
  /** Pid of tgtd as seen from outside. */
  tgtdPid(): number;
  /** Stops tgtd in its tracks (SIGSTOP): connections are taken and nobody answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL: the sessions break. */
  killTgtd(): Promise<void>;
  /** As the service starts it: offline until the configuration is read. */
  startTgtd(): Promise<void>;
  restartTgtd(): Promise<void>;
  /** Takes the network cable out and puts it back. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
};

export type IscsiTargetOptions = {
  /** Folder for all state; made when missing. */
  dir: string;
  name?: string;
  /** A lab's network to join; without one it makes its own. */
  network?: LabNetwork;
  /** Place on that network. Default 11, the last: KVM hosts count from 0. */
  index?: number;
  /** Room for disks in MiB, in memory. Default 512. */
  roomMiB?: number;
  /** Leave everything running when this process ends. */
  detached?: boolean;
};

type Machine = { ns: HostNamespace; sshd: Daemon; tgtd: Daemon };

const log = (files: TargetFiles, name: string): string => join(files.dir, `${name}.log`);

const tgtadm = (ns: HostNamespace, args: readonly string[], options?: RunOptions): Promise<RunResult> =>
  ns.exec(['tgtadm', '--lld', 'iscsi', ...args], options);

const state = (ns: HostNamespace, value: string): Promise<RunResult> =>
  tgtadm(ns, ['--op', 'update', '--mode', 'sys', '--name', 'State', '-v', value]);

/** The lines of tgt.service. */
const startTgtd = async (ns: HostNamespace, files: TargetFiles, signal?: AbortSignal): Promise<Daemon> => {
  const daemon = await ns.start('tgtd', ['/usr/sbin/tgtd', '-f'], log(files, 'tgtd'));
  const answers = async (): Promise<boolean> =>
    (await tgtadm(ns, ['--op', 'show', '--mode', 'sys'], { allowFailure: true })).code === 0;
  await waitUntil('tgtd', answers, { limitMs: 20_000, stepMs: 20, alive: [daemon] }, signal);
  await state(ns, 'offline');
  await ns.exec(['tgt-admin', '-e', '-c', '/etc/tgt/targets.conf']);
  await state(ns, 'ready');
  return daemon;
};

const powerOn = async (
  options: IscsiTargetOptions,
  files: TargetFiles,
  place: { network: LabNetwork; index: number },
  signal?: AbortSignal,
): Promise<Machine> => {
  wipeTargetRun(files);
  const ns = await createHostNamespace(
    {
      ...place,
      name: files.name,
      dir: files.dir,
      mounts: targetMounts,
      kvm: false,
      detached: options.detached ?? false,
    },
    signal,
  );
  try {
    const room = `size=${options.roomMiB ?? 512}m,mode=755`;
    await ns.exec(['mount', '-t', 'tmpfs', '-o', room, 'tmpfs', lunFolder]);
    const sshdArgv = ['/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/sshd_config'];
    const sshd = await ns.start('sshd', sshdArgv, log(files, 'sshd'));
    const tgtd = await startTgtd(ns, files, signal);
    const answers = async (): Promise<boolean> =>
      (await ns.exec(['nc', '-z', files.address, '22'], { allowFailure: true })).code === 0;
    await waitUntil(`sshd of ${files.name}`, answers, { limitMs: 20_000, stepMs: 20, alive: [sshd] }, signal);
    return { ns, sshd, tgtd };
  } catch (error) {
    await ns.kill();
    throw error;
  }
};

/** What can be done to the server while it runs. */
const createControls = (machine: Machine, files: TargetFiles, port: string) => {
  const { ns } = machine;
  const link = async (to: 'up' | 'down'): Promise<void> => {
    await run(['ip', 'link', 'set', port, to]);
  };
  const killTgtd = async (): Promise<void> => {
    machine.tgtd.kill('SIGKILL');
    machine.tgtd.kill('SIGCONT');
    await machine.tgtd.exited;
  };
  const start = async (): Promise<void> => {
    machine.tgtd = await startTgtd(ns, files);
  };
  const show = async (...args: string[]): Promise<string> => (await tgtadm(ns, args)).stdout;
  return {
    exec: (argv: readonly string[], options?: RunOptions) => ns.exec(argv, options),
    tgtadm: show,
    show: () => show('--op', 'show', '--mode', 'target'),
    tgtdPid: () => machine.tgtd.pid,
    pause: () => machine.tgtd.kill('SIGSTOP'),
    resume: () => machine.tgtd.kill('SIGCONT'),
    killTgtd,
    startTgtd: start,
    restartTgtd: async () => {
      // tgtd ignores SIGTERM while it has targets; its service takes them away first, which ends sessions just so.
      await killTgtd();
      await start();
    },
    cut: () => link('down'),
    heal: () => link('up'),
  };
};

/** Starts a target server. Needs root and `iscsiTargetPackages`. */
export const startIscsiTarget = async (
  options: IscsiTargetOptions,
  signal?: AbortSignal,
): Promise<IscsiTarget> => {
  if (process.getuid?.() !== 0)
    throw new Error('a target server of the lab needs root (network and mount namespaces)');
  const dir = join(options.dir, options.name ?? 'target');
  for (const folder of [dir, join(options.dir, 'pki'), '/var/lib/ovcp'])
    mkdirSync(folder, { recursive: true });
  if (!existsSync('/etc/tgt')) throw new Error('the Debian package tgt is missing');
  const credentials = await createLabCredentials(join(options.dir, 'pki'));
  const network = options.network ?? (await createLabNetwork());
  const index = options.index ?? 11;
  const name = options.name ?? 'target';
  const address = network.addressOf(index);
  const forget = async (): Promise<void> => {
    if (options.network === undefined) await network.remove();
  };
  try {
    const keys = await createHostKeys(credentials, dir, name, address);
    const ssh = { hostKey: keys.sshHostKeyPath, authorizedKeys: credentials.authorizedKeysPath };
    const files: TargetFiles = { dir, name, address, ssh };
    writeTargetFiles(files);
    const machine = await powerOn(options, files, { network, index }, signal);
    return {
      ...createControls(machine, files, network.portOf(index)),
      name,
      address,
      portal: { address, port: 3260 },
      credentials: keys.credentials,
      sudoUser: targetUser,
      lunFolder,
      network,
      initPid: machine.ns.initPid,
      stop: async () => {
        await machine.ns.kill();
        await forget();
      },
    };
  } catch (error) {
    await forget();
    throw error;
  }
};
