/**
 * A StoragePool on a volume group of a libvirt host with a kernel of its own: disks as logical volumes, machines that
 * leave their mark there, others' volumes beside them. What is true is asked of lvs, vgs, virsh and the devices.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestHost, startGuestHost } from '../../hack/lab/guest-host.ts';
import { hearProof, writeProofGuest } from '../../hack/lab/proof-guest.ts';
import type { HypervisorPool } from '../../src/drivers/hypervisor/contract.ts';
import { createLibvirtDriver } from '../../src/drivers/hypervisor/libvirt/driver.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { GroupFixture } from '../contract/fixture.ts';
import { groupLaws } from '../contract/laws-groups.ts';
import { type Base, startBase } from './harness/base.ts';
import { conditionOf, is, type Thing } from './harness/mirror.ts';
import { disk, hostPool, image, machine, secret, storagePool, templated } from './harness/objects.ts';

const onFast = { storagePoolRef: { name: 'fast' } };
/** A machine on the host is emulated twice, and what takes a second elsewhere takes half a minute. */
const slow = { timeout: 900_000 };
const patient = { limitMs: 600_000 };
const hard = { memory: '64Mi', shutdown: { mode: 'Hard', timeoutSeconds: 1 } };
const sectors = (mib: number): number => mib * 2048;
const first = 0x80;
const groupBytes = 384 * 1024 ** 2;

const fast = (name: string, volumeGroup: string) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name },
  spec: {
    driver: 'lvm',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    lvm: { volumeGroup },
  },
});

const carrying = (name: string, ...more: string[]) =>
  machine(name, {
    ...hard,
    disks: ['carried', ...more].map((it, at) => ({
      name: it,
      diskRef: { name: it },
      ...(at === 0 ? { bootOrder: 1 } : {}),
    })),
  });

/** Every byte of the group's disk is somebody's old data before the group is made; and others keep volumes in it. */
const makeGroup = async (host: GuestHost): Promise<void> => {
  const script = `set -e
    yes somebody-elses-old-data | head -c 4M >/run/old
    for i in $(seq ${groupBytes / (4 * 1024 ** 2)}); do cat /run/old; done >/dev/vdb
    vgcreate -q vg0 /dev/vdb
    lvcreate -q -y -n precious -L 8m vg0
    lvcreate -q -y --type thin-pool -L 16m -n theirs vg0
    lvcreate -q -y -V 32m -n thin --thinpool vg0/theirs
    yes precious | head -c 8M >/dev/vg0/precious
    yes thin | head -c 1M | dd of=/dev/vg0/thin conv=fsync status=none`;
  await host.exec(['sh', '-c', script]);
  await host.virsh('pool-define-as', 'admins', 'logical', '--source-name', 'vg0', '--target', '/dev/vg0');
  await host.virsh('pool-start', 'admins');
};

