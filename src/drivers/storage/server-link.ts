/**
 * Connections to storage servers, shared by all pools: one per machine and account, kept while somebody has it open.
 * And one step at a time per machine, whatever number of pools share it.
 */
import { createHash } from 'node:crypto';
import { Fault, isFault } from '../../runtime/fault.ts';
import { safeText } from '../../runtime/text.ts';
import { createSlots, type Slots } from '../../wire/slots.ts';
import type { Program, ProgramOptions, RunOptions, RunResult, SshRunner } from '../../wire/ssh/runner.ts';
import { createSshRunner } from '../../wire/ssh/runner.ts';
import { connectSsh, type SshSession } from '../../wire/ssh/session.ts';
import type { ServerEndpoint } from './contract.ts';
import { secretLacks, toServerFault } from './server-fault.ts';

/** One server, as root: an account that is not root runs everything by `sudo -n`. Throws Fault only. */
export interface ServerLink {
  readonly endpoint: ServerEndpoint;
  /** Any exit code is a result, but for sudo's refusal (Fault `denied`, `SudoRefused`). */
  run(argv: readonly string[], options: RunOptions, signal: AbortSignal): Promise<RunResult>;
  /** For long transfers: read or leave `stdout`, and look at `ended`. Their errors are Faults too. */
  start(argv: readonly string[], options: ProgramOptions, signal: AbortSignal): Promise<Program>;
  /** The connection ends when the last one who opened it closes it. */
  close(): void;
}

export interface ServerLinks {
  /** Never waits for the machine. */
  open(endpoint: ServerEndpoint): ServerLink;
  /**
   * Runs `work` while nothing else runs so on any of these machines. Throws Fault `busy` when a machine did not become
   * free within `waitMs`.
   */
  exclusive<T>(
    endpoints: readonly ServerEndpoint[],
    waitMs: number,
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
}

const CONNECT_TIMEOUT_MS = 20_000;

export type Connect = (endpoint: ServerEndpoint, signal: AbortSignal) => Promise<SshSession>;

/** Throws Fault when the Secret lacks something, else SshError or the signal's reason. */
export const dialServer: Connect = async ({ name, ssh }, signal) => {
  const { sshKnownHosts, sshPrivateKey, sshPassword } = ssh.credentials;
  if (sshKnownHosts === undefined) throw secretLacks(name, 'the known host key for SSH');
  if (sshPrivateKey === undefined && sshPassword === undefined) {
    throw secretLacks(name, 'an SSH key or password');
  }
  const options = {
    host: ssh.host,
    port: ssh.port,
    user: ssh.user,
    hostKeys: sshKnownHosts,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...(sshPrivateKey === undefined ? {} : { privateKey: sshPrivateKey }),
    ...(sshPassword === undefined ? {} : { password: sshPassword }),
  };
  return connectSsh(options, signal);
};

const machineOf = ({ ssh }: ServerEndpoint): string => `${ssh.host}:${ssh.port}`;

/** No secret is kept as the key of a map. */
const accountOf = (endpoint: ServerEndpoint): string => {
  const { sshPrivateKey, sshPassword, sshKnownHosts } = endpoint.ssh.credentials;
  const secrets = JSON.stringify([sshPrivateKey ?? '', sshPassword ?? '', sshKnownHosts ?? '']);
  const digest = createHash('sha256').update(secrets).digest('hex');
  return `${machineOf(endpoint)} ${endpoint.ssh.user} ${digest}`;
};

/** sudo(8): it ends with 1 and says so itself when it may not run the program; one that is missing is another matter. */
const sudoRefused = ({ code, stderr }: RunResult): boolean =>
  code === 1 && /^(sudo: |sorry, user )/im.test(stderr) && !/command not found/i.test(stderr);

const faultOfSudo = ({ name, ssh }: ServerEndpoint, program: string, stderr: string): Fault =>
  new Fault(
    'denied',
    `The account ${ssh.user} of server ${name} may not run ${program} by sudo: ${safeText(stderr, 200)}`,
    { reason: 'SudoRefused', where: name },
  );

async function* withFaults(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw toServerFault(error, where);
  }
}

const linkOf = (endpoint: ServerEndpoint, runner: SshRunner, close: () => void): ServerLink => {
  const where = endpoint.name;
  const isRoot = endpoint.ssh.user === 'root';
  const elevated = (argv: readonly string[]): readonly string[] =>
    isRoot ? argv : ['sudo', '-n', '--', ...argv];
  const guarded = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      throw toServerFault(error, where);
    }
  };
  let open = true;
  return {
    endpoint,
    run: async (argv, options, signal) => {
      const result = await guarded(runner.run(elevated(argv), options, signal));
      if (!isRoot && sudoRefused(result)) throw faultOfSudo(endpoint, argv[0] ?? '', result.stderr);
      return result;
    },
    start: async (argv, options, signal) => {
      const program = await guarded(runner.start(elevated(argv), options, signal));
      const ended = guarded(program.ended);
      ended.catch(() => {});
      return { stdout: withFaults(program.stdout, where), stderr: () => program.stderr(), ended };
    },
    close: () => {
      if (open) close();
      open = false;
    },
  };
};

const takeTurn = async (
  slots: Slots,
  name: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<() => void> => {
  const patience = new AbortController();
  const busy = new Fault('busy', `Another step runs on server ${name}.`, { where: name });
  const timer = setTimeout(() => patience.abort(busy), waitMs);
  try {
    return await slots.acquire(AbortSignal.any([signal, patience.signal]));
  } catch (error) {
    throw isFault(error) ? error : toServerFault(error, name);
  } finally {
    clearTimeout(timer);
  }
};

/** Another `connect` is given by tests and benchmarks alone. */
export const createServerLinks = (connect: Connect = dialServer): ServerLinks => {
  const runners = new Map<string, { readonly runner: SshRunner; users: number }>();
  const turns = new Map<string, { readonly slots: Slots; users: number }>();

  const open: ServerLinks['open'] = (endpoint) => {
    const key = accountOf(endpoint);
    const shared = runners.get(key) ?? {
      runner: createSshRunner({ connect: (signal) => connect(endpoint, signal) }),
      users: 0,
    };
    runners.set(key, shared);
    shared.users += 1;
    return linkOf(endpoint, shared.runner, () => {
      shared.users -= 1;
      if (shared.users > 0) return;
      runners.delete(key);
      shared.runner.close();
    });
  };

  /** Machines in one order for everybody, so that two who need the same ones never wait for each other. */
  const exclusive: ServerLinks['exclusive'] = async (endpoints, waitMs, work, signal) => {
    const byMachine = new Map(endpoints.map((endpoint) => [machineOf(endpoint), endpoint.name]));
    const undo: (() => void)[] = [];
    try {
      for (const [machine, name] of [...byMachine].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        const turn = turns.get(machine) ?? { slots: createSlots(1), users: 0 };
        turns.set(machine, turn);
        turn.users += 1;
        undo.push(() => {
          turn.users -= 1;
          if (turn.users === 0) turns.delete(machine);
        });
        undo.push(await takeTurn(turn.slots, name, waitMs, signal));
      }
      return await work();
    } finally {
      for (const step of undo.toReversed()) step();
    }
  };

  return { open, exclusive };
};
