import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { createDomains } from '../../../src/wire/libvirt/domains.ts';
import type { LibvirtEvent } from '../../../src/wire/libvirt/events.ts';
import { createGuests } from '../../../src/wire/libvirt/guests.ts';
import { createNetworks, createNwfilters } from '../../../src/wire/libvirt/networks.ts';
import { createNode } from '../../../src/wire/libvirt/node.ts';
import { type LibvirtSession, openLibvirtSession } from '../../../src/wire/libvirt/session.ts';
import { createStoragePools } from '../../../src/wire/libvirt/storage-pools.ts';
import { parseLibvirtUri } from '../../../src/wire/libvirt/uri.ts';
import { createVolumes } from '../../../src/wire/libvirt/volumes.ts';

const never = new AbortController().signal;
const MiB = 1_048_576;
let dir = '';
let hosts: KvmHost[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ovcp-w-'));
  hosts = await startKvmHosts({ dir, hosts: [{ name: 'w1' }, { name: 'w2', daemons: 'split' }] });
});

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
  rmSync(dir, { recursive: true, force: true });
});

const hostAt = (index: number): KvmHost => {
  const host = hosts[index];
  if (host === undefined) throw new Error('the lab did not start');
  return host;
};

type Change = Partial<Parameters<typeof openLibvirtSession>[0]>;

const open = (host: KvmHost, uri: string | undefined, change: Change = {}): Promise<LibvirtSession> => {
  const { credentials } = host;
  const { ca, clientCert: cert, clientKey: key } = credentials.tls;
  const ssh = { hostKeys: credentials.sshKnownHosts, privateKey: credentials.sshPrivateKey };
  return openLibvirtSession(
    { uri: parseLibvirtUri(uri ?? ''), ssh, tls: { ca, cert, key }, ...change },
    never,
  );
};

const using = async <T>(
  session: LibvirtSession,
  work: (session: LibvirtSession) => Promise<T>,
): Promise<T> => {
  try {
    return await work(session);
  } finally {
    await session.close();
  }
};

const pattern = (blocks: number): Buffer[] =>
  Array.from({ length: blocks }, (_, index) => Buffer.alloc(300_001, index + 1));

const collect = async (source: AsyncIterable<Uint8Array | { hole: number }>): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of source)
    hash.update(chunk instanceof Uint8Array ? chunk : Buffer.alloc(chunk.hole));
  return hash.digest('hex');
};

const roundTrip = async (host: KvmHost, session: LibvirtSession, sparse: boolean): Promise<void> => {
  const pools = createStoragePools(session.call);
  const volumes = createVolumes(session.call, session.streams);
  const path = `${host.diskDir}/wire-${sparse}`;
  const pool = await pools.defineXml(
    `<pool type='dir'><name>wire-${sparse}</name><target><path>${path}</path></target></pool>`,
    never,
  );
  await pools.build(pool, 0, never);
  await pools.start(pool, 0, never);
  const size = 8 * MiB;
  const xml = `<volume><name>v</name><capacity>${size}</capacity><allocation>0</allocation></volume>`;
  const volume = await volumes.createXml(pool, xml, 0, never);
  const blocks = pattern(10);
  const rest = size - blocks.length * 300_001;
  const source = async function* () {
    yield* blocks;
    if (sparse) yield { hole: rest };
  };
  const wanted = createHash('sha256')
    .update(Buffer.concat([...blocks, Buffer.alloc(rest)]))
    .digest('hex');
  await volumes.upload(volume, { offset: 0, length: 0, sparse }, source(), never);
  expect(await collect(volumes.download(volume, { offset: 0, length: 0, sparse }, never))).toBe(wanted);
  const seen = await host.exec(['sha256sum', `${path}/v`]);
  expect(seen.stdout.split(' ')[0]).toBe(wanted);
  await volumes.delete(volume, never);
  await pools.destroy(pool, never);
  await pools.undefine(pool, never);
};

