import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock } from '../runtime/test-clock.ts';
import { loadAccess } from './auth.ts';

const { signal } = new AbortController();
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ovcp-auth-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const write = async (name: string, text: string): Promise<string> => {
  await writeFile(join(dir, name), text);
  return join(dir, name);
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const kubeconfig = (user: object, cluster: object = {}): Promise<string> =>
  write(
    'config',
    JSON.stringify({
      'current-context': 'x',
      clusters: [{ name: 'c', cluster: { server: 'https://api.test:6443/', ...cluster } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
    }),
  );

const load = async (path: string, clock = createTestClock()) =>
  loadAccess({ kind: 'kubeconfig', paths: [path] }, clock);

describe('a kubeconfig', () => {
  test('gives server, namespace, CA, client certificate and token', async () => {
    const path = await kubeconfig(
      { token: 'abc', 'client-certificate-data': base64('CERT'), 'client-key': 'key.pem' },
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'kubernetes' },
    );
    await write('key.pem', 'KEY');
    const access = await load(path);
    expect([access.server, access.namespace]).toEqual(['https://api.test:6443', 'team']);
    expect(await access.credentials(signal)).toEqual({
      headers: { Authorization: 'Bearer abc' },
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', servername: 'kubernetes' },
    });
    expect((await access.credentials(signal)).tls).toBe((await access.credentials(signal)).tls);
    expect(access.renew()).toBe(false);
  });

  test('may skip the server’s certificate and use a password', async () => {
    const path = await kubeconfig({ username: 'me', password: 'pw' }, { 'insecure-skip-tls-verify': true });
    expect(await (await load(path)).credentials(signal)).toEqual({
      headers: { Authorization: `Basic ${base64('me:pw')}` },
      tls: { rejectUnauthorized: false },
    });
  });

  test('may name a token file, which is read anew', async () => {
    await write('token', 'one\n');
    const access = await load(await kubeconfig({ tokenFile: 'token' }));
    expect((await access.credentials(signal)).headers).toEqual({ Authorization: 'Bearer one' });
    await write('token', 'two\n');
    expect((await access.credentials(signal)).headers).toEqual({ Authorization: 'Bearer two' });
  });

  test('may name a credential plugin, run once until it is asked to renew', async () => {
    const plugin = await write(
      'plugin',
      `#!/bin/sh\necho run >> ${join(dir, 'runs')}\n` +
        `echo '{"kind":"ExecCredential","status":{"token":"from-plugin","clientCertificateData":"CERT","clientKeyData":"KEY"}}'\n`,
    );
    await chmod(plugin, 0o700);
    const path = await kubeconfig({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin' },
    });
    const access = await load(path);
    const [first, second] = await Promise.all([access.credentials(signal), access.credentials(signal)]);
    expect(first).toEqual({
      headers: { Authorization: 'Bearer from-plugin' },
      tls: { cert: 'CERT', key: 'KEY' },
    });
    expect(second).toBe(first);
    expect((await access.credentials(signal)).tls).toBe(first.tls);
    expect(access.renew()).toBe(true);
    await access.credentials(signal);
    const { readFile } = await import('node:fs/promises');
    expect(await readFile(join(dir, 'runs'), 'utf8')).toBe('run\nrun\n');
  });

  test('whose plugin fails is denied, without the plugin’s words', async () => {
    const plugin = await write('plugin', '#!/bin/sh\necho "secret-in-stderr" >&2\nexit 1\n');
    await chmod(plugin, 0o700);
    const access = await load(await kubeconfig({ exec: { command: './plugin' } }));
    const fault: unknown = await access.credentials(signal).catch((error: unknown) => error);
    expect(fault).toMatchObject({ kind: 'denied', reason: 'CredentialPluginFailed' });
    expect(fault).not.toHaveProperty('cause');
    expect(String(fault)).not.toContain('secret-in-stderr');
  });

  test.each([
    ['no YAML', 'users: [token: "s3cret', 'BadKubeconfig'],
    ['no context', '{}', 'BadKubeconfig'],
  ])('with %s is refused without quoting it', async (_, text, reason) => {
    const fault: unknown = await load(await write('config', text)).catch((error: unknown) => error);
    expect(fault).toMatchObject({ kind: 'invalid', reason });
    expect(String(fault)).not.toContain('s3cret');
  });

  test('that is not there, or wants a proxy, says so', async () => {
    await expect(load(join(dir, 'none'))).rejects.toMatchObject({ kind: 'denied', reason: 'NoCredentials' });
    const path = await kubeconfig({ token: 'a' }, { 'proxy-url': 'http://proxy:1' });
    await expect(load(path)).rejects.toMatchObject({ kind: 'unsupported', reason: 'ProxyUnsupported' });
  });
});

describe('a service account', () => {
  test('is read from its mount, again after a minute, with the same TLS object', async () => {
    await write('token', 'one\n');
    await write('ca.crt', 'CA');
    await write('namespace', 'ovcp');
    const clock = createTestClock();
    const access = await loadAccess(
      { kind: 'inCluster', host: 'fd00::1', port: '443', directory: dir },
      clock,
    );
    expect([access.server, access.namespace]).toEqual(['https://[fd00::1]:443', 'ovcp']);
    const first = await access.credentials(signal);
    expect(first).toEqual({ headers: { authorization: 'Bearer one' }, tls: { ca: 'CA' } });
    await write('token', 'two');
    expect(await access.credentials(signal)).toBe(first);
    await clock.advance(61_000);
    const second = await access.credentials(signal);
    expect(second.headers).toEqual({ authorization: 'Bearer two' });
    expect(second.tls).toBe(first.tls);
  });

  test('without a mount is denied', async () => {
    const access = await loadAccess(
      { kind: 'inCluster', host: 'h', port: '1', directory: dir },
      createTestClock(),
    );
    await expect(access.credentials(signal)).rejects.toMatchObject({
      kind: 'denied',
      reason: 'NoCredentials',
    });
  });
});
