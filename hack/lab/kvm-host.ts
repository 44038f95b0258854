import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createHostNamespace, type HostNamespace } from './host-namespace.ts';
import {
  createHostKeys,
  createLabCredentials,
  type HostCredentials,
  type LabCredentials,
  writeSshCommand,
} from './kvm-host-credentials.ts';
import {
  type DaemonLayout,
  type HostDaemons,
  hasSplitDaemons,
  splitSocketDir,
  startDaemons,
  startLibvirt,
  wipeRun,
} from './kvm-host-daemons.ts';
import { type HostFiles, hostMounts, unprivilegedUser, writeHostFiles } from './kvm-host-files.ts';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import { type RunOptions, type RunResult, run, waitUntil } from './process.ts';

export type KvmHostOptions = {
  name: string;
  /** `split`: only the sockets of virtqemud and its siblings, no libvirt-sock, no TLS. Default `single`. */
  daemons?: DaemonLayout;
  /** Leave a /dev/kvm node in the host, which need not be usable. Default false: emulation only. */
  kvm?: boolean;
};

export type KvmHostsOptions = {
  /** Folder for all state of all hosts; made when missing. Keep it short: sockets below it have 107 characters. */
  dir: string;
  hosts: readonly KvmHostOptions[];
  /** Leave the hosts running when this process ends. */
  detached?: boolean;
};

export type KvmHost = {
  name: string;
  address: string;
  hostUuid: string;
  daemons: DaemonLayout;
  /** The machine's own address on the lab's bridge: servers for hosts and guests listen there. */
  gateway: string;
  /** Name of the lab's bridge on the machine. */
  bridge: string;
  /** libvirt's UNIX socket as seen from outside. */
  socketPath: string;
  /** Connection URIs as a HostPool takes them; `tls` is undefined with split daemons (virtproxyd would serve it). */
  uris: { unix: string; ssh: string; sshUser: string; tls: string | undefined };
  /** The same as complete URIs for virsh on the machine, with keys and pinned host key. */
  virshUris: { unix: string; ssh: string; tls: string | undefined };
  credentials: HostCredentials;
  /** Account in group libvirt that is not root; the same SSH key opens it. */
  unprivilegedUser: string;
  /** The host's folder for disks, as the host sees it: /var/lib/ovcp/disks. */
  diskDir: string;
  /** A folder that every host of the lab sees under this same path (an admin's shared mount). */
  sharedDir: string;
  /** Where a path below the host's private folders lies on the machine. */
  outside(path: string): string;
  /** Pid of the host's process 1 while it has power. */
  initPid(): number | undefined;
  /** Standard output of virsh over the UNIX socket; throws with its error. */
  virsh(...args: string[]): Promise<string>;
  /** The same for commands that take a description: `virshFile(xml, 'define')`, `virshFile(xml, 'attach-device', 'vm')`. */
  virshFile(xml: string, ...args: string[]): Promise<string>;
  /** Runs a program inside the host. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Stops libvirt's daemons in their tracks (SIGSTOP): the socket accepts and nobody answers. */
  pause(): void;
  resume(): void;
  /** Takes the network cable out and puts it back; guests go on. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** Ends and starts libvirt's daemons; guests go on. */
  restartLibvirtd(): Promise<void>;
  /** SIGKILL to libvirt's daemons; guests go on, `startLibvirtd` finds them again. */
  killLibvirtd(): Promise<void>;
  startLibvirtd(): Promise<void>;
  /** Everything on the host, guests too, dies at once; /run is lost, disks and definitions stay. */
  powerLoss(): Promise<void>;
  powerOn(): Promise<void>;
  stop(): Promise<void>;
};

type Machine = { ns: HostNamespace; daemons: HostDaemons };
type Lab = { options: KvmHostsOptions; network: LabNetwork; credentials: LabCredentials; sharedDir: string };

const answersTcp = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });

