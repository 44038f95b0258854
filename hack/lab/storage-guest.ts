import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import {
  type Daemon,
  logTail,
  type RunOptions,
  type RunResult,
  run,
  startDaemon,
  waitUntil,
} from './process.ts';
import { ensureStorageGuestImage, type StorageGuestImage } from './storage-guest-image.ts';

export type StorageGuestOptions = {
  /** Folder for its disks and keys; made when missing. Keep it short: a socket below it has 107 characters. */
  dir: string;
  /** A lab's network to join, where hosts and this machine reach it; without one it makes its own. */
  network?: LabNetwork;
  /** Its two places on that network. Default 6 and 7: KVM hosts count from 0, Gluster servers from 8. */
  seats?: readonly [number, number];
  /** Leave it running when this process ends. */
  detached?: boolean;
};

export type StorageGuest = {
  network: LabNetwork;
  /** Where SSH answers; the first of `addresses`. */
  address: string;
  /** Two addresses on one network card, so that an iSCSI target has two portals. */
  addresses: readonly [string, string];
  sshPrivateKey: string;
  /** A known_hosts line for each address. */
  sshKnownHosts: string;
  /** Account that is not root, with the sudoers file of docs/storage-servers.md; the same key opens it. */
  unprivilegedUser: string;
  volumeGroup: string;
  /** Thin pool of the volume group. */
  thinPool: string;
  /** Exported by NFS once `nfs-server` is started. */
  exportPath: string;
  /** Runs a program as root inside, over one SSH connection that is kept. The argv is quoted for the shell there. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Restarts the system in order, and waits until it answers again. */
  reboot(): Promise<void>;
  /** SIGKILL to the emulator: power loss. */
  powerLoss(): Promise<void>;
  powerOn(): Promise<void>;
  /** Stops the virtual processors in their tracks, and lets them go on. */
  pause(): void;
  resume(): void;
  /** Takes the network cable out and puts it back. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
};

const GIB = 1024 ** 3;
const dataBytes = 10 * GIB;
const volumeGroup = 'vg0';
const thinPool = 'pool';
/** An emulated boot takes 15 s on an idle machine and minutes on a busy one. */
const bootLimitMs = 420_000;

type Guest = {
  options: StorageGuestOptions;
  network: LabNetwork;
  image: StorageGuestImage;
  addresses: readonly [string, string];
  tap: string;
};

const writeFiles = async (guest: Guest): Promise<void> => {
  const { network } = guest;
  const { dir } = guest.options;
  mkdirSync(dir, { recursive: true });
  for (const name of ['id_ed25519', 'host_key'])
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'ovcp-lab', '-f', join(dir, name)]);
  const overlay = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', guest.image.rootPath, '-F', 'raw'];
  await run([...overlay, join(dir, 'root.qcow2')]);
  const data = join(dir, 'data.img');
  writeFileSync(data, '');
  truncateSync(data, dataBytes);
  const addresses = guest.addresses.map((address) => `${address}/${network.prefixLength}`);
  writeFileSync(join(dir, 'addresses'), addresses.join(' '));
  writeFileSync(join(dir, 'gateway'), network.gateway);
  const key = await readFile(join(dir, 'host_key.pub'), 'utf8');
  const known = guest.addresses.map((address) => `${address} ${key.split(' ').slice(0, 2).join(' ')}\n`);
  writeFileSync(join(dir, 'known_hosts'), known.join(''));
};

/** What the guest's setup reads at boot (storage-guest/setup). */
const said = (dir: string): string[] =>
  Object.entries({
    authorized_keys: 'id_ed25519.pub',
    host_key: 'host_key',
    addresses: 'addresses',
    gateway: 'gateway',
  }).flatMap(([name, file]) => ['-fw_cfg', `name=opt/ovcp/${name},file=${join(dir, file)}`]);

