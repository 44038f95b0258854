import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a finished command left behind. `code` is -1 when a signal ended it. */
export type RunResult = { stdout: string; stderr: string; code: number };

export type RunOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  stdin?: string;
  /** Do not throw when the exit code is not 0. */
  allowFailure?: boolean;
  /** Pass standard output and error through to this process's own. */
  inherit?: boolean;
};

/** Splits an argv into program and arguments; an empty argv is a programming error. */
const programOf = (argv: readonly string[]): [string, string[]] => {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('empty argv');
  return [program, args];
};

/**
 * Runs one command to its end. No shell is involved: `argv[0]` is the program.
 * Throws with the tail of standard error when the code is not 0 (unless `allowFailure`).
 */
export const run = async (
  argv: readonly string[],
  options: RunOptions = {},
  signal?: AbortSignal,
): Promise<RunResult> => {
  const [program, args] = programOf(argv);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: [
      'pipe',
      options.inherit === true ? 'inherit' : 'pipe',
      options.inherit === true ? 'inherit' : 'pipe',
    ],
    ...(signal === undefined ? {} : { signal }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that does not read its input closes the pipe; that is no failure of ours.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.stdin ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? -1));
  });
  if (code !== 0 && options.allowFailure !== true) {
    throw new Error(`${argv.join(' ')} ended with ${code}: ${(stderr || stdout).slice(-2000)}`);
  }
  return { stdout, stderr, code };
};

/** A long-running process of the lab. */
export type Daemon = {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  /** Resolves with the exit code (or -1 after a signal) once the process is gone. */
  readonly exited: Promise<number>;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `limitMs`; resolves when the process is gone. */
  stop(limitMs?: number): Promise<void>;
};

export type DaemonOptions = {
  name: string;
  argv: readonly string[];
  logPath: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Leave it running when this process ends (for `make lab`). */
  detached?: boolean;
};

/** prctl(2), PR_SET_PDEATHSIG: a test run that is killed takes its servers with it. */
const dieWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'];

/** Starts a process whose output goes to `logPath` (appended). Throws when it cannot be started at all. */
export const startDaemon = async (options: DaemonOptions): Promise<Daemon> => {
  const [program, args] = programOf(
    options.detached === true ? options.argv : [...dieWithParent, ...options.argv],
  );
  const log = openSync(options.logPath, 'a');
  let child: ChildProcess;
  try {
    // Its own process group in every case: a Ctrl-C in the terminal must reach the lab, not its servers.
    child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.name} has no pid`);
  if (options.detached === true) child.unref();
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const kill = (signal: NodeJS.Signals): void => {
    if (running()) child.kill(signal);
  };
  return {
    name: options.name,
    pid,
    logPath: options.logPath,
    exited,
    running,
    kill,
    stop: async (limitMs = 10_000) => {
      if (!running()) return;
      kill('SIGTERM');
      // SIGSTOPped processes take SIGTERM only once they go on.
      kill('SIGCONT');
      const timer = setTimeout(() => kill('SIGKILL'), limitMs);
      await exited;
      clearTimeout(timer);
    },
  };
};

/** The last lines of a log, for error messages. */
export const logTail = (logPath: string, characters = 1500): string => {
  try {
    return readFileSync(logPath, 'utf8').slice(-characters);
  } catch {
    return '(no log)';
  }
};

/**
 * Waits for `probe` to be true while the given daemons stay alive.
 * Throws with the log of a daemon that died, or when `limitMs` has passed.
 */
export const waitUntil = async (
  what: string,
  probe: () => Promise<boolean> | boolean,
  options: { limitMs: number; stepMs?: number; alive?: readonly Daemon[] },
  signal?: AbortSignal,
): Promise<void> => {
  const end = Date.now() + options.limitMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await probe()) return;
    for (const daemon of options.alive ?? []) {
      if (!daemon.running())
        throw new Error(`${daemon.name} ended while waiting for ${what}: ${logTail(daemon.logPath)}`);
    }
    if (Date.now() > end) {
      const logs = (options.alive ?? [])
        .map((daemon) => `${daemon.name}: ${logTail(daemon.logPath)}`)
        .join('\n');
      throw new Error(`${what} did not happen in ${options.limitMs} ms\n${logs}`);
    }
    await sleep(options.stepMs ?? 50, undefined, signal === undefined ? {} : { signal });
  }
};

/** True while a process with this id exists and is not a zombie. */
export const pidAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** SIGTERM, then SIGKILL, for a process known by its pid alone; resolves when it is gone. */
export const stopPid = async (pid: number, limitMs = 10_000): Promise<void> => {
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone between the look and the signal: that is what we want.
    }
  };
  if (!pidAlive(pid)) return;
  send('SIGTERM');
  send('SIGCONT');
  const killAt = Date.now() + limitMs;
  while (pidAlive(pid)) {
    if (Date.now() > killAt) send('SIGKILL');
    await sleep(20);
  }
};