const powerOn = async (
  lab: Lab,
  files: HostFiles,
  index: number,
  host: KvmHostOptions,
  signal?: AbortSignal,
): Promise<Machine> => {
  const ns = await createHostNamespace(
    {
      name: files.name,
      dir: files.dir,
      index,
      network: lab.network,
      mounts: hostMounts,
      kvm: host.kvm ?? false,
      detached: lab.options.detached ?? false,
    },
    signal,
  );
  try {
    const daemons = await startDaemons(ns, files, host.daemons ?? 'single', signal);
    const ports = files.tls === undefined ? [22] : [22, 16_514];
    const reachable = async (): Promise<boolean> =>
      (await Promise.all(ports.map((port) => answersTcp(files.address, port)))).every(Boolean);
    const alive = [daemons.sshd, ...daemons.libvirt];
    await waitUntil(`${files.name}'s ports`, reachable, { limitMs: 20_000, stepMs: 20, alive }, signal);
    return { ns, daemons };
  } catch (error) {
    await ns.kill();
    throw error;
  }
};

const socketName = (layout: DaemonLayout): string =>
  layout === 'single' ? 'libvirt-sock' : 'virtqemud-sock';

const urisOf = (files: HostFiles, socketPath: string): KvmHost['uris'] => ({
  unix: `qemu+unix:///system?socket=${encodeURIComponent(socketPath)}`,
  ssh: `qemu+ssh://root@${files.address}/system`,
  sshUser: `qemu+ssh://${unprivilegedUser}@${files.address}/system`,
  tls: files.tls === undefined ? undefined : `qemu+tls://${files.address}/system`,
});

const virshUrisOf = (
  uris: KvmHost['uris'],
  dir: string,
  credentials: HostCredentials,
): KvmHost['virshUris'] => {
  const command = encodeURIComponent(writeSshCommand(dir, credentials));
  const keyfile = encodeURIComponent(credentials.sshPrivateKeyPath);
  const pki = encodeURIComponent(credentials.tls.folder);
  return {
    unix: uris.unix,
    ssh: `${uris.ssh}?command=${command}&keyfile=${keyfile}`,
    tls: uris.tls === undefined ? undefined : `${uris.tls}?pkipath=${pki}`,
  };
};

const createFiles = async (lab: Lab, host: KvmHostOptions, index: number) => {
  const dir = join(lab.options.dir, host.name);
  mkdirSync(dir, { recursive: true });
  const address = lab.network.addressOf(index);
  const keys = await createHostKeys(lab.credentials, dir, host.name, address);
  const split = host.daemons === 'split';
  const files: HostFiles = {
    dir,
    name: host.name,
    address,
    hostUuid: randomUUID(),
    tls: split ? undefined : keys.tls,
    ssh: { hostKey: keys.sshHostKeyPath, authorizedKeys: lab.credentials.authorizedKeysPath },
    socketDir: split && !hasSplitDaemons() ? splitSocketDir : '/run/libvirt',
  };
  writeHostFiles(files);
  return { files, credentials: keys.credentials };
};

/** What can be done to a host that has power or has lost it. */
const createControls = (lab: Lab, files: HostFiles, index: number, host: KvmHostOptions, first: Machine) => {
  let machine: Machine | undefined = first;
  const layout = host.daemons ?? 'single';
  const powered = (): Machine => {
    if (machine === undefined) throw new Error(`${host.name} has no power`);
    return machine;
  };
  const link = (state: 'up' | 'down'): Promise<RunResult> =>
    run(['ip', 'link', 'set', lab.network.portOf(index), state]);
  const each = (signal: NodeJS.Signals): void => {
    for (const daemon of powered().daemons.libvirt) daemon.kill(signal);
  };
  const startLibvirtd = async (): Promise<void> => {
    const { ns, daemons } = powered();
    daemons.libvirt = await startLibvirt(ns, files, layout);
  };
  const powerLoss = async (): Promise<void> => {
    const gone = machine;
    machine = undefined;
    await gone?.ns.kill();
    wipeRun(files.dir);
  };
  return {
    initPid: () => machine?.ns.initPid,
    exec: (argv: readonly string[], options?: RunOptions) => powered().ns.exec(argv, options),
    pause: () => each('SIGSTOP'),
    resume: () => each('SIGCONT'),
    cut: async () => void (await link('down')),
    heal: async () => void (await link('up')),
    killLibvirtd: async () => {
      each('SIGKILL');
      await Promise.all(powered().daemons.libvirt.map((daemon) => daemon.exited));
    },
    startLibvirtd,
    restartLibvirtd: async () => {
      await Promise.all(powered().daemons.libvirt.map((daemon) => daemon.stop()));
      await startLibvirtd();
    },
    powerLoss,
    powerOn: async () => {
      machine ??= await powerOn(lab, files, index, host);
    },
    stop: powerLoss,
  };
};

