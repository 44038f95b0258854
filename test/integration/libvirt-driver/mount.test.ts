/** Mounts of shared storage on two real libvirt hosts, from a real Gluster volume: asked of findmnt and virsh. */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GlusterLab, startGluster } from '../../../hack/lab/gluster.ts';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import type { HypervisorPool } from '../../../src/drivers/hypervisor/contract.ts';
import type { HostStorage, StoragePlace } from '../../../src/drivers/hypervisor/host-storage.ts';
import { createLibvirtDriver } from '../../../src/drivers/hypervisor/libvirt/driver.ts';
import { networkSourceOf } from '../../../src/drivers/hypervisor/libvirt/storage-mount.ts';
import { parsePool, poolXml } from '../../../src/drivers/hypervisor/libvirt/storage-xml.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const never = new AbortController().signal;
const uid = '66666666-6666-4666-8666-666666666666';
const DISK = 'ovcp-disk-one.qcow2';
const mib = 1024 ** 2;

describe('a Gluster volume on libvirt hosts', () => {
  let dir: string;
  let gluster: GlusterLab;
  let hosts: KvmHost[];
  let pool: HypervisorPool;
  let place: StoragePlace;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-mnt-');
    gluster = await startGluster({ dir: `${dir}/g`, nodes: ['g1', 'g2'] });
    const [g1, g2] = gluster.nodes;
    if (g1 === undefined || g2 === undefined) throw new Error('two servers were asked for');
    await g1.gluster('peer', 'probe', g2.address);
    const brick = `${g1.address}:${g1.brickFolder}/mnt`;
    await g1.gluster('volume', 'create', 'mnt', brick);
    await g1.gluster('volume', 'start', 'mnt');
    hosts = await startKvmHosts({
      dir: `${dir}/k`,
      hosts: [{ name: 'node1' }, { name: 'node2' }],
      network: gluster.network,
    });
    const driver = createLibvirtDriver({ clock: systemClock(), random: Math.random });
    pool = driver.open({ endpoints: hosts.map(({ name, uris }) => ({ host: name, uri: uris.unix })) });
    place = {
      clusterId: 'mount-test',
      poolUid: uid,
      poolName: 'mnt',
      path: `/var/lib/ovcp/mounts/${uid}`,
      topology: 'Shared',
      mount: { kind: 'gluster', servers: [g1.address, g2.address], volume: 'mnt' },
    };
  });
  afterAll(async () => {
    await pool?.close();
    for (const host of hosts ?? []) await host.stop();
    await gluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const hostAt = (at: number): KvmHost => {
    const host = hosts[at];
    if (host === undefined) throw new Error('no such host');
    return host;
  };
  const on = (at: number): HostStorage => pool.hostStorage(hostAt(at).name);
  /** What the kernel of the host has mounted there; empty when nothing is. */
  const mounted = async (at: number, field = 'SOURCE'): Promise<string> => {
    const found = await hostAt(at).exec(['findmnt', '-n', '-M', place.path, '-o', field], {
      allowFailure: true,
    });
    return found.stdout.trim();
  };
  const see = (at: number) => on(at).seePlace(place, never);
  const prepare = (at: number) => on(at).take(place, { kind: 'preparePlace' }, never);
  const poolsOf = async (at: number): Promise<string[]> =>
    (await hostAt(at).virsh('pool-list', '--all', '--name')).split('\n').filter((name) => name !== '');
  /** The process that serves the mount, in the way it dies: at once. */
  const killMount = async (at: number): Promise<void> => {
    await hostAt(at).exec(['pkill', '-KILL', '-f', '--', place.path]);
    const dead = async (): Promise<boolean> =>
      (await hostAt(at).exec(['stat', place.path], { allowFailure: true })).code !== 0;
    await expect.poll(dead).toBe(true);
  };

  it('is mounted on both, autostarted, and known by its marker', async () => {
    expect(await see(0)).toEqual({ kind: 'absent' });
    await Promise.all([prepare(0), prepare(1)]);
    await prepare(0);
    expect(await see(0)).toMatchObject({ kind: 'ready', sharedMarker: false });
    await on(0).take(place, { kind: 'writeSharedMarker' }, never);
    for (const at of [0, 1]) {
      const seen = await see(at);
      expect(seen).toMatchObject({ kind: 'ready', sharedMarker: true });
      expect(seen).not.toHaveProperty('outdated');
      expect(await mounted(at, 'FSTYPE')).toBe('fuse.glusterfs');
      expect(await mounted(at)).toContain(':/mnt');
      const [name = ''] = await poolsOf(at);
      expect(await hostAt(at).virsh('pool-info', name)).toMatch(/Autostart: +yes/);
    }
  });

  it('shows files of one host to the other', async () => {
    const step = { kind: 'createBlank', volume: DISK, format: 'qcow2', sizeBytes: 64 * mib } as const;
    await on(0).take(place, step, never);
    expect(await on(1).see(place, DISK, never)).toMatchObject({
      kind: 'present',
      volume: { complete: true },
    });
    expect((await on(1).list(place, never)).map(({ name }) => name)).toEqual([DISK]);
    const info = await hostAt(1).exec(['qemu-img', 'info', `${place.path}/${DISK}`]);
    expect(info.stdout).toContain('64 MiB');
  });

  it('is never used when somebody unmounted it, and is mounted again', async () => {
    await hostAt(0).exec(['umount', place.path]);
    expect(await mounted(0)).toBe('');
    const step = {
      kind: 'createBlank',
      volume: 'ovcp-disk-two.qcow2',
      format: 'raw',
      sizeBytes: mib,
    } as const;
    await expect(on(0).take(place, step, never)).rejects.toMatchObject({ reason: 'MountLost' });
    await expect(on(0).see(place, DISK, never)).rejects.toMatchObject({ reason: 'MountLost' });
    expect((await hostAt(0).exec(['ls', '-A', place.path])).stdout).toBe('');
    expect(await see(0)).toMatchObject({ kind: 'ready', sharedMarker: false });
    await prepare(0);
    expect(await see(0)).toMatchObject({ kind: 'ready', sharedMarker: true });
    expect(await mounted(0, 'FSTYPE')).toBe('fuse.glusterfs');
    expect(await on(0).see(place, DISK, never)).toMatchObject({ kind: 'present' });
  });

  it('is told to be gone when its process died, and is mounted again', async () => {
    await killMount(0);
    await expect(on(0).see(place, DISK, never)).rejects.toMatchObject({ reason: 'MountLost' });
    expect((await see(0)).kind).not.toBe('ready');
    await prepare(0);
    expect(await see(0)).toMatchObject({ kind: 'ready', sharedMarker: true });
    expect(await on(0).see(place, DISK, never)).toMatchObject({ kind: 'present' });
  });

  it('waits for whoever still has a file of the dead mount open', async () => {
    const host = hostAt(1);
    const user = 'exec 3<"$0"; echo $$ > /run/holder; exec sleep infinity';
    const holder = host.exec(['sh', '-c', user, `${place.path}/${DISK}`], { allowFailure: true });
    const holds = async (): Promise<boolean> =>
      (await host.exec(['cat', '/run/holder'], { allowFailure: true })).code === 0;
    await expect.poll(holds).toBe(true);
    await killMount(1);
    expect((await see(1)).kind).not.toBe('ready');
    await expect(prepare(1)).rejects.toMatchObject({ kind: 'unreachable' });
    await host.exec(['sh', '-c', 'kill -KILL "$(cat /run/holder)"']);
    await holder;
    await prepare(1);
    expect(await see(1)).toMatchObject({ kind: 'ready', sharedMarker: true });
  });

  it('comes back with the host', async () => {
    await hostAt(1).powerLoss();
    await hostAt(1).powerOn();
    await expect.poll(() => mounted(1, 'FSTYPE'), { timeout: 30_000 }).toBe('fuse.glusterfs');
    await expect
      .poll(() => see(1).catch(() => undefined), { timeout: 30_000 })
      .toMatchObject({ kind: 'ready', sharedMarker: true });
  });

  it('takes up other servers without touching what is mounted', async () => {
    const { mount } = place;
    if (mount?.kind !== 'gluster') throw new Error('no mount');
    const before = await mounted(0, 'ID');
    const other: StoragePlace = { ...place, mount: { ...mount, servers: mount.servers.toReversed() } };
    expect(await on(0).seePlace(other, never)).toMatchObject({ kind: 'ready', outdated: true });
    await on(0).take(other, { kind: 'preparePlace' }, never);
    const seen = await on(0).seePlace(other, never);
    expect(seen).toMatchObject({ kind: 'ready', sharedMarker: true });
    expect(seen).not.toHaveProperty('outdated');
    expect(await mounted(0, 'ID')).toBe(before);
  });

  it('says so when the volume cannot be mounted, and leaves no pool that seems to be there', async () => {
    const { mount } = place;
    if (mount?.kind !== 'gluster') throw new Error('no mount');
    const wrong: StoragePlace = {
      ...place,
      poolUid: '77777777-7777-4777-8777-777777777777',
      path: '/var/lib/ovcp/mounts/77777777-7777-4777-8777-777777777777',
      mount: { ...mount, volume: 'nothing' },
    };
    await expect(on(0).take(wrong, { kind: 'preparePlace' }, never)).rejects.toMatchObject({
      kind: 'unreachable',
      reason: 'MountFailed',
    });
    expect(await on(0).seePlace(wrong, never)).toEqual({ kind: 'absent' });
    await on(0).take(wrong, { kind: 'forgetPlace' }, never);
    expect(await poolsOf(0)).toHaveLength(1);
  });

  it('is described for NFS in a way that libvirt takes', async () => {
    const source = networkSourceOf({ kind: 'nfs', server: '192.0.2.51', export: '/srv/ovcp' });
    const name = 'ovcp-nfs-test';
    const uuid = '88888888-8888-4888-8888-888888888888';
    await hostAt(0).virshFile(
      poolXml({ path: '/mnt/ovcp-nfs' }, name, uuid, source),
      'pool-define',
      '--validate',
    );
    const { source: kept } = parsePool(await hostAt(0).virsh('pool-dumpxml', name));
    expect(kept).toEqual({ host: source.host, dir: source.dir, options: source.options });
    await hostAt(0).virsh('pool-undefine', name);
  });

  it('is forgotten: unmounted, no pool, no folder; and the files are still on the servers', async () => {
    for (const at of [0, 1]) {
      await on(at).take(place, { kind: 'forgetPlace' }, never);
      await on(at).take(place, { kind: 'forgetPlace' }, never);
      expect(await mounted(at)).toBe('');
      expect(await poolsOf(at)).toEqual([]);
      expect((await hostAt(at).exec(['test', '-e', place.path], { allowFailure: true })).code).toBe(1);
    }
    const [g1] = gluster.nodes;
    const listed = await g1?.exec(['ls', `${g1.brickFolder}/mnt`]);
    expect(listed?.stdout.split('\n')).toContain(DISK);
  });
});
