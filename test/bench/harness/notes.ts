/** Notes what the operator's process asks of hosts and of storage servers: which call, when, and how it ended. */
import type { Dial, Remote } from '../../../src/drivers/hypervisor/libvirt/remote.ts';
import type {
  DiskServer,
  ServerWish,
  StorageServer,
  StorageServerDriver,
} from '../../../src/drivers/storage/contract.ts';
import type { Connect } from '../../../src/drivers/storage/server-link.ts';
import { isFault } from '../../../src/runtime/fault.ts';
import type { LibvirtCall } from '../../../src/wire/libvirt/connection.ts';
import { nowMs } from './now.ts';
import type { Driven, SshUse } from './operator-protocol.ts';

/** Calls of libvirt that make a machine or change what it is made of. */
const notedCalls: ReadonlySet<string> = new Set([
  'DOMAIN_DEFINE_XML_FLAGS',
  'DOMAIN_CREATE_WITH_FLAGS',
  'DOMAIN_ATTACH_DEVICE_FLAGS',
  'DOMAIN_DETACH_DEVICE_FLAGS',
  'DOMAIN_DETACH_DEVICE_ALIAS',
  'SECRET_DEFINE_XML',
  'SECRET_SET_VALUE',
  'SECRET_UNDEFINE',
]);

type Note = <T>(call: string, run: () => Promise<T>, xml?: string) => Promise<T>;

const notedRemote = (remote: Remote, note: Note): Remote => {
  const call: LibvirtCall = (name, args, ...rest) => {
    if (!notedCalls.has(name)) return remote.call(name, args, ...rest);
    const { xml } = args as { readonly xml?: unknown };
    return note(name, () => remote.call(name, args, ...rest), typeof xml === 'string' ? xml : undefined);
  };
  return { ...remote, call };
};

const notedDisks = (disks: DiskServer, note: Note): DiskServer => ({
  ...disks,
  see: (disk, signal) => note('disk.see', () => disks.see(disk, signal)),
  list: (signal) => note('disk.list', () => disks.list(signal)),
  take: (disk, step, signal) => note(`disk.${step.kind}`, () => disks.take(disk, step, signal)),
  fill: (disk, fill, progress, signal) => note('disk.fill', () => disks.fill(disk, fill, progress, signal)),
});

const notedServer = (server: StorageServer, note: Note): StorageServer => ({
  ...server,
  see: (signal) => note('sweep', () => server.see(signal)),
  take: (step, signal) => note('pool.step', () => server.take(step, signal)),
  disks: server.disks === undefined ? undefined : notedDisks(server.disks, note),
});

export interface Notes {
  dial(dial: Dial): Dial;
  storage<W extends ServerWish>(driver: StorageServerDriver<W>): StorageServerDriver<W>;
  connect(connect: Connect): Connect;
  /** What was called since the last question. */
  driven(): readonly Driven[];
  /** What went over SSH to storage servers since the last question. */
  ssh(): SshUse;
}

/** Counts channels to each machine; its connections together, since sshd's limits are what matters. */
const createSshCount = () => {
  const open = new Map<string, number>();
  let use = { connections: 0, commands: 0, peak: 0 };
  const change = (machine: string, by: number): void => {
    const now = (open.get(machine) ?? 0) + by;
    open.set(machine, now);
    use.peak = Math.max(use.peak, now);
  };
  const connect =
    (dial: Connect): Connect =>
    async (endpoint, signal) => {
      const session = await dial(endpoint, signal);
      const machine = `${endpoint.ssh.host}:${endpoint.ssh.port}`;
      use.connections += 1;
      return {
        ...session,
        exec: async (argv, inner) => {
          use.commands += 1;
          change(machine, 1);
          try {
            const channel = await session.exec(argv, inner);
            channel.once('close', () => change(machine, -1));
            return channel;
          } catch (error) {
            change(machine, -1);
            throw error;
          }
        },
      };
    };
  const take = (): SshUse => {
    const taken = use;
    use = { connections: 0, commands: 0, peak: Math.max(0, ...open.values()) };
    return taken;
  };
  return { connect, take };
};

export const createNotes = (): Notes => {
  let noted: Driven[] = [];
  const ssh = createSshCount();
  const note: Note = async (call, run, xml) => {
    const fromMs = nowMs();
    const told = (fault?: string): void =>
      void noted.push({
        call,
        fromMs,
        toMs: nowMs(),
        ...(xml === undefined ? {} : { xml }),
        ...(fault === undefined ? {} : { fault }),
      });
    try {
      const answer = await run();
      told();
      return answer;
    } catch (error) {
      told(isFault(error) ? `${error.kind}: ${error.message}` : String(error));
      throw error;
    }
  };
  return {
    dial: (dial) => async (endpoint, signal) => notedRemote(await dial(endpoint, signal), note),
    storage: (driver) => ({ ...driver, open: (settings) => notedServer(driver.open(settings), note) }),
    connect: ssh.connect,
    driven: () => {
      const taken = noted;
      noted = [];
      return taken;
    },
    ssh: ssh.take,
  };
};
