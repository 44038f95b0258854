/**
 * A Gluster cluster of the lab: each server is a machine made of namespaces with its own address, glusterd, sshd and
 * a small file system for bricks. Joined to the bridge of a lab, KVM hosts reach it; clients are such machines too.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  brickFolder,
  createBrickDisk,
  type GlusterFiles,
  glusterMounts,
  mountBrickDisk,
  sudoUser,
  wipeRun,
  writeGlusterFiles,
} from './gluster-files.ts';
import { createHostNamespace, type HostNamespace } from './host-namespace.ts';
import {
  createHostKeys,
  createLabCredentials,
  type HostCredentials,
  type LabCredentials,
} from './kvm-host-credentials.ts';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import { type Daemon, type RunOptions, type RunResult, run, waitUntil } from './process.ts';

export type GlusterNode = {
  name: string;
  address: string;
  credentials: HostCredentials;
  /** Account that is not root and may run gluster by sudo, with the sudoers file of docs/storage-servers.md; same key. */
  sudoUser: string;
  /** A file system of its own: bricks are folders in it. */
  brickFolder: string;
  /** The server's folder on the machine, and its place on the network: `powerOnServer` wants them. */
  dir: string;
  index: number;
  /** Pid of the server's process 1 while it has power. */
  initPid(): number | undefined;
  /** Runs a program on the server. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Standard output of the gluster command on this server; throws with its error. */
  gluster(...args: string[]): Promise<string>;
  /** Everything on the server dies at once; disks stay. */
  powerLoss(): Promise<void>;
  powerOn(): Promise<void>;
  /** Takes the network cable out and puts it back. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** SIGKILL to the process of one brick. */
  killBrick(path: string): Promise<void>;
};

/** A machine that only mounts. */
export type GlusterClient = {
  name: string;
  address: string;
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Mounts a volume and returns where; throws when it cannot be used. */
  mount(node: GlusterNode, volume: string): Promise<string>;
  unmount(path: string): Promise<void>;
};

export type GlusterLab = {
  nodes: GlusterNode[];
  clients: GlusterClient[];
  network: LabNetwork;
  /** Ends everything and leaves nothing but the folder. */
  stop(): Promise<void>;
};

export type GlusterLabOptions = {
  /** Folder for all state; made when missing. */
  dir: string;
  /** Names of the servers. Default g1, g2, g3. */
  nodes?: readonly string[];
  /** Names of machines that only mount. Default none. */
  clients?: readonly string[];
  /** A lab's network to join; without one it makes its own. */
  network?: LabNetwork;
  /** Place of the first server on that network. Default 8: KVM hosts count from 0, and there are 12 places. */
  firstIndex?: number;
  /** Room for bricks on each server, in MiB. Sparse. Default 512. */
  brickDiskMiB?: number;
  /** Leave everything running when this process ends. */
  detached?: boolean;
};

type Lab = {
  options: GlusterLabOptions;
  network: LabNetwork;
  credentials: LabCredentials;
  hosts: readonly string[];
};
type Machine = { ns: HostNamespace; daemons: Daemon[] };
/** Where a machine stands: its folder, network, and whether it outlives this process. */
type Place = { network: LabNetwork; index: number; detached: boolean };

const glusterd = [
  '/usr/sbin/glusterd',
  '-N',
  '--log-file=/var/log/glusterfs/glusterd.log',
  '--log-level=WARNING',
];
const sshd = ['/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/sshd_config'];

const powerOn = async (
  files: Pick<GlusterFiles, 'name' | 'dir' | 'address' | 'role'>,
  place: Place,
  signal?: AbortSignal,
): Promise<Machine> => {
  wipeRun(files);
  const { name, dir } = files;
  const ns = await createHostNamespace({ name, dir, mounts: glusterMounts, kvm: false, ...place }, signal);
  try {
    if (files.role === 'client') return { ns, daemons: [] };
    await mountBrickDisk(files, ns);
    const log = (name: string): string => join(files.dir, `${name}.log`);
    const daemons = [
      await ns.start('glusterd', glusterd, log('glusterd')),
      await ns.start('sshd', sshd, log('sshd')),
    ];
    const answers = async (): Promise<boolean> => {
      const [pool, ssh] = await Promise.all([
        ns.exec(['gluster', '--mode=script', 'pool', 'list'], { allowFailure: true }),
        ns.exec(['nc', '-z', files.address, '22'], { allowFailure: true }),
      ]);
      return pool.code === 0 && ssh.code === 0;
    };
    const limits = { limitMs: 60_000, stepMs: 100, alive: daemons };
    await waitUntil(`the daemons of ${files.name}`, answers, limits, signal);
    return { ns, daemons };
  } catch (error) {
    await ns.kill();
    throw error;
  }
};

/**
 * Power for a server of `startGluster` that has none, known by what that left: its folder and its place. Returns the
 * pid of its process 1; it outlives this process.
 */
export const powerOnServer = async (
  { name, dir, index }: Pick<GlusterNode, 'name' | 'dir' | 'index'>,
  network: LabNetwork,
  signal?: AbortSignal,
): Promise<number> => {
  const files = { name, dir, address: network.addressOf(index), role: 'server' as const };
  return (await powerOn(files, { network, index, detached: true }, signal)).ns.initPid;
};