describe('a StoragePool on a volume group', () => {
  let dir: string;
  let host: GuestHost;
  let lab: Base;
  let before: string;
  let checksum: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-lvm-');
    const path = join(dir, 'proof.img');
    checksum = `sha256:${writeProofGuest(path)}`;
    [host, lab] = await Promise.all([
      startGuestHost({ dir: join(dir, 'h'), dataBytes: groupBytes }),
      startBase(join(dir, 'b'), { '/proof.img': { kind: 'file', content: { path } } }),
    ]);
    await makeGroup(host);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await host?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const onHost = async (...argv: string[]): Promise<string> => (await host.exec(argv)).stdout.trim();
  const names = async (): Promise<string[]> =>
    (await onHost('lvs', '--noheadings', '-o', 'lv_name', 'vg0')).split(/\s+/).toSorted();
  /** Volumes, room and content as others know them. */
  const inventory = async (): Promise<string> =>
    [
      await onHost('lvs', '--noheadings', '-o', 'lv_name,lv_uuid,lv_size,lv_attr,lv_tags', 'vg0'),
      await onHost('vgs', '--noheadings', '-o', 'vg_size,vg_free', 'vg0'),
      await onHost('sha256sum', '/dev/vg0/precious', '/dev/vg0/thin'),
      await host.virsh('pool-info', 'admins'),
      await host.virsh('list', '--all', '--name'),
    ].join('\n');
  const device = (name: string): string => `/dev/vg0/${lab.get('disk', name)?.status?.volume.name}`;
  /** Bytes that are not zero, from an offset on. */
  const written = async (name: string, from: number): Promise<number> =>
    Number(await onHost('sh', '-c', `tail -c +${from + 1} ${device(name)} | tr -d '\\0' | wc -c`));
  const domain = (name: string): string => String(lab.get('machine', name)?.status?.domainName);
  const running = (name: string) =>
    lab.until('machine', name, (it) => is(it, 'Ready', 'True', 'Running'), patient);
  const settled = (name: string, reason: string) =>
    lab.until('disk', name, (it) => is(it, 'Ready', 'True', reason), patient);
  const refused = (name: string, reason: string) =>
    lab.until('storage', name, (it: Thing | undefined) => is(it, 'Ready', 'False', reason), patient);

  it('is ready on its host with the room that the group has', slow, async () => {
    before = await inventory();
    await lab.applyAsAdmin(
      secret('deb1', 'ovcp-system', host.secret),
      hostPool('kvm', [{ name: 'deb1', uri: host.uri, secret: 'deb1' }]),
      storagePool('local', 'kvm', host.diskDir),
      fast('fast', 'vg0'),
    );
    const pool = await lab.until('storage', 'fast', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    const [size] = (
      await onHost('vgs', '--noheadings', '--units', 'm', '--nosuffix', '-o', 'vg_size', 'vg0')
    ).split('.');
    expect(pool.status).toMatchObject({ hostsReady: 1, capacity: `${size}Mi` });
    expect((await names()).filter((name) => name.startsWith('ovcp-'))).toEqual([
      expect.stringMatching(/^ovcp-pool-[0-9a-f]{16}$/),
    ]);
  });

  it('says what is wrong with a group that is not there, or is another pool’s', slow, async () => {
    await lab.applyAsAdmin(fast('nowhere', 'vg9'), fast('rival', 'vg0'));
    const nowhere = await refused('nowhere', 'VolumeGroupNotFound');
    expect(conditionOf(nowhere, 'Ready')?.message).toContain('The volume group vg9 does not exist');
    const rival = await refused('rival', 'NameTaken');
    expect(conditionOf(rival, 'Ready')?.message).toContain('carries the mark of another StoragePool');
    await lab.remove('storage', 'nowhere', 'rival');
    for (const name of ['nowhere', 'rival']) await lab.untilGone('storage', name, patient);
    expect((await names()).filter((name) => name.startsWith('ovcp-pool-'))).toHaveLength(1);
  });

  it('boots a machine from a volume that was filled from an image, over old data', slow, async () => {
    await lab.apply(
      image('proof', `${lab.files.url}/proof.img`, checksum, { format: 'raw' }),
      disk('carried', '15Mi', { ...onFast, source: { type: 'Image', imageRef: { name: 'proof' } } }),
      carrying('one'),
    );
    await running('one');
    // Rounded up to extents of 4 MiB.
    expect(await hearProof(host, domain('one'), 1)).toEqual([
      { disk: first, boots: 1, sectors: sectors(16) },
    ]);
    expect(await written('carried', 1024 ** 2)).toBe(0);
    expect(lab.get('disk', 'carried')?.status).toMatchObject({ size: '16Mi', host: 'kvm.deb1' });
    const blocks = await host.virsh('domblklist', domain('one'), '--details');
    expect(blocks).toMatch(new RegExp(`block +disk +vda +${device('carried')}`));
  });

  it('plugs a blank volume into the running machine and takes it out again', slow, async () => {
    await lab.apply(disk('extra', '8Mi', onFast), carrying('one', 'extra'));
    await settled('extra', 'Attached');
    await lab.until(
      'machine',
      'one',
      (it) =>
        it?.status?.disks?.some(
          (each: { name: string; attached: boolean }) => each.name === 'extra' && each.attached,
        ),
      patient,
    );
    expect(await host.virsh('domblklist', domain('one'))).toContain(device('extra'));
    expect(await written('extra', 0)).toBe(0);
    const full = templated('root', { size: '1Gi', ...onFast });
    await lab.apply(machine('big', { ...hard, disks: [full] }));
    const isFull = (it: Thing | undefined): boolean => conditionOf(it, 'Ready')?.reason === 'StoragePoolFull';
    const big = await lab.until('disk', 'big.root', isFull, patient);
    expect(conditionOf(big, 'Ready')?.message).toContain('insufficient free space');
    expect(big.status.volume).toBeUndefined();
    await lab.remove('machine', 'big');
    await lab.untilGone('machine', 'big', patient);
    await lab.untilGone('disk', 'big.root', patient);
  });

  it('grows a disk when its machine is next stopped', slow, async () => {
    await lab.patch('disk', 'carried', { size: '32Mi' });
    const told = await settled('carried', 'GrowsAtPowerCycle');
    expect(conditionOf(told, 'Ready')?.message).toContain('Machine one uses the disk');
    await lab.until(
      'machine',
      'one',
      (it) =>
        it?.status?.pendingChanges?.some((change: { impact: string }) => change.impact === 'PowerCycle'),
      patient,
    );
    await lab.patch('machine', 'one', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await lab.until('disk', 'carried', (it) => it?.status?.size === '32Mi', patient);
    await lab.until(
      'machine',
      'one',
      (it) => is(it, 'Ready', 'True', 'Running') && (it?.status?.pendingChanges ?? []).length === 0,
      patient,
    );
    expect(await hearProof(host, domain('one'), 1)).toEqual([
      { disk: first, boots: 2, sectors: sectors(32) },
    ]);
    expect(await written('carried', 1024 ** 2)).toBe(0);
    expect(await names()).not.toContainEqual(expect.stringMatching(/\.(part|making)$/));
  });

  it(
    'gives the disk to another machine, with what is on it; a crash while it grows loses nothing',
    slow,
    async () => {
      await lab.remove('machine', 'one');
      await lab.untilGone('machine', 'one', patient);
      await settled('carried', 'Available');
      await lab.patch('disk', 'carried', { size: '96Mi' });
      await lab.until('disk', 'carried', (it) => conditionOf(it, 'Ready')?.reason === 'Growing', patient);
      await lab.killOperator();
      await lab.startOperator();
      await lab.until('disk', 'carried', (it) => it?.status?.size === '96Mi', patient);
      await lab.apply(carrying('two'));
      await running('two');
      expect(await hearProof(host, domain('two'), 1)).toEqual([
        { disk: first, boots: 3, sectors: sectors(96) },
      ]);
      expect(await written('carried', 1024 ** 2)).toBe(0);
    },
  );

  it('leaves the group as it was when all is deleted', slow, async () => {
    await lab.remove('machine', 'two');
    await lab.untilGone('machine', 'two', patient);
    for (const name of ['carried', 'extra']) await settled(name, 'Available');
    await lab.remove('disk', 'carried', 'extra');
    for (const name of ['carried', 'extra']) await lab.untilGone('disk', name, patient);
    await lab.remove('image', 'proof');
    await lab.untilGone('image', 'proof', patient);
    await lab.remove('storage', 'fast', 'local');
    for (const name of ['fast', 'local']) await lab.untilGone('storage', name, patient);
    expect(await inventory()).toBe(before);
  });

  describe('as the contract has it (docs/driver-contract.md)', () => {
    let pool: HypervisorPool;
    let group: GroupFixture;
    beforeAll(async () => {
      await lab.stopOperator();
      const driver = createLibvirtDriver({ clock: systemClock(), random: Math.random });
      const credentials = { sshPrivateKey: host.sshPrivateKey, sshKnownHosts: host.sshKnownHosts };
      pool = driver.open({ endpoints: [{ host: host.name, uri: host.uri, credentials }] });
      await lab.pulse.until(
        'the host is connected',
        async () => (await pool.hosts(new AbortController().signal))[0]?.kind === 'reachable' || undefined,
        patient,
      );
      const place = {
        clusterId: 'contract-suite',
        poolUid: '55555555-aaaa-4aaa-8aaa-555555555555',
        poolName: 'group',
        path: '/dev/vg0',
        topology: 'HostLocal',
        volumeGroup: 'vg0',
      } as const;
      group = {
        place,
        rival: { ...place, poolUid: '66666666-aaaa-4aaa-8aaa-666666666666', poolName: 'rival' },
        keepsContent: true,
        names: ['precious', 'thin', 'theirs'],
        others: () => onHost('sha256sum', '/dev/vg0/precious', '/dev/vg0/thin'),
      };
    });
    afterAll(() => pool?.close());

    for (const { id, title, check } of groupLaws)
      it(`${id} ${title}`, slow, () => check({ host: host.name, group }, pool));
  });
});
