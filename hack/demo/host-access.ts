/** A host as its administrator sees it: through virsh, not through the operator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { run } from '../lab/process.ts';

export interface HostAccess {
  /** Name of its Host object, such as kvm.node1. */
  readonly host: string;
  /** URI for virsh on this machine. */
  readonly uri: string;
  /** What a person types instead of `virsh`, once the stage's `enter` lines are typed. */
  readonly shell: string;
}

/** Standard output of virsh on that host. Throws with its error. */
export const virsh = async (access: HostAccess, ...args: readonly string[]): Promise<string> =>
  (await run(['virsh', '-q', '-c', access.uri, ...args])).stdout;

/** The same; empty when virsh says no. */
export const virshOrNothing = async (access: HostAccess, ...args: readonly string[]): Promise<string> =>
  (await run(['virsh', '-q', '-c', access.uri, ...args], { allowFailure: true })).stdout;

export interface SerialLine {
  /** Everything the machine has said so far, oldest first. */
  readonly lines: readonly string[];
  /** The first line after the first `from` ones that matches. Throws after `limitMs`. */
  next(pattern: RegExp, from: number, limitMs: number): Promise<string>;
  /**
   * Runs a command in the shell that the guest keeps on this port and returns what it printed. It is sent again where
   * no answer comes for long, so it must be one that may run twice. Throws after `limitMs`.
   */
  ask(command: string, limitMs: number): Promise<string>;
  stop(): void;
}

/** Escape sequences and carriage returns, which a firmware and a kernel send plenty of. */
const plain = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replaceAll(/\u001b(?:[[()][0-9;?]*[A-Za-z0-9]|.)|[^\P{Cc}\t]/gu, '').trim();

const retryMs = 200;
const askAgainMs = 30_000;

/**
 * Listens to a machine's serial port by `virsh console`, from its next moment of running on and over its restarts.
 * virsh wants a terminal: script(1) gives it one.
 */
export const listen = (access: HostAccess, domain: string, signal: AbortSignal): SerialLine => {
  const lines: string[] = [];
  const wakers = new Set<() => void>();
  let stopped = false;
  let child: ChildProcess | undefined;
  let rest = '';
  let trouble = '';

  const take = (text: string): void => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map(plain).filter((line) => line !== ''));
    for (const wake of wakers) wake();
  };
  const open = (): void => {
    if (stopped) return;
    const command = `virsh -q -c '${access.uri}' console --force '${domain}'`;
    const opened = spawn('script', ['-qefc', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TERM: 'dumb' },
    });
    child = opened;
    opened.stdout.setEncoding('utf8').on('data', take);
    opened.stderr.setEncoding('utf8').on('data', (text: string) => (trouble = text.trim()));
    opened.stdin.on('error', () => undefined);
    opened.once('error', (error) => (trouble = error.message));
    opened.once('close', () => setTimeout(open, retryMs));
  };
  const stop = (): void => {
    stopped = true;
    child?.kill('SIGTERM');
  };
  signal.addEventListener('abort', stop, { once: true });
  open();

  const next: SerialLine['next'] = (pattern, from, limitMs) => {
    const done = Promise.withResolvers<string>();
    const check = (): void => {
      const found = lines.slice(from).find((line) => pattern.test(line));
      if (found !== undefined) done.resolve(found);
    };
    const abort = (): void => done.reject(signal.reason);
    const timer = setTimeout(() => {
      const said = [...lines.slice(from).slice(-10), trouble].join('\n');
      done.reject(new Error(`the guest did not say ${pattern.source} within ${limitMs / 1000} s:\n${said}`));
    }, limitMs);
    wakers.add(check);
    signal.addEventListener('abort', abort);
    check();
    return done.promise.finally(() => {
      clearTimeout(timer);
      wakers.delete(check);
      signal.removeEventListener('abort', abort);
    });
  };
  const ask: SerialLine['ask'] = async (command, limitMs) => {
    const mark = randomUUID().slice(0, 8);
    const from = lines.length;
    // The shell echoes what it is sent: the quotes keep the echo from looking like the answer.
    const send = (): void =>
      void child?.stdin?.write(`echo be''gin-${mark}; ${command}; echo en''d-${mark}\n`);
    const again = setInterval(send, askAgainMs);
    try {
      send();
      await next(new RegExp(`^end-${mark}$`), from, limitMs);
    } finally {
      clearInterval(again);
    }
    const end = lines.indexOf(`end-${mark}`, from);
    const said = lines.slice(lines.lastIndexOf(`begin-${mark}`, end) + 1, end);
    return said.filter((line) => !line.startsWith('ovcp-guest ')).join('\n');
  };

  return { lines, stop, next, ask };
};
