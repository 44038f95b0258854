import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabNetwork } from './lab-network.ts';
import { type Daemon, type RunOptions, type RunResult, run, startDaemon, waitUntil } from './process.ts';

/** A machine made of namespaces: its own network, mounts, process ids and host name, on the real machine's files. */
export type HostNamespace = {
  /** Pid (outside) of the machine's process 1: killing it ends every process of the machine at once. */
  initPid: number;
  exec(argv: readonly string[], options?: RunOptions, signal?: AbortSignal): Promise<RunResult>;
  /** Starts a process inside; the returned pid is the one seen from outside. */
  start(name: string, argv: readonly string[], logPath: string): Promise<Daemon>;
  /** Kills everything inside without warning; resolves when all of it is gone. */
  kill(): Promise<void>;
};

export type HostNamespaceOptions = {
  name: string;
  /** The host's folder. What is mounted from it is named as inside: `run`, `etc/libvirt`, `var/lib/libvirt`… */
  dir: string;
  index: number;
  network: LabNetwork;
  /** Files and folders of `dir` that hide the machine's own of the same path; they must exist in both places. */
  mounts: readonly string[];
  /** Give the host a working /dev/kvm node (it may still be useless, as in a nested machine). */
  kvm: boolean;
  detached: boolean;
};

const childOf = async (pid: number): Promise<number | undefined> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const child = Number.parseInt(text, 10);
  return Number.isInteger(child) ? child : undefined;
};

/** nsenter and unshare fork for the new pid namespace; what counts is their one child. */
const innerPid = async (outer: Daemon, signal?: AbortSignal): Promise<number> => {
  let pid: number | undefined;
  const look = async (): Promise<boolean> => (pid = await childOf(outer.pid)) !== undefined;
  await waitUntil(`the child of ${outer.name}`, look, { limitMs: 60_000, stepMs: 5, alive: [outer] }, signal);
  return pid ?? 0;
};

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It went away by itself.
  }
};

/** A daemon whose signals go to the process inside and whose end is that of nsenter, which waits for it. */
const insideDaemon = (outer: Daemon, pid: number): Daemon => {
  const kill = (signal: NodeJS.Signals): void => {
    if (!outer.running()) return;
    send(pid, signal);
    // nsenter stops itself when its child is stopped, and must go on together with it.
    if (signal === 'SIGCONT') outer.kill('SIGCONT');
  };
  return {
    ...outer,
    pid,
    kill,
    stop: async (limitMs = 10_000) => {
      if (!outer.running()) return;
      kill('SIGTERM');
      kill('SIGCONT');
      const timer = setTimeout(() => kill('SIGKILL'), limitMs);
      await outer.exited;
      clearTimeout(timer);
    },
  };
};

const deviceNodes: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
  ['net/tun', 10, 200],
  ['fuse', 10, 229],
  ['vhost-net', 10, 238],
];

type Exec = HostNamespace['exec'];

/** A /dev of its own: a node cannot be hidden from one process tree in any other way, and pseudo terminals are private. */
const mountDev = async (exec: Exec, dir: string, kvm: boolean): Promise<void> => {
  const dev = join(dir, 'dev');
  rmSync(dev, { recursive: true, force: true });
  mkdirSync(dev, { recursive: true });
  await exec(['mount', '-t', 'tmpfs', '-o', 'mode=755,nosuid', 'tmpfs', dev]);
  await exec(['mkdir', join(dev, 'net'), join(dev, 'pts'), join(dev, 'shm')]);
  const nodes = kvm ? [...deviceNodes, ['kvm', 10, 232] as const] : deviceNodes;
  const present = nodes.filter(([name]) => existsSync(`/dev/${name}`));
  await Promise.all(
    present.map(([name, major, minor]) =>
      exec(['mknod', '-m', '666', join(dev, name), 'c', `${major}`, `${minor}`]),
    ),
  );
  await exec([
    'mount',
    '-t',
    'devpts',
    '-o',
    'newinstance,ptmxmode=0666,mode=0620,gid=5',
    'devpts',
    join(dev, 'pts'),
  ]);
  await exec(['mount', '-t', 'tmpfs', '-o', 'mode=1777,nosuid,nodev', 'tmpfs', join(dev, 'shm')]);
  const links = {
    ptmx: 'pts/ptmx',
    fd: '/proc/self/fd',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
  };
  for (const [name, target] of Object.entries({ ...links, stderr: '/proc/self/fd/2' })) {
    await exec(['ln', '-s', target, join(dev, name)]);
  }
  await exec(['mount', '--rbind', dev, '/dev']);
};

