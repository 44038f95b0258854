import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { createDomains } from '../../../src/wire/libvirt/domains.ts';
import type { LibvirtEvent } from '../../../src/wire/libvirt/events.ts';
import { createGuests } from '../../../src/wire/libvirt/guests.ts';
import { createNetworks, createNwfilters } from '../../../src/wire/libvirt/networks.ts';
import { createNode } from '../../../src/wire/libvirt/node.ts';
import { createStoragePools } from '../../../src/wire/libvirt/storage-pools.ts';
import { createVolumes } from '../../../src/wire/libvirt/volumes.ts';
import { type Change, never, open, roundTrip, using } from './sessions.ts';

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
