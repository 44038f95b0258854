import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Conversations, createConversations, type Said } from './conversation.ts';
import type { SshError } from './errors.ts';
import { createSshRunner, type SshRunner } from './runner.ts';
import { connectSsh } from './session.ts';
import { startTestSshServer, type TestSshServer } from './testing/ssh-server.ts';

const never = new AbortController().signal;
/** Answers with its own process id and the request; words make it late, silent or dead. */
const program = `
import os, sys, time
while True:
    line = sys.stdin.buffer.readline()
    if not line: break
    request = sys.stdin.buffer.read(int(line)).decode()
    if request == 'die': sys.stderr.write('so be it'); sys.stderr.flush(); os._exit(3)
    if request == 'sleep': time.sleep(60)
    if request == 'chat': sys.stdout.write('hello\\n'); sys.stdout.flush()
    if request == 'breathe': sys.stdout.write('   '); sys.stdout.flush()
    answer = ('%d %s' % (os.getpid(), request)).encode()
    sys.stdout.buffer.write(b'%d\\n' % len(answer) + answer)
    sys.stdout.flush()
`;
const boot = 'import sys; b = sys.stdin.buffer; exec(b.read(int(b.readline())))';
const argv = ['python3', '-c', boot];
const head = `${program.length}\n${program}`;

describe('a conversation with a program', () => {
  let server: TestSshServer;
  let runner: SshRunner;
  let conversations: Conversations;
  const ask = (request: string, signal = never, options = {}, more = ''): Promise<Said> =>
    conversations.ask(
      { argv, head: more === '' ? head : `${program.length + 1}\n${program}${more}`, request },
      options,
      signal,
    );
  const said = async (request: string, more = ''): Promise<readonly [string, string]> => {
    const answer = await ask(request, never, {}, more);
    if (answer.kind !== 'answer') throw new Error(answer.stderr);
    const [pid = '', word = ''] = answer.text.split(' ');
    return [pid, word];
  };
  const kindOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'no failure',
      (error: SshError) => error.kind,
    );
  beforeEach(async () => {
    server = await startTestSshServer();
    runner = createSshRunner({ connect: (signal) => connectSsh(server.options, signal) });
    conversations = createConversations(runner);
  });
  afterEach(async () => {
    conversations.close();
    runner.close();
    await server.stop();
  });

  it('goes on with the one that answered before, and has another for whoever asks meanwhile', async () => {
    const [first, word] = await said('größe');
    expect(word).toBe('größe');
    expect((await said('breathe'))[0]).toBe(first);
    const pair = await Promise.all([said('one'), said('two')]);
    expect(pair.map(([, it]) => it)).toEqual(['one', 'two']);
    expect(new Set(pair.map(([pid]) => pid)).size).toBe(2);
    expect(pair.map(([pid]) => pid)).toContain(first);
  });

  it('has six at once for any number of requests, keeps two, and shares none with another program', async () => {
    const many = await Promise.all(Array.from({ length: 40 }, (_, index) => said(`${index}`)));
    expect(many.map(([, word]) => Number(word))).toEqual(Array.from({ length: 40 }, (_, index) => index));
    const pids = new Set(many.map(([pid]) => pid));
    expect(pids.size).toBe(6);
    const [other] = await said('x', '\n');
    expect(pids).not.toContain(other);
    expect(server.counts().mostChannels).toBeLessThanOrEqual(8);
    await vi.waitFor(() => expect(server.counts().channels).toBeLessThanOrEqual(3), 5000);
    conversations.close();
    await vi.waitFor(() => expect(server.counts().channels).toBe(0), 5000);
  });

  it('tells how a program ended that did not answer, and begins anew', async () => {
    const [first] = await said('a');
    expect(await ask('die')).toEqual({
      kind: 'ended',
      exit: { code: 3, signal: undefined },
      stderr: 'so be it',
    });
    expect((await said('b'))[0]).not.toBe(first);
  });

  it('is over when its answer is late, too long, or no answer', async () => {
    const [first] = await said('a');
    expect(await kindOf(ask('sleep', never, { timeoutMs: 50 }))).toBe('timeout');
    expect(await kindOf(ask('word', never, { maxOutputBytes: 3 }))).toBe('overflow');
    expect(await kindOf(ask('chat'))).toBe('protocol');
    expect((await said('b'))[0]).not.toBe(first);
  });

  it('notices that one ended while nobody asked it', async () => {
    const [first] = await said('a');
    process.kill(Number(first), 'SIGKILL');
    await vi.waitFor(() => expect(server.counts().channels).toBe(0));
    expect((await said('b'))[0]).not.toBe(first);
    server.cut();
    await vi.waitFor(() => expect(server.counts().open).toBe(0));
    expect(await said('c')).toMatchObject({ 1: 'c' });
  });
});

/** Programs that answer when the test says so. */
const playedRunner = () => {
  const programs: { readonly heard: string[]; answer(text: string): void }[] = [];
  const listen = async (
    heard: string[],
    stdin: AsyncIterable<Uint8Array>,
    output: PassThrough,
  ): Promise<void> => {
    for await (const piece of stdin) heard.push(Buffer.from(piece).toString('utf8'));
    output.end();
  };
  const start: SshRunner['start'] = async (_argv, { stdin }) => {
    const [heard, stdout] = [[] as string[], new PassThrough()];
    listen(heard, stdin as AsyncIterable<Uint8Array>, stdout).catch(() => {});
    programs.push({ heard, answer: (text) => void stdout.write(`${text.length}\n${text}`) });
    const ended = once(stdout, 'close').then(() => ({ code: 0, signal: undefined }));
    return { stdout, stderr: () => '', ended };
  };
  return { programs, start };
};

describe('a request that is given up', () => {
  const question = (request: string) => ({ argv: ['agent'], head: 'head', request });
  const played = playedRunner();
  const conversations = createConversations(played);
  const sent = (at: number, text: string) =>
    vi.waitFor(() => expect(played.programs[at]?.heard.at(-1)).toContain(text));

  it('is answered to nobody, and its program goes on; what nobody wants any more is not sent', async () => {
    const gone = new AbortController();
    const one = conversations.ask(question('one'), {}, gone.signal);
    await sent(0, 'one');
    gone.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');

    const two = conversations.ask(question('two'), {}, never);
    await sent(1, 'two');
    played.programs[0]?.answer('to one');
    played.programs[1]?.answer('to two');
    expect(await two).toEqual({ kind: 'answer', text: 'to two' });
    await pause(20);

    const late = new AbortController();
    const unsent = conversations.ask(question('unsent'), {}, late.signal);
    late.abort(new Error('too late'));
    await expect(unsent).rejects.toThrow('too late');

    const rest = ['three', 'four'].map((text) => conversations.ask(question(text), {}, never));
    // Two heads and four requests.
    await vi.waitFor(() => expect(played.programs.flatMap(({ heard }) => heard)).toHaveLength(6));
    for (const program of played.programs) program.answer(`to ${program.heard.at(-1)?.split('\n')[1]}`);
    expect(await Promise.all(rest)).toEqual([
      { kind: 'answer', text: 'to three' },
      { kind: 'answer', text: 'to four' },
    ]);
    expect(played.programs).toHaveLength(2);
    expect(played.programs.flatMap(({ heard }) => heard).join()).not.toContain('unsent');
    conversations.close();
  });
});