describe('one libvirtd', () => {
  it.each(['unix', 'ssh', 'sshUser', 'tls'] as const)('answers over %s', async (kind) => {
    const host = hostAt(0);
    await using(await open(host, host.uris[kind]), async (session) => {
      expect(session.layout).toBe('single');
      const node = createNode(session.call);
      expect(await node.hostname(never)).toBe('w1');
      expect(await node.capabilities(never)).toContain(host.hostUuid);
      expect(await node.uri(never)).toBe('qemu:///system');
    });
  });

  it.each([
    ['unix', false],
    ['unix', true],
    ['ssh', true],
    ['tls', true],
  ] as const)('takes and gives back a volume over %s (sparse: %s)', async (kind, sparse) => {
    const host = hostAt(0);
    await using(await open(host, host.uris[kind]), (session) => roundTrip(host, session, sparse));
  });

  it('carries further calls after a download that was left early', async () => {
    const host = hostAt(0);
    await host.exec([
      'sh',
      '-c',
      `mkdir -p ${host.diskDir}/early && truncate -s 64M ${host.diskDir}/early/v`,
    ]);
    await using(await open(host, host.uris.unix), async (session) => {
      const pools = createStoragePools(session.call);
      const volumes = createVolumes(session.call, session.streams);
      const xml = `<pool type='dir'><name>early</name><target><path>${host.diskDir}/early</path></target></pool>`;
      const pool = await pools.defineXml(xml, never);
      await pools.start(pool, 0, never);
      const volume = await volumes.byName(pool, 'v', never);
      for (let round = 0; round < 3; round += 1) {
        for await (const chunk of volumes.download(volume, { offset: 0, length: 0, sparse: false }, never)) {
          expect(chunk).toBeInstanceOf(Uint8Array);
          break;
        }
      }
      await pools.destroy(pool, never);
      await pools.undefine(pool, never);
    });
  });

  it('reports what virsh does to the test driver', async () => {
    const host = hostAt(0);
    const uri = `test+unix:///default?socket=${encodeURIComponent(host.socketPath)}`;
    await using(await open(host, uri), async (session) => {
      const domains = createDomains(session.call);
      const dom = await domains.byName('test', never);
      const seen: LibvirtEvent[] = [];
      const stopped = Promise.withResolvers<void>();
      await session.events.subscribe(
        ['domainLifecycle'],
        (event) => {
          seen.push(event);
          stopped.resolve();
        },
        never,
      );
      await domains.destroy(dom, 0, never);
      await stopped.promise;
      expect(seen).toMatchObject([{ kind: 'domainLifecycle', domain: { name: 'test' }, event: 5 }]);
      await expect(domains.byName('nobody', never)).rejects.toMatchObject({ code: 42 });
    });
  });

  it('lets a guest live and speak on its console', async () => {
    const host = hostAt(0);
    await using(await open(host, host.uris.unix), async (session) => {
      const domains = createDomains(session.call);
      const guests = createGuests(session.call, session.streams);
      const events: number[] = [];
      const gone = Promise.withResolvers<void>();
      await session.events.subscribe(
        ['domainLifecycle'],
        (event) => {
          if (event.kind !== 'domainLifecycle') return;
          events.push(event.event);
          if (event.event === 5) gone.resolve();
        },
        never,
      );
      const dom = await domains.defineXml(
        `<domain type='qemu'><name>speaker</name><memory unit='MiB'>32</memory>
          <os><type arch='x86_64'>hvm</type><bios useserial='yes'/></os>
          <devices><console type='pty'><target type='serial'/></console></devices></domain>`,
        0,
        never,
      );
      await domains.setMetadata(
        dom,
        { xml: '<tag>1</tag>', prefix: 'm', namespace: 'urn:wire' },
        domainConfig,
        never,
      );
      const started = await domains.create(dom, 1, never);
      const console = await guests.openConsole(started, null, 0, never);
      await domains.resume(started, never);
      const first = await console.readable[Symbol.asyncIterator]().next();
      expect(first.value?.length).toBeGreaterThan(0);
      console.close();
      expect(await domains.getMetadata(dom, 'urn:wire', domainConfig, never)).toContain('tag');
      const stats = await domains.getAllStats(1, never);
      expect(stats.find(({ domain }) => domain.name === 'speaker')?.values['state.state']).toBe(1);
      await host.virsh('destroy', 'speaker');
      await gone.promise;
      expect(events.slice(0, 4)).toEqual([0, 2, 3, 4]);
      expect(events.at(-1)).toBe(5);
      await domains.undefine(dom, 0, never);
    });
  });

  it('ends the session when libvirtd dies', async () => {
    const host = hostAt(0);
    const session = await open(host, host.uris.unix);
    await host.killLibvirtd();
    expect(await session.closed).toMatchObject({ kind: 'closed' });
    await host.startLibvirtd();
  });
});

