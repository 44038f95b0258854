import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../runtime/fault.ts';
import { startTestSshServer, type TestSshServer } from '../../wire/ssh/testing/ssh-server.ts';
import type { ServerEndpoint } from './contract.ts';
import { createServerLinks, type ServerLinks } from './server-link.ts';

const never = new AbortController().signal;
const faultOf = async (promise: Promise<unknown>): Promise<Pick<Fault, 'kind' | 'reason' | 'message'>> =>
  promise.then(
    () => ({ kind: 'bug', reason: undefined, message: 'nothing was thrown' }),
    ({ kind, reason, message }: Fault) => ({ kind, reason, message }),
  );

describe('links to storage servers', () => {
  let server: TestSshServer;
  let links: ServerLinks;
  let endpoint: ServerEndpoint;
  const as = (change: Partial<ServerEndpoint['ssh']>): ServerEndpoint => ({
    ...endpoint,
    ssh: { ...endpoint.ssh, ...change },
  });
  beforeEach(async () => {
    server = await startTestSshServer();
    links = createServerLinks();
    const { host, port, hostKeys } = server.options;
    const credentials = { sshPassword: 'secret', sshKnownHosts: hostKeys };
    endpoint = { name: 'g1', address: host, ssh: { host, port, user: 'root', credentials } };
  });
  afterEach(() => server.stop());

  it('share one connection among all who have the same account, until the last closes', async () => {
    const [one, two] = [links.open(endpoint), links.open({ ...endpoint, name: 'target' })];
    expect((await one.run(['echo', 'a'], {}, never)).stdout).toBe('a\n');
    one.close();
    one.close();
    expect((await two.run(['echo', 'b'], {}, never)).stdout).toBe('b\n');
    expect(server.counts().connections).toBe(1);
    two.close();
    expect(await faultOf(two.run(['true'], {}, never))).toMatchObject({ kind: 'unreachable' });
    const three = links.open(endpoint);
    expect((await three.run(['echo', 'c'], {}, never)).stdout).toBe('c\n');
    expect(server.counts().connections).toBe(2);
    three.close();
  });

  it('open at most eight channels of it, whatever number of pools ask at once', async () => {
    const pools = Array.from({ length: 5 }, (_, index) => links.open({ ...endpoint, name: `pool-${index}` }));
    const runs = pools.flatMap((pool, row) =>
      Array.from({ length: 8 }, (_, index) => pool.run(['echo', `${8 * row + index}`], {}, never)),
    );
    const outputs = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
    expect(outputs).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(server.counts().connections).toBe(1);
    expect(server.counts().mostChannels).toBeLessThanOrEqual(8);
    for (const pool of pools) pool.close();
  });

  it.each([
    [
      'a wrong host key',
      { sshPassword: 'secret', sshKnownHosts: 'other ssh-ed25519 AAAA' },
      'unreachable',
      'HostKeyMismatch',
    ],
    ['no host key', { sshPassword: 'secret' }, 'invalid', 'SecretInvalid'],
    ['no password or key', { sshKnownHosts: 'x' }, 'invalid', 'SecretInvalid'],
  ])('tell %s by its reason', async (_, credentials, kind, reason) => {
    const link = links.open(as({ credentials }));
    expect(await faultOf(link.run(['true'], {}, never))).toMatchObject({ kind, reason });
    link.close();
  });

  it('tell refused credentials and a server that is not there, and name no secret', async () => {
    const wrong = links.open(as({ credentials: { ...endpoint.ssh.credentials, sshPassword: 'canary-1' } }));
    const refused = await faultOf(wrong.run(['true'], {}, never));
    expect(refused).toMatchObject({ kind: 'denied', reason: 'CredentialsRefused' });
    expect(refused.message).toMatch(/^The server g1 cannot be asked: /);
    expect(refused.message).not.toContain('canary');
    wrong.close();
    await server.stop();
    const gone = links.open(endpoint);
    const fault = await faultOf(gone.run(['true'], {}, never));
    expect(fault).toMatchObject({ kind: 'unreachable', reason: 'ServerUnreachable' });
    gone.close();
  });

  it('run by sudo for an account that is not root, and tell when sudo refuses', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ovcp-sudo-'));
    const sudo = `#!/bin/sh\ncase "$*" in *forbidden*) echo "sudo: a password is required" >&2; exit 1;; esac\necho "[$*]"\n`;
    await writeFile(join(folder, 'sudo'), sudo, { mode: 0o755 });
    await server.stop();
    server = await startTestSshServer(`${folder}:${process.env['PATH']}`);
    const { port, hostKeys } = server.options;
    const credentials = { sshPassword: 'secret', sshKnownHosts: hostKeys };
    const link = links.open(as({ user: 'ovcp', port, credentials }));
    expect((await link.run(['gluster', 'a b'], {}, never)).stdout).toBe('[-n -- gluster a b]\n');
    expect(await faultOf(link.run(['forbidden'], {}, never))).toEqual({
      kind: 'denied',
      reason: 'SudoRefused',
      message: 'The account ovcp of server g1 may not run forbidden by sudo: sudo: a password is required',
    });
    link.close();
    await rm(folder, { recursive: true });
  });

  it('carry streams with faults of their own', async () => {
    const link = links.open(endpoint);
    const program = await link.start(['sh', '-c', 'echo ready; sleep 60'], {}, never);
    const reader = program.stdout[Symbol.asyncIterator]();
    await reader.next();
    server.cut();
    expect(await faultOf(reader.next())).toMatchObject({ kind: 'unreachable', reason: 'ServerUnreachable' });
    expect(await faultOf(program.ended)).toMatchObject({ kind: 'unreachable' });
    link.close();
  });

  it('let one step at a time run on a machine, whoever asks, and say busy after the wait', async () => {
    const other = { ...endpoint, name: 'b', ssh: { ...endpoint.ssh, host: '192.0.2.1' } };
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = links.exclusive(
      [endpoint, other],
      0,
      async () => {
        await gate.promise;
        order.push('first');
      },
      never,
    );
    expect(await faultOf(links.exclusive([as({ user: 'ovcp' })], 0, async () => {}, never))).toMatchObject({
      kind: 'busy',
    });
    const second = links.exclusive([other], 60_000, async () => void order.push('second'), never);
    const stop = new AbortController();
    const third = faultOf(links.exclusive([other], 60_000, async () => {}, stop.signal));
    stop.abort();
    expect(await third).toMatchObject({ kind: 'unreachable' });
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });
});
