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

  it('is over when its answer is late, too long, no answer, or not waited for', async () => {
    const [first] = await said('a');
    expect(await kindOf(ask('sleep', never, { timeoutMs: 50 }))).toBe('timeout');
    expect(await kindOf(ask('word', never, { maxOutputBytes: 3 }))).toBe('overflow');
    expect(await kindOf(ask('chat'))).toBe('protocol');
    const gone = new AbortController();
    const asked = ask('sleep', gone.signal);
    gone.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
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
