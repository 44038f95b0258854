/** Ways to libvirt's socket over SSH when sshd does not open it, and users who may not use it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { createNode } from '../../../src/wire/libvirt/node.ts';
import type { LibvirtSession } from '../../../src/wire/libvirt/session.ts';
import { never, open, roundTrip, using } from './sessions.ts';

let dir = '';
let host: KvmHost;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovcp-r-'));
  const [first] = await startKvmHosts({ dir, hosts: [{ name: 'w1' }] });
  if (first === undefined) throw new Error('one host was asked for');
  host = first;
});

afterAll(async () => {
  await host?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('an sshd that forwards no sockets', () => {
  const port = 2222;
  /** One more sshd of the host; what it runs finds the programs in `path` alone. */
  const startSshd = async (host: KvmHost, path?: readonly string[]): Promise<() => Promise<void>> => {
    const bin = `${host.diskDir}/bin`;
    const links = (path ?? []).map((name) => `ln -sf "$(command -v ${name})" ${bin}/${name}`);
    await host.exec(['sh', '-c', [`rm -rf ${bin}`, `mkdir -p ${bin}`, ...links].join(' && ')]);
    const options = [
      'AllowStreamLocalForwarding=no',
      `ListenAddress=${host.address}:${port}`,
      `PidFile=${host.diskDir}/sshd.pid`,
      ...(path === undefined ? [] : [`SetEnv=PATH=${bin}`]),
    ];
    // The first ListenAddress is the configuration's own, which is taken.
    const config = `${host.diskDir}/sshd_config`;
    await host.exec(['sh', '-c', `grep -v -e ^ListenAddress -e ^PidFile /etc/ssh/sshd_config > ${config}`]);
    await host.exec(['/usr/sbin/sshd', '-f', config, ...options.flatMap((option) => ['-o', option])]);
    return async () => {
      const pid = (await host.exec(['cat', `${host.diskDir}/sshd.pid`])).stdout.trim();
      await host.exec(['kill', pid]);
    };
  };
  const openThere = (host: KvmHost, user = 'root', query = ''): Promise<LibvirtSession> =>
    open(host, `qemu+ssh://${user}@${host.address}:${port}/system${query}`, {
      ssh: { hostKeys: host.credentials.sshHostKey, privateKey: host.credentials.sshPrivateKey },
    });
  const failureOf = (session: Promise<LibvirtSession>): Promise<unknown> =>
    session.then(
      (made) => made.close(),
      (error: unknown) => error,
    );

  it.each([
    ['virt-ssh-helper', undefined],
    ['nc', ['sh', 'nc']],
  ] as const)('is passed by with %s', async (program, path) => {
    const stop = await startSshd(host, path);
    try {
      await using(await openThere(host), async (session) => {
        expect(await createNode(session.call).hostname(never)).toBe('w1');
        expect((await host.exec(['pgrep', '-c', '-f', `^(/usr/bin/)?${program}`])).stdout.trim()).toBe('1');
        await roundTrip(host, session, true);
      });
      await using(await openThere(host, 'ovcp'), async (session) => {
        expect(await createNode(session.call).uri(never)).toBe('qemu:///system');
      });
      const absent = await failureOf(openThere(host, 'root', '?socket=/nowhere/libvirt-sock'));
      expect(absent).toMatchObject({ kind: 'refused', message: expect.stringContaining('is not a socket') });
    } finally {
      await stop();
    }
  });

  it('and has neither program says what it needs', async () => {
    const stop = await startSshd(host, ['sh']);
    try {
      const failure = await failureOf(openThere(host));
      const message = expect.stringContaining('needs virt-ssh-helper or nc on the host');
      expect(failure).toMatchObject({ kind: 'refused', message });
    } finally {
      await stop();
    }
  });
});

describe('a user who may not use libvirt', () => {
  const withConfig = async (
    host: KvmHost,
    change: readonly [string, string],
    work: () => Promise<void>,
  ): Promise<void> => {
    const path = host.outside('/etc/libvirt/libvirtd.conf');
    const before = readFileSync(path, 'utf8');
    expect(before).toContain(change[0]);
    writeFileSync(path, before.replace(...change));
    try {
      await host.restartLibvirtd();
      await work();
    } finally {
      writeFileSync(path, before);
      await host.restartLibvirtd();
    }
  };
  const failureOf = async (host: KvmHost): Promise<unknown> =>
    open(host, host.uris.sshUser).then(
      (session) => session.close(),
      (error: unknown) => error,
    );

  it('because polkit refuses is told so', async () => {
    await withConfig(host, ['auth_unix_rw = "none"', 'auth_unix_rw = "polkit"'], async () => {
      expect(await failureOf(host)).toMatchObject({
        kind: 'authentication',
        message: expect.stringContaining('polkit refuses this user'),
      });
    });
  });

  it('because of the group of the socket is told so', async () => {
    await withConfig(host, ['unix_sock_group = "libvirt"', 'unix_sock_group = "root"'], async () => {
      expect(await failureOf(host)).toMatchObject({
        kind: 'authentication',
        message: expect.stringContaining('let it into the group of libvirt'),
      });
    });
    await using(await open(host, host.uris.sshUser), async (session) => {
      expect(await createNode(session.call).hostname(never)).toBe('w1');
    });
  });
});