const placeOf = ({ network, options }: Lab, index: number): Place => ({
  network,
  index,
  detached: options.detached ?? false,
});

/** What can be done to a machine that has power or has lost it. */
const createControls = (lab: Lab, files: GlusterFiles, index: number, first: Machine) => {
  let machine: Machine | undefined = first;
  const powered = (): Machine => {
    if (machine === undefined) throw new Error(`${files.name} has no power`);
    return machine;
  };
  const exec = (argv: readonly string[], options?: RunOptions): Promise<RunResult> =>
    powered().ns.exec(argv, options);
  const link = async (state: 'up' | 'down'): Promise<void> => {
    await run(['ip', 'link', 'set', lab.network.portOf(index), state]);
  };
  return {
    initPid: () => machine?.ns.initPid,
    exec,
    powerLoss: async (): Promise<void> => {
      const gone = machine;
      machine = undefined;
      await gone?.ns.kill();
    },
    powerOn: async (): Promise<void> => {
      machine ??= await powerOn(files, placeOf(lab, index));
    },
    cut: () => link('down'),
    heal: () => link('up'),
    killBrick: async (path: string): Promise<void> => {
      await exec(['pkill', '-KILL', '-f', '--', `--brick-name ${path} `]);
    },
  };
};

type Started = ReturnType<typeof createControls> & {
  files: GlusterFiles;
  index: number;
  credentials: HostCredentials;
};

const startMachine = async (
  lab: Lab,
  role: GlusterFiles['role'],
  name: string,
  index: number,
  signal?: AbortSignal,
): Promise<Started> => {
  const dir = join(lab.options.dir, name);
  mkdirSync(dir, { recursive: true });
  const address = lab.network.addressOf(index);
  const keys = await createHostKeys(lab.credentials, dir, name, address);
  const ssh = { hostKey: keys.sshHostKeyPath, authorizedKeys: lab.credentials.authorizedKeysPath };
  const files: GlusterFiles = { dir, name, address, role, ssh, hosts: lab.hosts };
  writeGlusterFiles(files);
  if (role === 'server') await createBrickDisk(files, lab.options.brickDiskMiB ?? 512);
  const machine = await powerOn(files, placeOf(lab, index), signal);
  return { ...createControls(lab, files, index, machine), files, index, credentials: keys.credentials };
};

const nodeOf = ({ files, credentials, ...controls }: Started): GlusterNode => ({
  ...controls,
  name: files.name,
  dir: files.dir,
  address: files.address,
  credentials,
  sudoUser,
  brickFolder,
  gluster: async (...args) => (await controls.exec(['gluster', '--mode=script', ...args])).stdout,
});

const clientOf = ({ files, exec }: Started): GlusterClient => {
  let mounts = 0;
  return {
    name: files.name,
    address: files.address,
    exec,
    mount: async (node, volume) => {
      mounts += 1;
      const path = `/run/mount-${mounts}`;
      await exec(['mkdir', path]);
      // mount itself may be through before a server has refused it: what counts is that the folder can be read.
      const script =
        'mount -t glusterfs -o log-level=WARNING "$1" "$2" && ls "$2" >/dev/null && mountpoint -q "$2"';
      await exec(['sh', '-c', script, 'sh', `${node.address}:${volume}`, path]);
      return path;
    },
    unmount: async (path) => {
      await exec(['umount', '-l', path]);
    },
  };
};

/** Starts servers (not yet peers of each other) and clients. Needs root and `glusterPackages`; all start or none stays. */
export const startGluster = async (options: GlusterLabOptions, signal?: AbortSignal): Promise<GlusterLab> => {
  if (process.getuid?.() !== 0) throw new Error('a Gluster lab needs root (network and mount namespaces)');
  for (const folder of [join(options.dir, 'pki'), '/var/lib/ovcp']) mkdirSync(folder, { recursive: true });
  const credentials = await createLabCredentials(join(options.dir, 'pki'));
  const network = options.network ?? (await createLabNetwork());
  const wanted = [
    ...(options.nodes ?? ['g1', 'g2', 'g3']).map((name) => ({ role: 'server' as const, name })),
    ...(options.clients ?? []).map((name) => ({ role: 'client' as const, name })),
  ];
  const first = options.firstIndex ?? 8;
  const hosts = wanted.map(({ name }, index) => `${network.addressOf(first + index)} ${name}`);
  const lab: Lab = { options, network, credentials, hosts };
  const results = await Promise.allSettled(
    wanted.map(({ role, name }, index) => startMachine(lab, role, name, first + index, signal)),
  );
  const machines = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(machines.map((machine) => machine.powerLoss()));
    if (options.network === undefined) await network.remove();
    for (const { files } of machines) rmSync(join(files.dir, 'bricks.img'), { force: true });
  };
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    nodes: machines.filter(({ files }) => files.role === 'server').map(nodeOf),
    clients: machines.filter(({ files }) => files.role === 'client').map(clientOf),
    network,
    stop,
  };
};
