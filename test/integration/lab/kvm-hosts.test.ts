import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGuestImage } from '../../../hack/lab/guest-image.ts';
import { askGuest } from '../../../hack/lab/guest-shell.ts';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { pidAlive, run, waitUntil } from '../../../hack/lab/process.ts';
import { domainXml, makeSeed, natNetwork, serialText, waitForLine } from './guest.ts';

describe('KVM hosts of the lab', () => {
  let dir: string;
  let hosts: KvmHost[] = [];
  let node1: KvmHost;
  let node2: KvmHost;

  beforeAll(async () => {
    // Sockets have 107 characters: a short folder, not the test runner's.
    dir = await mkdtemp('/tmp/ovcp-kvm-');
    hosts = await startKvmHosts({ dir, hosts: [{ name: 'node1' }, { name: 'node2', daemons: 'split' }] });
    const [first, second] = hosts;
    if (first === undefined || second === undefined) throw new Error('two hosts were asked for');
    [node1, node2] = [first, second];
  });

  afterAll(async () => {
    const pids = hosts.map((host) => host.initPid() ?? 0);
    await Promise.all(hosts.map((host) => host.stop()));
    expect(pids.filter(pidAlive)).toEqual([]);
    await rm(dir, { recursive: true, force: true });
  });

  it('answer over the socket, SSH and TLS, each as itself', async () => {
    for (const host of [node1, node2]) {
      const uris = Object.values(host.virshUris).filter((uri) => uri !== undefined);
      const names = await Promise.all(uris.map((uri) => run(['virsh', '-q', '-c', uri, 'hostname'])));
      expect(names.map(({ stdout }) => stdout.trim())).toEqual(uris.map(() => host.name));
    }
    expect(node1.hostUuid).not.toBe(node2.hostUuid);
    expect(await node1.virsh('capabilities')).toContain(`<uuid>${node1.hostUuid}</uuid>`);
  });

  it('offer the split layout without the old socket', async () => {
    await expect(stat(join(dir, 'node2/run/libvirt/libvirt-sock'))).rejects.toThrow('ENOENT');
    expect((await stat(node2.socketPath)).isSocket()).toBe(true);
    expect(node2.virshUris.tls).toBeUndefined();
  });

  it('let the account in group libvirt in, and refuse a host key that is not pinned', async () => {
    const { credentials, unprivilegedUser, address } = node1;
    const ssh = (knownHosts: string) =>
      run(
        [
          'ssh',
          '-F',
          'none',
          '-i',
          credentials.sshPrivateKeyPath,
          '-o',
          'BatchMode=yes',
          '-o',
          `UserKnownHostsFile=${knownHosts}`,
          '-o',
          'GlobalKnownHostsFile=/dev/null',
          `${unprivilegedUser}@${address}`,
          'virsh -q -c qemu:///system uri; id -un',
        ],
        { allowFailure: true },
      );
    expect((await ssh(credentials.sshKnownHostsPath)).stdout.split('\n').slice(0, 2)).toEqual([
      'qemu:///system',
      unprivilegedUser,
    ]);
    expect((await ssh('/dev/null')).stderr).toContain('Host key verification failed');
  });

  it('go silent when paused and unreachable when cut, and come back', async () => {
    node1.pause();
    const silent = run(['timeout', '1', 'virsh', '-q', '-c', node1.virshUris.unix, 'list'], {
      allowFailure: true,
    });
    expect((await silent).code).toBe(124);
    node1.resume();
    expect((await node1.virsh('hostname')).trim()).toBe('node1');
    await node1.cut();
    const cut = await run(['timeout', '1', 'virsh', '-q', '-c', node1.virshUris.tls ?? '', 'uri'], {
      allowFailure: true,
    });
    expect(cut.code).not.toBe(0);
    await node1.heal();
    expect((await run(['virsh', '-q', '-c', node1.virshUris.tls ?? '', 'uri'])).stdout).toContain('qemu+tls');
  });

  it('boot the guest image from disk with a lease, an agent and the seed; ACPI shuts it down', async () => {
    const image = await ensureGuestImage();
    const disks = node1.outside(node1.diskDir);
    await copyFile(image.qcow2Path, join(disks, 'guest.qcow2'));
    await makeSeed(dir, join(disks, 'seed.iso'), 'web-1');
    await node1.virshFile(natNetwork, 'net-define');
    await node1.virsh('net-start', 'lan');
    await node1.virshFile(domainXml(node1), 'define');
    await node1.virsh('start', 'guest');
    const ready = await waitForLine(node1, 'ready');
    expect(ready.get('hostname')).toBe('web-1');
    expect(ready.get('instance')).toBe('i-1');
    expect(ready.get('keys')).toBe('1');
    expect(ready.get('boots')).toBe('1');
    const ip = ready.get('ip')?.replace('eth0:', '') ?? '';
    expect(ip).toMatch(/^192\.168\.150\.\d+$/);
    expect(await node1.virsh('net-dhcp-leases', 'lan')).toContain(`${ip}/24`);
    await waitUntil(
      'the guest agent',
      async () => {
        const answer = await run(
          ['virsh', '-q', '-c', node1.virshUris.unix, 'domifaddr', 'guest', '--source', 'agent'],
          { allowFailure: true },
        );
        return answer.stdout.includes(ip);
      },
      { limitMs: 300_000, stepMs: 200 },
    );
    expect(await node1.virsh('domhostname', 'guest', '--source', 'agent')).toContain('web-1');
    await node1.virsh('shutdown', 'guest', '--mode', 'acpi');
    await waitUntil('shut off', async () => (await node1.virsh('domstate', 'guest')).includes('shut off'), {
      limitMs: 300_000,
    });
  });

  it('hot-plug a disk into a second boot, which the guest counts and reports; the agent shuts it down', async () => {
    await node1.virsh('start', 'guest');
    expect((await waitForLine(node1, 'ready')).get('boots')).toBe('2');
    await run([
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      join(node1.outside(node1.diskDir), 'data.qcow2'),
      '32M',
    ]);
    const disk = [
      'attach-disk',
      'guest',
      `${node1.diskDir}/data.qcow2`,
      'vdb',
      '--subdriver',
      'qcow2',
      '--live',
    ];
    await node1.virsh(...disk);
    const seen = (facts: Map<string, string>, bytes: number) =>
      facts.get('disks')?.includes(`vdb:${bytes}`) === true;
    await waitForLine(node1, 'changed', (facts) => seen(facts, 32 * 1024 * 1024));
    await node1.virsh('blockresize', 'guest', 'vdb', '64M');
    await waitForLine(node1, 'changed', (facts) => seen(facts, 64 * 1024 * 1024));
    expect(await askGuest(node1, 'guest', 'echo kept > /dev/vdb; sync; head -n 1 /dev/vdb; hostname')).toBe(
      'kept\nweb-1\n',
    );
    await node1.virsh('shutdown', 'guest', '--mode', 'agent');
    await waitUntil('shut off', async () => (await node1.virsh('domstate', 'guest')).includes('shut off'), {
      limitMs: 300_000,
    });
  });

  it('keep guests over a restart of libvirt and lose them with the power, but not their disks', async () => {
    await node1.virsh('start', 'guest');
    await node1.restartLibvirtd();
    expect(await node1.virsh('domstate', 'guest')).toContain('running');
    await node1.killLibvirtd();
    await node1.startLibvirtd();
    expect(await node1.virsh('domstate', 'guest')).toContain('running');
    await waitForLine(node1, 'ready', (facts) => facts.get('boots') === '3');
    await node1.powerLoss();
    expect((await run(['virsh', '-c', node1.virshUris.ssh, 'list'], { allowFailure: true })).code).not.toBe(
      0,
    );
    await node1.powerOn();
    expect(await node1.virsh('domstate', 'guest')).toContain('shut off');
    await node1.virsh('net-start', 'lan');
    await node1.virsh('start', 'guest');
    await waitForLine(node1, 'ready', (facts) => facts.get('boots') === '4');
    expect(await serialText(node1)).toContain('hostname=web-1');
    await node1.virsh('destroy', 'guest');
  });
});