const startHost = async (
  lab: Lab,
  host: KvmHostOptions,
  index: number,
  signal?: AbortSignal,
): Promise<KvmHost> => {
  const { files, credentials } = await createFiles(lab, host, index);
  const layout = host.daemons ?? 'single';
  const socketPath = join(files.dir, 'run/libvirt', socketName(layout));
  if (Buffer.byteLength(socketPath) > 107)
    throw new Error(`${socketPath} is too long for a UNIX socket (107 bytes)`);
  const controls = createControls(lab, files, index, host, await powerOn(lab, files, index, host, signal));
  const uris = urisOf(files, socketPath);
  const virsh: KvmHost['virsh'] = async (...args) =>
    (await run(['virsh', '-q', '-c', uris.unix, ...args])).stdout;
  return {
    ...controls,
    name: host.name,
    address: files.address,
    hostUuid: files.hostUuid,
    daemons: layout,
    gateway: lab.network.gateway,
    bridge: lab.network.bridge,
    socketPath,
    uris,
    virshUris: virshUrisOf(uris, files.dir, credentials),
    credentials,
    unprivilegedUser,
    diskDir: '/var/lib/ovcp/disks',
    sharedDir: lab.sharedDir,
    outside: (path) => {
      const hidden = hostMounts.some((mount) => path === `/${mount}` || path.startsWith(`/${mount}/`));
      return hidden ? join(files.dir, path) : path;
    },
    virsh,
    virshFile: async (xml, ...args) => {
      const path = join(files.dir, `description-${randomUUID()}.xml`);
      writeFileSync(path, xml);
      try {
        return await virsh(...args, '--file', path);
      } finally {
        rmSync(path);
      }
    },
  };
};

/**
 * Starts KVM hosts (emulation) that differ from real ones only in sharing this machine's kernel and programs: each has
 * its own address, libvirt, SSH and TLS. Needs root and the packages of `kvmHostPackages`. Either all start or none
 * stays. Stopping the last one takes the lab's bridge away.
 */
export const startKvmHosts = async (options: KvmHostsOptions, signal?: AbortSignal): Promise<KvmHost[]> => {
  if (process.getuid?.() !== 0)
    throw new Error('KVM hosts of the lab need root (network and mount namespaces)');
  const sharedDir = join(options.dir, 'shared');
  for (const folder of [join(options.dir, 'pki'), sharedDir, '/var/lib/ovcp'])
    mkdirSync(folder, { recursive: true });
  const [credentials, network] = await Promise.all([
    createLabCredentials(join(options.dir, 'pki')),
    createLabNetwork(),
  ]);
  const lab: Lab = { options, network, credentials, sharedDir };
  const results = await Promise.allSettled(
    options.hosts.map((host, index) => startHost(lab, host, index, signal)),
  );
  const hosts = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(hosts.map((host) => host.stop()));
    await network.remove();
    throw failed.reason;
  }
  const remaining = new Set(hosts.map((host) => host.name));
  return hosts.map((host) => ({
    ...host,
    stop: async () => {
      await host.stop();
      remaining.delete(host.name);
      if (remaining.size === 0) await network.remove();
    },
  }));
};
