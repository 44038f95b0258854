import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SshError } from './errors.ts';
import { createSshRunner, type SshRunner } from './runner.ts';
import { connectSsh, type SshOptions } from './session.ts';
import { startTestSshServer, type TestSshServer } from './testing/ssh-server.ts';

const never = new AbortController().signal;
const sh = (script: string, ...words: string[]): string[] => ['sh', '-c', script, 'sh', ...words];
const kindOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: SshError) => error.kind,
  );

async function* repeat(chunk: Uint8Array, times: number): AsyncGenerator<Uint8Array> {
  for (let left = times; left > 0; left -= 1) yield chunk;
}

describe('the SSH runner', () => {
  let server: TestSshServer;
  let runner: SshRunner;
  beforeEach(async () => {
    server = await startTestSshServer();
    runner = createSshRunner({ connect: (signal) => connectSsh(server.options, signal) });
  });
  afterEach(async () => {
    runner.close();
    await server.stop();
  });

  it('gives a program its words and its input, and tells output, errors and exit code apart', async () => {
    const words = [`it's`, '$(id)', '; exit 9', ''];
    const argv = sh('printf "<%s>" "$@"; cat; echo bad >&2; exit 3', ...words);
    const result = await runner.run(argv, { stdin: 'in\n' }, never);
    expect(result).toEqual({
      code: 3,
      signal: undefined,
      stdout: `<it's><$(id)><; exit 9><>in\n`,
      stderr: 'bad\n',
    });
  });

  it('tells a program that a signal ended', async () => {
    expect(await runner.run(sh('kill -TERM $$'), {}, never)).toMatchObject({ code: -1, signal: 'SIGTERM' });
  });

  it('uses one connection and at most eight channels', async () => {
    const runs = Array.from({ length: 30 }, (_, index) => runner.run(sh(`echo ${index}`), {}, never));
    const outputs = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
    expect(outputs).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect(server.counts()).toMatchObject({ connections: 1, channels: 0 });
    expect(server.counts().mostChannels).toBeLessThanOrEqual(8);
  });

  it('tells of a lost connection, and opens a new one for the next program', async () => {
    const program = await runner.start(sh('echo ready; sleep 60'), {}, never);
    const reader = program.stdout[Symbol.asyncIterator]();
    await reader.next();
    server.cut();
    expect(await kindOf(reader.next())).toBe('closed');
    expect(await kindOf(program.ended)).toBe('closed');
    expect((await runner.run(['echo', 'again'], {}, never)).stdout).toBe('again\n');
    expect(server.counts().connections).toBe(2);
  });

  it('ends a program at its time limit and does not trust the connection further', async () => {
    expect(await kindOf(runner.run(['sleep', '60'], { timeoutMs: 100 }, never))).toBe('timeout');
    expect((await runner.run(['echo', 'again'], {}, never)).code).toBe(0);
    expect(server.counts().connections).toBe(2);
  });

  it('ends a program that says too much', async () => {
    expect(await kindOf(runner.run(['yes'], { maxOutputBytes: 10_000 }, never))).toBe('overflow');
  });

  it('gives the signal its reason and the place back', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const runs = Array.from({ length: 9 }, () => runner.run(['sleep', '60'], {}, stop.signal));
    stop.abort(reason);
    expect(await Promise.all(runs.map((run) => run.catch((error: unknown) => error)))).toEqual(
      Array.from({ length: 9 }, () => reason),
    );
    expect((await runner.run(['echo', 'again'], {}, never)).code).toBe(0);
  });

  it('tries a new connection after a refused channel', async () => {
    server.refuseChannels(true);
    expect(await kindOf(runner.run(['true'], {}, never))).toMatch(/absent|prohibited/);
    server.refuseChannels(false);
    expect((await runner.run(['true'], {}, never)).code).toBe(0);
  });

  it('tells refused credentials and a foreign host key, and tries again when asked again', async () => {
    let options: SshOptions = { ...server.options, password: 'wrong' };
    const other = createSshRunner({ connect: (signal) => connectSsh(options, signal) });
    expect(await kindOf(other.run(['true'], {}, never))).toBe('authentication');
    options = { ...server.options, hostKeys: `ssh-ed25519 ${Buffer.from('another').toString('base64')}` };
    expect(await kindOf(other.run(['true'], {}, never))).toBe('hostKeyMismatch');
    options = server.options;
    expect((await other.run(['true'], {}, never)).code).toBe(0);
    other.close();
    expect(await kindOf(other.run(['true'], {}, never))).toBe('closed');
  });

  it('carries long streams both ways', async () => {
    const chunk = new Uint8Array(65_536).fill(7);
    const program = await runner.start(['cat'], { stdin: repeat(chunk, 200), timeoutMs: Infinity }, never);
    let bytes = 0;
    for await (const part of program.stdout) bytes += part.length;
    expect(bytes).toBe(200 * 65_536);
    expect(await program.ended).toEqual({ code: 0, signal: undefined });
  });

  it('reads a source no faster than the program takes it', async () => {
    let taken = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 1;
        yield new Uint8Array(65_536);
      }
    }
    const run = runner.run(['sleep', '60'], { stdin: source(), timeoutMs: Infinity, idleMs: 300 }, never);
    expect(await kindOf(run)).toBe('timeout');
    // The windows of both ends and the pipe hold a few MiB; an unbounded writer would be far beyond.
    expect(taken).toBeLessThan(150);
  });

  it('does not count the time that a slow source or a slow reader takes', async () => {
    async function* slow(): AsyncGenerator<Uint8Array> {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      yield new Uint8Array(8);
    }
    const program = await runner.start(['cat'], { stdin: slow(), timeoutMs: Infinity, idleMs: 1_000 }, never);
    for await (const part of program.stdout) {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      expect(part.length).toBe(8);
    }
    expect((await program.ended).code).toBe(0);
  });

  it('hands on the failure of a source, and ends the program', async () => {
    const broken = new Error('the download broke');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(8);
      throw broken;
    }
    await expect(runner.run(['cat'], { stdin: source() }, never)).rejects.toBe(broken);
  });

  it('does not mind a program that leaves input unread', async () => {
    const run = runner.run(['true'], { stdin: repeat(new Uint8Array(65_536), 500) }, never);
    expect((await run).code).toBe(0);
  });

  it('ends a program whose output is left', async () => {
    const program = await runner.start(['yes'], {}, never);
    for await (const part of program.stdout) if (part.length > 0) break;
    expect(await kindOf(program.ended)).toBe('closed');
  });
});
