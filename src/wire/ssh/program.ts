/** One program on one channel: input and output with backpressure, limits, and how it ended. */
import { once } from 'node:events';
import type { ClientChannel } from 'ssh2';
import { raceAbort } from '../signals.ts';
import { SshError } from './errors.ts';

/** How a program ended; `code` is -1 when a signal ended it. */
export type Exit = { code: number; signal: string | undefined };

export type ProgramOptions = {
  /** Bytes for standard input, which is closed after them; a source is read only as fast as the program takes it. */
  stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** From the start of the program to its exit. Default 60 s; `Infinity` for transfers, which give `idleMs`. */
  timeoutMs?: number;
  /** Nothing moved for this long while it was the program's turn (not the source's, not the reader's). Default none. */
  idleMs?: number;
};

export type Program = {
  /** Must be read to its end, or left (which ends the program). Throws SshError or the signal's reason. */
  stdout: AsyncIterable<Uint8Array>;
  /** What it wrote to standard error so far: the first 64 KiB, as text. */
  stderr(): string;
  /** Resolves once the program is over and its output was read. Rejects with SshError or the signal's reason. */
  ended: Promise<Exit>;
};

const DEFAULT_TIMEOUT_MS = 60_000;
const STDERR_BYTES = 65_536;
/** Beyond this setTimeout fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const timer = (afterMs: number | undefined, run: () => void): (() => void) => {
  if (afterMs === undefined || afterMs > LONGEST_TIMER_MS) return () => {};
  const handle = setTimeout(run, afterMs);
  return () => clearTimeout(handle);
};

/** Counts time only while nobody on our side is the one that is waited for. */
const createIdle = (limitMs: number | undefined, onIdle: () => void) => {
  let holds = 0;
  let stopped = false;
  let cancel = (): void => {};
  const restart = (): void => {
    cancel();
    cancel = holds > 0 || stopped ? () => {} : timer(limitMs, onIdle);
  };
  restart();
  return {
    moved: restart,
    ours: async <T>(wait: Promise<T>): Promise<T> => {
      holds += 1;
      restart();
      try {
        return await wait;
      } finally {
        holds -= 1;
        restart();
      }
    },
    stop: () => {
      stopped = true;
      restart();
    },
  };
};

const collectStderr = (channel: ClientChannel): (() => string) => {
  const parts: Buffer[] = [];
  let room = STDERR_BYTES;
  channel.stderr.on('data', (chunk: Buffer) => {
    if (room > 0) parts.push(chunk.subarray(0, room));
    room -= chunk.length;
  });
  return () => Buffer.concat(parts).toString('utf8');
};

type Idle = ReturnType<typeof createIdle>;

/** Writes the source as fast as the channel drains; a program that ends before reading everything is no error here. */
const pump = async (
  channel: ClientChannel,
  source: AsyncIterable<Uint8Array>,
  idle: Idle,
  over: AbortSignal,
): Promise<void> => {
  const chunks = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await raceAbort(idle.ours(chunks.next()), over);
      if (next.done === true) break;
      idle.moved();
      if (!channel.write(next.value)) await once(channel, 'drain', { signal: over });
      idle.moved();
    }
    channel.end();
  } finally {
    // Not awaited: a source that hangs must not keep the program's end from being told.
    if (over.aborted) chunks.return?.().catch(() => {});
  }
};

/** Resolves when there is something to read, no more to come, or the program is over. */
const moreOrOver = (channel: ClientChannel, over: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      channel.off('readable', done);
      channel.off('end', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    channel.on('readable', done);
    channel.on('end', done);
    over.addEventListener('abort', done);
  });

async function* outputOf(channel: ClientChannel, idle: Idle, over: AbortSignal, ended: Promise<Exit>) {
  for (;;) {
    const chunk: unknown = channel.read();
    if (chunk instanceof Buffer) {
      idle.moved();
      const taken = Promise.withResolvers<void>();
      const waiting = idle.ours(taken.promise);
      try {
        yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      } finally {
        taken.resolve();
        await waiting;
      }
    } else if (channel.readableEnded) {
      await ended;
      return;
    } else if (over.aborted) {
      // The failure that ended the waiting is the one to tell.
      await ended;
      return;
    } else await moreOrOver(channel, over);
  }
}

const exitOf = (channel: ClientChannel, what: string): Promise<Exit> =>
  new Promise((resolve, reject) => {
    channel.once('close', (code?: number | null, signal?: string) => {
      if (typeof code === 'number') resolve({ code, signal: undefined });
      else if (signal !== undefined) resolve({ code: -1, signal });
      else reject(new SshError('closed', `${what}: the SSH connection ended before the program did`));
    });
  });

/**
 * Takes a channel on which `what` was just started. On a time limit, an abort or a source that throws, the program
 * gets SIGKILL where sshd passes it on, and its channel is closed; it may still finish what it was at.
 */
export const attend = (
  channel: ClientChannel,
  what: string,
  options: ProgramOptions,
  signal: AbortSignal,
): Program => {
  const failure = Promise.withResolvers<never>();
  const over = new AbortController();
  const fail = (error: unknown): void => {
    if (over.signal.aborted) return;
    failure.reject(error);
    over.abort(error);
    channel.signal('KILL');
    channel.close();
    channel.resume();
  };
  const late = (ms: number | undefined, words: string) => () =>
    fail(new SshError('timeout', `${what}: ${words} ${ms ?? 0} ms`));
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const cancelTimeout = timer(timeoutMs, late(timeoutMs, 'not finished within'));
  const idle = createIdle(options.idleMs, late(options.idleMs, 'nothing moved for'));
  const stop = (): void => fail(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const exit = exitOf(channel, what);
  const ended = Promise.race([exit, failure.promise]).finally(() => {
    cancelTimeout();
    idle.stop();
    signal.removeEventListener('abort', stop);
    over.abort();
  });
  ended.catch(() => {});
  const { stdin } = options;
  // A program may end without reading: the broken pipe is not ours to report.
  channel.on('error', () => {});
  if (stdin === undefined || typeof stdin === 'string' || stdin instanceof Uint8Array)
    channel.end(stdin ?? '');
  else pump(channel, stdin, idle, over.signal).catch(fail);
  const stdout = async function* (): AsyncGenerator<Uint8Array> {
    let complete = false;
    try {
      yield* outputOf(channel, idle, over.signal, ended);
      complete = true;
    } finally {
      if (!complete) fail(new SshError('closed', `${what}: its output was not read to the end`));
    }
  };
  return { stdout: stdout(), stderr: collectStderr(channel), ended };
};
