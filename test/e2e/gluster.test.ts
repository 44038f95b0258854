/**
 * A replicated Gluster volume from one StoragePool: made on three real servers, mounted on two real KVM hosts, used by
 * machines, broken and healed, and taken away again. What is true is asked of gluster, virsh, findmnt and the guests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GlusterLab, type GlusterNode, startGluster } from '../../hack/lab/gluster.ts';
import type { KvmHost } from '../../hack/lab/kvm-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { volumePool } from '../../hack/lab/storage-pools.ts';
import { conditionOf, is, type Lab, type Placed, startLab, team } from './harness/lab.ts';
import { bootDisk, disk, hostPool, hostSecret, image, machine, secret } from './harness/objects.ts';
import { qemuImgInfo } from './harness/truth.ts';

const MiB = 1024 * 1024;
const onVolume = { storagePoolRef: { name: 'gv0' } };

describe('a StoragePool on Gluster', () => {
  let dir: string;
  let network: LabNetwork;
  let gluster: GlusterLab;
  let lab: Lab;
  /** Where the first machine was put, and the other one. */
  let first: KvmHost;
  let other: KvmHost;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-glu-');
    network = await createLabNetwork();
    gluster = await startGluster({ dir, network });
    lab = await startLab(network);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await gluster?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const node = (name: string): GlusterNode => {
    const found = gluster.nodes.find((it) => it.name === name);
    if (found === undefined) throw new Error(`no server ${name}`);
    return found;
  };
  const hosts = (): readonly KvmHost[] => [lab.node1, lab.node2];
  const mountOf = async (host: KvmHost): Promise<string> =>
    (
      await host.exec(['findmnt', '-n', '-t', 'fuse.glusterfs', '-o', 'SOURCE,TARGET'], {
        allowFailure: true,
      })
    ).stdout.trim();
  const uidOf = (name: string): string => lab.mirror.get('disk', name, team)?.metadata.uid ?? '';
  const fileOf = (name: string): string => {
    const uid = lab.mirror.get('storage', 'gv0')?.metadata.uid ?? '';
    return `/var/lib/ovcp/mounts/${uid}/${lab.mirror.get('disk', name, team)?.status.volume.name}`;
  };
  /** Name of the guest's disk with our serial number. */
  const deviceOf = async (box: Placed, name: string): Promise<string> => {
    const serial = uidOf(name).replaceAll('-', '').slice(0, 20);
    const look = `for it in /sys/block/vd?; do [ "$(cat $it/serial)" = ${serial} ] && basename $it; done`;
    // A guest that has just booted says so in between: only an answer that is a name and nothing else counts.
    return lab.pulse.until(
      `${name} in the guest`,
      async () => /^vd[a-z]$/.exec((await box.ask(look)).trim())?.[0],
      { limitMs: 120_000 },
    );
  };
  const carrying = (name: string) =>
    machine(name, {
      disks: [bootDisk(onVolume), { name: 'carried', diskRef: { name: 'carried' } }],
    });
  /** Entries that wait for healing on any brick, as gluster counts them. */
  const pendingNow = async (): Promise<number> => {
    const text = await node('g1').gluster('volume', 'heal', 'gv0', 'info', 'summary');
    const counts = [...text.matchAll(/^Total Number of entries: (\d+)$/gm)].map(([, count]) => Number(count));
    expect(counts).toHaveLength(3);
    return Math.max(...counts);
  };

  it('is a volume made on its three servers and mounted on both hosts', async () => {
    const { sshPrivateKey } = node('g1').credentials;
    await lab.applyAsAdmin(
      secret('gluster-ssh', 'ovcp-system', {
        'ssh-privatekey': sshPrivateKey,
        known_hosts: gluster.nodes.map(({ credentials }) => credentials.sshKnownHosts).join('\n'),
      }),
      hostSecret('node1', lab.node1),
      hostSecret('node2', lab.node2),
      hostPool('kvm', [
        { name: 'node1', uri: lab.node1.uris.ssh, secret: 'node1' },
        { name: 'node2', uri: lab.node2.uris.ssh, secret: 'node2' },
      ]),
      volumePool('gv0', gluster.nodes),
    );
    const pool = await lab.until('storage', 'gv0', (it) => is(it, 'Ready', 'True', 'Ready'), {
      limitMs: 110_000,
    });
    expect(pool.status).toMatchObject({
      health: { state: 'Healthy' },
      origin: 'Made',
      hostsReady: 2,
      heal: { pending: 0, splitBrain: 0 },
    });
    const info = await node('g2').gluster('volume', 'info', 'gv0');
    expect(info).toContain('Status: Started');
    expect(info).toContain('Number of Bricks: 1 x 3 = 3');
    const allowed = /^auth\.allow: (.*)$/m.exec(info)?.[1]?.split(',') ?? [];
    for (const { address } of [...hosts(), ...gluster.nodes]) expect(allowed).toContain(address);
    expect(allowed).toHaveLength(5);
    for (const host of hosts()) {
      expect(await mountOf(host)).toMatch(new RegExp(`:/?gv0 +/var/lib/ovcp/mounts/${pool.metadata.uid}$`));
    }
    const row = await lab.plane.mustKubectl(['get', 'osp', 'gv0', '--no-headers']);
    expect(row).toMatch(/^gv0 +gluster +\S+ +\S+ +Healthy +2 /);
  });

  it('keeps an image and the disks of a machine that boots from them', { timeout: 300_000 }, async () => {
    const { image: guest, files } = lab;
    await lab.apply(
      image('tiny', `${files.url}/guest.qcow2`, `sha256:${guest.sha256.qcow2}`, onVolume),
      disk('carried', '20Mi', { ...onVolume, reclaimPolicy: 'Delete' }),
      carrying('one'),
    );
    const box = await lab.untilReady('one', 'Running', { limitMs: 200_000 });
    first = box.host;
    other = hosts().find(({ name }) => name !== first.name) ?? first;
    expect(await box.host.virsh('domblklist', box.domain)).toContain(fileOf('carried'));
    const device = await deviceOf(box, 'carried');
    await box.ask(`echo carried-over > /dev/${device}; sync`);
    // A copy of the file is on every brick.
    const volume = lab.mirror.get('disk', 'carried', team)?.status.volume.name;
    for (const server of gluster.nodes) {
      expect((await server.exec(['ls', `${server.brickFolder}/gv0`])).stdout).toContain(volume);
    }
  });

  it('grows a disk while the machine runs', async () => {
    await lab.patch('disk', 'carried', { size: '40Mi' });
    const box = lab.placed('one');
    const device = await deviceOf(box, 'carried');
    await lab.pulse.until('the larger disk in the guest', async () =>
      (await box.facts()).disks[device] === 40 * MiB ? true : undefined,
    );
    expect(await qemuImgInfo(other, fileOf('carried'))).toMatchObject({ 'virtual-size': 40 * MiB });
  });

  it('gives a disk to a machine on the other host, with what is on it', { timeout: 300_000 }, async () => {
    await lab.patch('machine', 'one', { powerState: 'PoweredOff', disks: [bootDisk(onVolume)] });
    await lab.until('disk', 'carried', (it) => it !== undefined && it.status?.claim === undefined, {
      limitMs: 120_000,
    });
    await lab.patch('host', `kvm.${first.name}`, { unschedulable: true });
    await lab.apply(carrying('two'));
    const box = await lab.untilReady('two', 'Running', { limitMs: 200_000 });
    expect(box.host.name).toBe(other.name);
    const device = await deviceOf(box, 'carried');
    expect(await box.ask(`head -n 1 /dev/${device}`)).toBe('carried-over\n');
  });

  it('goes on when a server dies, and names its brick', { timeout: 300_000 }, async () => {
    const box = lab.placed('two');
    const device = await deviceOf(box, 'carried');
    const pid = await box.pid();
    await node('g3').powerLoss();
    await box.ask(`echo written-meanwhile > /dev/${device}; sync`);
    const isDown = (it: { readonly name: string; readonly state: string }): boolean =>
      it.name === 'a/a3' && it.state === 'Down';
    const torn = await lab.until(
      'storage',
      'gv0',
      (it) => it?.status?.health?.state === 'Degraded' && it.status.components.some(isDown),
      { limitMs: 120_000 },
    );
    expect(conditionOf(torn, 'Ready')).toMatchObject({ status: 'True' });
    expect(torn.status.health.message).toContain('a/a3');
    expect(await box.ask(`head -n 1 /dev/${device}`)).toBe('written-meanwhile\n');
    expect(await box.pid()).toBe(pid);
    expect(await box.state()).toMatch(/^running/);
  });

  it('is healed when the server is back, counted down to nothing', { timeout: 300_000 }, async () => {
    await lab.until('storage', 'gv0', (it) => (it?.status?.heal?.pending ?? 0) > 0, { limitMs: 120_000 });
    await node('g3').powerOn();
    const well = await lab.until('storage', 'gv0', (it) => is(it, 'Ready', 'True', 'Ready'), {
      limitMs: 200_000,
    });
    expect(well.status).toMatchObject({ health: { state: 'Healthy' }, heal: { pending: 0, splitBrain: 0 } });
    expect(await pendingNow()).toBe(0);
    const { brickFolder } = node('g3');
    const volume = lab.mirror.get('disk', 'carried', team)?.status.volume.name;
    const sums = await Promise.all(
      ['g1', 'g3'].map((name) => node(name).exec(['stat', '-c', '%s', `${brickFolder}/gv0/${volume}`])),
    );
    expect(sums[0]?.stdout).toBe(sums[1]?.stdout);
    expect((await node('g3').exec(['ls', `${brickFolder}/gv0`])).stdout).toContain(volume);
  });

  it('does not go while something is on it, and then leaves nothing but brick folders', {
    timeout: 600_000,
  }, async () => {
    await lab.remove('storage', 'gv0');
    const held = await lab.until('storage', 'gv0', (it) =>
      is(it, 'Deleting', 'True', 'WaitingForDependents'),
    );
    expect(conditionOf(held, 'Deleting')?.message).toContain(`${team}/carried`);
    expect(await node('g1').gluster('volume', 'list')).toContain('gv0');
    await lab.remove('machine', 'one', 'two');
    for (const name of ['one', 'two']) await lab.untilGone('machine', name, { limitMs: 120_000 });
    // The disk learns a moment later that nobody has it; until then its deletion is refused.
    await lab.until('disk', 'carried', (it) => it !== undefined && it.status?.claim === undefined);
    await lab.remove('disk', 'carried');
    await lab.remove('image', 'tiny');
    await lab.untilGone('storage', 'gv0', { limitMs: 240_000 });
    const volumes = await node('g1').exec(['gluster', '--mode=script', 'volume', 'list'], {
      allowFailure: true,
    });
    expect(`${volumes.stdout}${volumes.stderr}`).not.toContain('gv0');
    for (const host of hosts()) {
      expect(await mountOf(host)).toBe('');
      expect(await host.virsh('pool-list', '--all', '--name')).not.toContain('ovcp-');
      const left = await host.exec(['ls', '/var/lib/ovcp/mounts'], { allowFailure: true });
      expect(left.stdout).not.toContain(held.metadata.uid);
    }
    for (const server of gluster.nodes) {
      expect((await server.exec(['ls', server.brickFolder])).stdout).toContain('gv0');
    }
  });
});
