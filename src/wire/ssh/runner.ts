/**
 * Programs on one server over one SSH connection: opened when first needed, opened again after a loss, at most eight
 * channels at once. Programs get an argv and standard input; nothing is ever put together as shell text.
 */
import { raceAbort } from '../signals.ts';
import { createSlots } from '../slots.ts';
import { SshError } from './errors.ts';
import { attend, type Exit, type Program, type ProgramOptions } from './program.ts';
import type { SshSession } from './session.ts';

export type { Exit, Program, ProgramOptions };

export type RunOptions = ProgramOptions & {
  /** More than this on standard output ends the program and is SshError `overflow`. Default 4 MiB. */
  maxOutputBytes?: number;
};

export type RunResult = Exit & {
  /** As UTF-8. */
  stdout: string;
  /** The first 64 KiB, as UTF-8. */
  stderr: string;
};

export type SshRunner = {
  /** Runs a program to its end and collects what it says. Any exit code is a result; only SshError or the signal's reason is thrown. */
  run(argv: readonly string[], options: RunOptions, signal: AbortSignal): Promise<RunResult>;
  /** For long transfers. Its place is held until the program is over: read or leave `stdout`, and look at `ended`. */
  start(argv: readonly string[], options: ProgramOptions, signal: AbortSignal): Promise<Program>;
  /** Ends the connection and every program on it. Nothing can be started afterwards. */
  close(): void;
};

export type SshRunnerOptions = {
  /** One new connection: `connectSsh` with the server's options. */
  connect: (signal: AbortSignal) => Promise<SshSession>;
  /** Programs at the same time; more wait in line. Default 8, below sshd's MaxSessions of 10. */
  channels?: number;
};

const DEFAULT_CHANNELS = 8;
const DEFAULT_OUTPUT_BYTES = 4 * 1024 * 1024;

type Link = { session: Promise<SshSession>; programs: number; retired: boolean };

/** One connection in use; one that failed somebody is used for nothing new and closed after its last program. */
const createLinks = (connect: SshRunnerOptions['connect']) => {
  const ending = new AbortController();
  const links = new Set<Link>();
  let current: Link | undefined;
  const drop = (link: Link): void => {
    links.delete(link);
    link.session.then(
      (session) => session.close(),
      () => {},
    );
  };
  const retire = (link: Link): void => {
    if (current === link) current = undefined;
    link.retired = true;
    if (link.programs === 0) drop(link);
  };
  const dial = (): Link => {
    const link: Link = { session: connect(ending.signal), programs: 0, retired: false };
    links.add(link);
    const forget = (): void => retire(link);
    link.session.then((session) => session.closed.then(forget), forget);
    return link;
  };
  return {
    enter: (): Link => {
      if (ending.signal.aborted) throw new SshError('closed', 'the connection was closed by us');
      current ??= dial();
      current.programs += 1;
      return current;
    },
    leave: (link: Link): void => {
      link.programs -= 1;
      if (link.retired && link.programs === 0) drop(link);
    },
    retire,
    close: (): void => {
      ending.abort(new SshError('closed', 'the connection was closed by us'));
      current = undefined;
      for (const link of links) drop(link);
    },
  };
};

const collect = async (program: Program, what: string, room: number): Promise<RunResult> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of program.stdout) {
    length += chunk.length;
    if (length > room) throw new SshError('overflow', `${what}: more than ${room} bytes of output`);
    parts.push(chunk);
  }
  const exit = await program.ended;
  return { ...exit, stdout: Buffer.concat(parts).toString('utf8'), stderr: program.stderr() };
};

export const createSshRunner = ({ connect, channels = DEFAULT_CHANNELS }: SshRunnerOptions): SshRunner => {
  const slots = createSlots(channels);
  const links = createLinks(connect);

  const start: SshRunner['start'] = async (argv, options, signal) => {
    const release = await slots.acquire(signal);
    let link: Link | undefined;
    const finish = (): void => {
      if (link !== undefined) links.leave(link);
      link = undefined;
      release();
    };
    try {
      link = links.enter();
      const opened = link;
      const session = await raceAbort(opened.session, signal);
      const what = argv[0] ?? '';
      const channel = await session.exec(argv, signal);
      const program = attend(channel, what, options, signal);
      program.ended.then(finish, () => {
        // The connection may be dead, or sshd keeps a place for a program that hangs: the next one gets a new one.
        links.retire(opened);
        finish();
      });
      return program;
    } catch (error) {
      if (link !== undefined && error instanceof SshError) links.retire(link);
      finish();
      throw error;
    }
  };

  const run: SshRunner['run'] = async (argv, options, signal) => {
    const program = await start(argv, options, signal);
    return collect(program, argv[0] ?? '', options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES);
  };

  return { run, start, close: links.close };
};