const connectNetwork = async (exec: Exec, options: HostNamespaceOptions, initPid: number): Promise<void> => {
  const { network, index } = options;
  const port = network.portOf(index);
  // A host keeps its MAC over a power cycle; a new one would meet everybody's old ARP entries.
  const bytes = network.addressOf(index).split('.').map(Number);
  const mac = [0x02, 0x6f, ...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const peer = ['peer', 'name', 'eth0', 'address', mac, 'netns', `${initPid}`];
  await run(['ip', 'link', 'add', port, 'type', 'veth', ...peer]);
  await run(['ip', 'link', 'set', port, 'master', network.bridge, 'up']);
  await exec(['ip', 'link', 'set', 'lo', 'up']);
  await exec(['ip', 'address', 'add', `${network.addressOf(index)}/${network.prefixLength}`, 'dev', 'eth0']);
  await exec(['ip', 'link', 'set', 'eth0', 'up']);
  await exec(['ip', 'route', 'add', 'default', 'via', network.gateway]);
};

const unshare = ['unshare', '--mount', '--net', '--pid', '--uts', '--fork', '--kill-child', '--mount-proc'];

/**
 * Makes the namespaces and everything a host daemon looks at. Nothing of it has a name on the machine but the
 * bridge port, which goes with the network namespace; so when process 1 dies, nothing is left over.
 */
export const createHostNamespace = async (
  options: HostNamespaceOptions,
  signal?: AbortSignal,
): Promise<HostNamespace> => {
  const outer = await startDaemon({
    name: options.name,
    logPath: join(options.dir, 'init.log'),
    detached: options.detached,
    // Process 1 inherits "SIGCHLD is ignored", so the kernel reaps orphans (daemonized QEMUs, dnsmasq) at once;
    // libvirt takes a zombie for a guest that cannot be killed.
    argv: [...unshare, 'env', '--ignore-signal=CHLD', 'sleep', 'infinity'],
  });
  const initPid = await innerPid(outer, signal);
  const enter = ['nsenter', '-t', `${initPid}`, '-m', '-n', '-p', '-u', '--'];
  const exec: Exec = (argv, runOptions, runSignal) => run([...enter, ...argv], runOptions, runSignal);
  const kill = async (): Promise<void> => {
    if (outer.running()) send(initPid, 'SIGKILL');
    await outer.exited;
    // The kernel takes a dead namespace's cable away only some time later, and its name must be free at once.
    await run(['ip', 'link', 'del', options.network.portOf(options.index)], { allowFailure: true });
  };
  try {
    // unshare has set the namespaces up once `sleep` runs.
    const started = async (): Promise<boolean> =>
      (await readFile(`/proc/${initPid}/comm`, 'utf8').catch(() => '')).trim() === 'sleep';
    await waitUntil(
      `process 1 of ${options.name}`,
      started,
      { limitMs: 60_000, stepMs: 5, alive: [outer] },
      signal,
    );
    // sysfs shows the network namespace of its mounter, and libvirt finds bridges and taps there.
    await exec(['mount', '-t', 'sysfs', 'sysfs', '/sys']);
    await mountDev(exec, options.dir, options.kvm);
    for (const path of options.mounts) await exec(['mount', '--bind', join(options.dir, path), `/${path}`]);
    await exec(['hostname', options.name]);
    await connectNetwork(exec, options, initPid);
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    initPid,
    exec,
    kill,
    start: async (name, argv, logPath) => {
      const daemon = await startDaemon({
        name,
        argv: [...enter, ...argv],
        logPath,
        detached: options.detached,
      });
      return insideDaemon(daemon, await innerPid(daemon));
    },
  };
};

/** A symlink inside `run`, replaced when it is there. */
export const relink = (target: string, path: string): void => {
  rmSync(path, { force: true });
  symlinkSync(target, path);
};