const domainConfig = 2;

describe('the split daemons', () => {
  it.each(['unix', 'ssh', 'sshUser'] as const)('answer each for its part over %s', async (kind) => {
    const host = hostAt(1);
    await using(await open(host, host.uris[kind]), async (session) => {
      expect(session.layout).toBe('split');
      expect(await createNode(session.call).hostname(never)).toBe('w2');
      expect(await createDomains(session.call).listAll(never)).toEqual([]);
      expect(await createStoragePools(session.call).listAll(never)).toEqual([]);
      expect(await createNetworks(session.call).listAll(never)).toEqual([]);
      expect((await createNwfilters(session.call).listAll(never)).length).toBeGreaterThan(0);
      await session.events.subscribe(
        ['domainLifecycle', 'networkLifecycle', 'storagePoolRefresh'],
        () => {},
        never,
      );
    });
  });

  it('take and give back a volume', async () => {
    const host = hostAt(1);
    await using(await open(host, host.uris.ssh), (session) => roundTrip(host, session, true));
  });
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
    const host = hostAt(0);
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
    const host = hostAt(0);
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
    const host = hostAt(0);
    await withConfig(host, ['auth_unix_rw = "none"', 'auth_unix_rw = "polkit"'], async () => {
      expect(await failureOf(host)).toMatchObject({
        kind: 'authentication',
        message: expect.stringContaining('polkit refuses this user'),
      });
    });
  });

  it('because of the group of the socket is told so', async () => {
    const host = hostAt(0);
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

describe('who is not who the Secret says', () => {
  const refused = async (host: KvmHost, uri: string | undefined, change: Change): Promise<string> => {
    const failure: unknown = await open(host, uri, change).then(
      (session) => session.close(),
      (error: unknown) => error,
    );
    return (failure as { kind: string }).kind;
  };

  it('is refused over SSH', async () => {
    const [host, other] = [hostAt(0), hostAt(1)];
    const privateKey = host.credentials.sshPrivateKey;
    const wrong = { hostKeys: other.credentials.sshHostKey, privateKey };
    expect(await refused(host, host.uris.ssh, { ssh: wrong })).toBe('hostKeyMismatch');
    expect(await refused(host, host.uris.ssh, { ssh: { hostKeys: '', privateKey } })).toBe('hostKeyMismatch');
    const keyless = { hostKeys: host.credentials.sshHostKey, password: 'guess' };
    expect(await refused(host, host.uris.ssh, { ssh: keyless })).toBe('authentication');
  });

  it('is refused over TLS', async () => {
    const host = hostAt(0);
    const { ca, clientCert: cert, clientKey: key } = host.credentials.tls;
    expect(await refused(host, host.uris.tls, { tls: { ca: cert, cert, key } })).toBe('certificate');
    expect(await refused(host, host.uris.tls, { tls: { ca, cert: '', key: '' } })).toBe('certificate');
  });

  it('is told from a host that is not there', async () => {
    const host = hostAt(0);
    expect(await refused(host, 'qemu+unix:///system?socket=/nowhere/libvirt-sock', {})).toBe('refused');
    expect(await refused(host, `qemu+ssh://root@${host.address}:1/system`, {})).toBe('hostKeyMismatch');
    const ssh = { hostKeys: host.credentials.sshHostKey, privateKey: host.credentials.sshPrivateKey };
    expect(await refused(host, `qemu+ssh://root@${host.address}:1/system`, { ssh })).toBe('refused');
  });
});
