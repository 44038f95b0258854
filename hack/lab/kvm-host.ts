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
import type { KvmHost, KvmHostOptions, KvmHostsOptions } from './kvm-host-types.ts';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import { type RunOptions, type RunResult, run, waitUntil } from './process.ts';

export type { KvmHost, KvmHostOptions, KvmHostsOptions };

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
    await waitUntil(`${files.name}'s ports`, reachable, { limitMs: 120_000, stepMs: 20, alive }, signal);
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