/** A machine keeps its MAC over a power cycle; a new one would meet everybody's old ARP entries. */
const macOf = (address: string): string =>
  [0x02, 0x6f, ...address.split('.').map(Number)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

const qemuOf = ({ options: { dir }, image, addresses, tap }: Guest): string[] => [
  'qemu-system-x86_64',
  ...['-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=128', '-cpu', 'max', '-smp', '2', '-m', '768'],
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', `file:${join(dir, 'console.log')}`],
  ...['-kernel', image.kernelPath, '-initrd', image.initrdPath, '-append'],
  'root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off tsc=reliable',
  ...['-drive', `file=${join(dir, 'root.qcow2')},if=virtio,format=qcow2,discard=unmap`],
  ...['-drive', `file=${join(dir, 'data.img')},if=virtio,format=raw,discard=unmap`],
  ...['-netdev', `tap,id=lan,ifname=${tap},script=no,downscript=no`],
  ...['-device', `virtio-net-pci,netdev=lan,mac=${macOf(addresses[0])}`],
  ...said(dir),
];

/** The tap device is made by the emulator and goes with it; it is plugged into the bridge as soon as it is there. */
const powerOn = async (guest: Guest): Promise<Daemon> => {
  const { dir, detached = false } = guest.options;
  const logPath = join(dir, 'qemu.log');
  const daemon = await startDaemon({ name: 'storage guest', argv: qemuOf(guest), logPath, detached });
  const plug = ['ip', 'link', 'set', guest.tap, 'master', guest.network.bridge, 'up'];
  const plugged = async (): Promise<boolean> => (await run(plug, { allowFailure: true })).code === 0;
  try {
    await waitUntil('the tap device', plugged, { limitMs: 60_000, stepMs: 20, alive: [daemon] });
    return daemon;
  } catch (error) {
    daemon.kill('SIGKILL');
    throw error;
  }
};

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `ssh` with the pinned key. The connection is shared, because its key exchange is what costs under emulation. */
const createShell = (guest: Guest) => {
  const { dir } = guest.options;
  const settings = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: join(dir, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
    IdentitiesOnly: 'yes',
    ConnectTimeout: '10',
    ControlMaster: 'auto',
    ControlPath: join(dir, 'ssh'),
    ControlPersist: '600',
  };
  const pairs = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const ssh = ['ssh', '-F', 'none', '-q', '-i', join(dir, 'id_ed25519'), ...pairs];
  const login = `root@${guest.addresses[0]}`;
  return {
    exec: (argv: readonly string[], options?: RunOptions) =>
      run([...ssh, login, argv.map(quote).join(' ')], options),
    hangUp: async () => {
      await run([...ssh, '-O', 'exit', login], { allowFailure: true });
      await rm(join(dir, 'ssh'), { force: true });
    },
  };
};

type Shell = ReturnType<typeof createShell>;

/** An id of this boot, once everything that is started at boot has been. */
const bootId = async (guest: Guest, shell: Shell, daemon: Daemon, before: string): Promise<string> => {
  let seen = before;
  const ready = async (): Promise<boolean> => {
    const id = await shell.exec(['cat', '/proc/sys/kernel/random/boot_id'], { allowFailure: true });
    if (id.code !== 0 || id.stdout === before) return false;
    seen = id.stdout;
    // Also says "degraded", for a unit that failed: tests see that themselves.
    const state = await shell.exec(['systemctl', 'is-system-running', '--wait'], { allowFailure: true });
    return /^(running|degraded)/.test(state.stdout);
  };
  try {
    await waitUntil('the storage guest', ready, { limitMs: bootLimitMs, stepMs: 200, alive: [daemon] });
  } catch (error) {
    const console = logTail(join(guest.options.dir, 'console.log'));
    throw new Error(`the storage guest did not start: ${console}`, { cause: error });
  }
  return seen;
};

/** A volume group on the data disk: half of it a thin pool, the rest for thick volumes. */
const makeVolumes = async (shell: Shell): Promise<void> => {
  await shell.exec(['vgcreate', '-q', volumeGroup, '/dev/vdb']);
  const size = ['--size', '5G', '--poolmetadatasize', '32M'];
  await shell.exec(['lvcreate', '-q', ...size, '--thinpool', thinPool, volumeGroup]);
};

const createControls = (guest: Guest, shell: Shell, first: { daemon: Daemon; boot: string }) => {
  let power: typeof first | undefined = first;
  const powered = (): typeof first => {
    if (power === undefined) throw new Error('the storage guest has no power');
    return power;
  };
  const link = async (state: 'up' | 'down'): Promise<void> =>
    void (await run(['ip', 'link', 'set', guest.tap, state]));
  const powerLoss = async (): Promise<void> => {
    const gone = power?.daemon;
    power = undefined;
    gone?.kill('SIGKILL');
    await gone?.exited;
    await shell.hangUp();
  };
  return {
    exec: shell.exec,
    reboot: async () => {
      const { daemon, boot } = powered();
      await shell.exec(['systemctl', 'reboot'], { allowFailure: true });
      await shell.hangUp();
      power = { daemon, boot: await bootId(guest, shell, daemon, boot) };
    },
    powerLoss,
    powerOn: async () => {
      if (power !== undefined) return;
      const daemon = await powerOn(guest);
      power = { daemon, boot: await bootId(guest, shell, daemon, '') };
    },
    pause: () => powered().daemon.kill('SIGSTOP'),
    resume: () => powered().daemon.kill('SIGCONT'),
    cut: () => link('down'),
    heal: () => link('up'),
  };
};

/**
 * Starts the lab's storage server: an emulated Debian with LIO, LVM, NFS and the initiator's side, because this kernel
 * has none of them. Needs root and the packages of `storageGuestPackages`. One is enough for a lab, and more than one
 * is too much for a small machine.
 */
export const startStorageGuest = async (options: StorageGuestOptions): Promise<StorageGuest> => {
  const { dir, seats = [6, 7] } = options;
  const image = await ensureStorageGuestImage();
  const network = options.network ?? (await createLabNetwork());
  const addresses = [network.addressOf(seats[0]), network.addressOf(seats[1])] as const;
  const guest: Guest = { options, network, image, addresses, tap: network.portOf(seats[0]) };
  const shell = createShell(guest);
  let daemon: Daemon | undefined;
  const leave = async (): Promise<void> => {
    if (options.network === undefined) await network.remove();
  };
  try {
    await writeFiles(guest);
    daemon = await powerOn(guest);
    const boot = await bootId(guest, shell, daemon, '');
    await makeVolumes(shell);
    const controls = createControls(guest, shell, { daemon, boot });
    return {
      network,
      address: addresses[0],
      addresses,
      sshPrivateKey: await readFile(join(dir, 'id_ed25519'), 'utf8'),
      sshKnownHosts: await readFile(join(dir, 'known_hosts'), 'utf8'),
      unprivilegedUser: 'ovcp',
      volumeGroup,
      thinPool,
      exportPath: '/srv/nfs',
      ...controls,
      stop: async () => {
        await controls.powerLoss();
        await leave();
      },
    };
  } catch (error) {
    daemon?.kill('SIGKILL');
    await daemon?.exited;
    await shell.hangUp();
    await leave();
    throw error;
  }
};
