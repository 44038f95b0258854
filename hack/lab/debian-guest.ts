/** The lab's emulated Debian: power, network, SSH. What it is for is said by who starts it. */
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

export type DebianGuestOptions = {
  /** Folder for its disks and keys; made when missing. Keep it short: a socket below it has 107 characters. */
  dir: string;
  /** Its hostname. */
  name: string;
  /** A lab's network to join, where hosts and this machine reach it; without one it makes its own. */
  network: LabNetwork | undefined;
  /** Its places on that network: one address for each, all on one network card. */
  seats: readonly [number, ...number[]];
  memoryMiB: number;
  /** Size of an empty second disk, /dev/vdb; 0: it has none. */
  dataBytes: number;
  /** Of SMBIOS, which is what libvirt calls a host by; a guest's machine-id is made of it too. */
  uuid: string;
  /** Name of its iSCSI initiator. */
  initiatorName: string;
  /** Units of systemd that are started at each boot; everything else that the image brings is off. */
  services: readonly string[];
  /** Leave it running when this process ends. */
  detached: boolean;
};

export type DebianGuest = {
  name: string;
  network: LabNetwork;
  /** Where SSH answers; the first of `addresses`. */
  address: string;
  addresses: readonly string[];
  sshPrivateKey: string;
  sshPrivateKeyPath: string;
  /** A known_hosts line for each address. */
  sshKnownHosts: string;
  sshKnownHostsPath: string;
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

/** An emulated boot takes 15 s on an idle machine and minutes on a busy one. */
const bootLimitMs = 420_000;

type Guest = {
  options: DebianGuestOptions;
  network: LabNetwork;
  image: StorageGuestImage;
  addresses: readonly string[];
  tap: string;
};

const firstAddress = ({ addresses }: Guest): string => {
  const [first] = addresses;
  if (first === undefined) throw new Error('a guest has at least one seat');
  return first;
};

const writeFiles = async (guest: Guest): Promise<void> => {
  const { network } = guest;
  const { dir, dataBytes, initiatorName } = guest.options;
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
  writeFileSync(join(dir, 'initiator'), initiatorName);
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
    initiator: 'initiator',
  }).flatMap(([name, file]) => ['-fw_cfg', `name=opt/ovcp/${name},file=${join(dir, file)}`]);

/** kernel-command-line(7): systemd's own words for what differs between two guests of one image. */
const commandLine = ({ name, uuid, services }: DebianGuestOptions): string =>
  [
    'root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off tsc=reliable',
    // On a machine that has much else to do, what takes a second elsewhere takes a minute in here.
    'systemd.default_timeout_start_sec=600',
    `systemd.hostname=${name}`,
    `systemd.machine_id=${uuid.replaceAll('-', '')}`,
    ...services.map((unit) => `systemd.wants=${unit}`),
  ].join(' ');

/** A machine keeps its MAC over a power cycle; a new one would meet everybody's old ARP entries. */
const macOf = (address: string): string =>
  [0x02, 0x6f, ...address.split('.').map(Number)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

const qemuOf = (guest: Guest): string[] => {
  const { dir, memoryMiB, dataBytes, uuid } = guest.options;
  const data = `file=${join(dir, 'data.img')},if=virtio,format=raw,discard=unmap`;
  return [
    'qemu-system-x86_64',
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=128', '-cpu', 'max', '-smp', '2'],
    ...['-m', `${memoryMiB}`, '-uuid', uuid],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', `file:${join(dir, 'console.log')}`],
    ...['-kernel', guest.image.kernelPath, '-initrd', guest.image.initrdPath],
    ...['-append', commandLine(guest.options)],
    ...['-drive', `file=${join(dir, 'root.qcow2')},if=virtio,format=qcow2,discard=unmap`],
    ...(dataBytes === 0 ? [] : ['-drive', data]),
    ...['-netdev', `tap,id=lan,ifname=${guest.tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=lan,mac=${macOf(firstAddress(guest))}`],
    ...said(dir),
  ];
};

/** The tap device is made by the emulator and goes with it; it is plugged into the bridge as soon as it is there. */
const powerOn = async (guest: Guest): Promise<Daemon> => {
  const { dir, detached, name } = guest.options;
  const logPath = join(dir, 'qemu.log');
  const daemon = await startDaemon({ name: `the guest ${name}`, argv: qemuOf(guest), logPath, detached });
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
  const login = `root@${firstAddress(guest)}`;
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
  const { name, dir } = guest.options;
  try {
    await waitUntil(`the guest ${name}`, ready, { limitMs: bootLimitMs, stepMs: 200, alive: [daemon] });
  } catch (error) {
    throw new Error(`the guest ${name} did not start: ${logTail(join(dir, 'console.log'))}`, {
      cause: error,
    });
  }
  return seen;
};

const createControls = (guest: Guest, shell: Shell, first: { daemon: Daemon; boot: string }) => {
  let power: typeof first | undefined = first;
  const powered = (): typeof first => {
    if (power === undefined) throw new Error(`the guest ${guest.options.name} has no power`);
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

/** What others need in order to reach it as well. */
const waysIn = async (guest: Guest) => {
  const sshPrivateKeyPath = join(guest.options.dir, 'id_ed25519');
  const sshKnownHostsPath = join(guest.options.dir, 'known_hosts');
  return {
    sshPrivateKey: await readFile(sshPrivateKeyPath, 'utf8'),
    sshPrivateKeyPath,
    sshKnownHosts: await readFile(sshKnownHostsPath, 'utf8'),
    sshKnownHostsPath,
  };
};

/**
 * Starts an emulated Debian of the storage guest's image. Needs root and the packages of `storageGuestPackages`. Two
 * are as many as a small machine can bear. `prepare` is run once, after the first boot.
 */
export const startDebianGuest = async (
  options: DebianGuestOptions,
  prepare: (exec: DebianGuest['exec']) => Promise<void>,
): Promise<DebianGuest> => {
  const image = await ensureStorageGuestImage();
  const network = options.network ?? (await createLabNetwork());
  const addresses = options.seats.map((seat) => network.addressOf(seat));
  const guest: Guest = { options, network, image, addresses, tap: network.portOf(options.seats[0]) };
  const shell = createShell(guest);
  let daemon: Daemon | undefined;
  const leave = async (): Promise<void> => {
    if (options.network === undefined) await network.remove();
  };
  try {
    await writeFiles(guest);
    daemon = await powerOn(guest);
    const boot = await bootId(guest, shell, daemon, '');
    await prepare(shell.exec);
    const controls = createControls(guest, shell, { daemon, boot });
    return {
      name: options.name,
      network,
      address: firstAddress(guest),
      addresses,
      ...(await waysIn(guest)),
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
