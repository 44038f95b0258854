/**
 * A StoragePool on a real NFS server, mounted by a libvirt host with a kernel of its own: disks on it, machines that
 * leave their mark there, the server gone and back. What is true is asked of exportfs, findmnt, virsh and the files.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestHost, startGuestHost } from '../../hack/lab/guest-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { hearProof, proofMarker, writeProofGuest } from '../../hack/lab/proof-guest.ts';
import { type StorageGuest, startStorageGuest } from '../../hack/lab/storage-guest.ts';
import { type NfsFixture, notOnNfs, startNfsFixture } from '../contract/fixtures/nfs.ts';
import { placeLaws } from '../contract/laws-places.ts';
import { readingLaws } from '../contract/laws-reading.ts';
import { storageLaws } from '../contract/laws-storage.ts';
import { type Base, startBase } from './harness/base.ts';
import { conditionOf, is, type Thing } from './harness/mirror.ts';
import { disk, hostPool, image, machine, secret, storagePool, team, templated } from './harness/objects.ts';

const onNas = { storagePoolRef: { name: 'nas' } };
/** A machine on the host is emulated twice, and what takes a second elsewhere takes half a minute. */
const slow = { timeout: 900_000 };
const patient = { limitMs: 600_000 };
const hard = { memory: '64Mi', shutdown: { mode: 'Hard', timeoutSeconds: 1 } };
const sectors = (mib: number): number => mib * 2048;
const first = 0x80;
const second = 0x81;

const nas = (server: StorageGuest) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'nas' },
  spec: {
    driver: 'nfs',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks', 'Images'],
    allowedNamespaces: { from: 'All' },
    nfs: { server: server.address, export: server.exportPath },
  },
});

/** Boots from a copy of the image, and has the disk that goes from machine to machine. */
const carrying = (name: string) =>
  machine(name, {
    ...hard,
    disks: [
      templated('root', { size: '16Mi', imageRef: { name: 'proof' }, ...onNas }, { bootOrder: 1 }),
      { name: 'carried', diskRef: { name: 'carried' }, bootOrder: 2 },
    ],
  });

describe('a StoragePool on NFS', () => {
  let dir: string;
  let network: LabNetwork;
  let server: StorageGuest;
  let host: GuestHost;
  let lab: Base;
  let before: string;
  let checksum: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-nas-');
    network = await createLabNetwork();
    const path = join(dir, 'proof.img');
    checksum = `sha256:${writeProofGuest(path)}`;
    [server, host, lab] = await Promise.all([
      startStorageGuest({ dir: join(dir, 's'), network, nfs: true }),
      startGuestHost({ dir: join(dir, 'h'), network }),
      startBase(join(dir, 'b'), { '/proof.img': { kind: 'file', content: { path } } }),
    ]);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await host?.stop();
    await server?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const onServer = async (...argv: string[]): Promise<string> => (await server.exec(argv)).stdout;
  const onHost = async (...argv: string[]): Promise<string> =>
    (await host.exec(argv, { allowFailure: true })).stdout;
  const sorted = (text: string): string => text.trim().split('\n').toSorted().join('\n');
  const mounts = async (): Promise<string> =>
    sorted(await onHost('findmnt', '-rn', '-t', 'nfs,nfs4', '-o', 'SOURCE,TARGET'));
  const inventory = async (): Promise<string> =>
    [
      await onServer('exportfs', '-s'),
      await onServer('find', '/srv', '-printf', '%p %y %U:%G %m\n'),
      await onServer('sha256sum', '/srv/nfs/somebody-elses'),
      await mounts(),
      await onHost('find', '/var/lib/ovcp/disks', '/var/lib/ovcp/mounts', '-mindepth', '1'),
      await host.virsh('pool-list', '--all', '--name'),
      await host.virsh('list', '--all', '--name'),
    ]
      .map(sorted)
      .join('\n');
  const folder = (): string => `/var/lib/ovcp/mounts/${lab.get('storage', 'nas')?.metadata.uid}`;
  const volume = (name: string): string => String(lab.get('disk', name)?.status?.volume.name);
  const domain = (name: string): string => String(lab.get('machine', name)?.status?.domainName);
  const running = (name: string) =>
    lab.until('machine', name, (it) => is(it, 'Ready', 'True', 'Running'), patient);
  const free = (name: string) =>
    lab.until('disk', name, (it) => it !== undefined && it.status?.claim === undefined, patient);
  const poolSays = async (reason: string): Promise<string> => {
    const told = (it: Thing | undefined): boolean =>
      conditionOf(it, 'Ready')?.status === 'False' && conditionOf(it, 'Ready')?.reason === reason;
    const pool = await lab.until('storage', 'nas', told, patient);
    return conditionOf(pool, 'Ready')?.message ?? '';
  };

  it('is mounted on the host, and known by its marker', slow, async () => {
    const foreign = '/srv/other 192.0.2.99(ro,fsid=2)\n';
    await onServer('mkdir', '-p', '/etc/exports.d', '/srv/other');
    await server.exec(['tee', '/etc/exports.d/other.exports'], { stdin: foreign });
    await onServer('exportfs', '-ra');
    await server.exec(['tee', '/srv/nfs/somebody-elses'], { stdin: 'not ours\n' });
    // docs/storage-servers.md: QEMU's group of the hosts, which the server has as well.
    await onServer('chgrp', 'libvirt-qemu', server.exportPath);
    await onServer('chmod', '1731', server.exportPath);
    before = await inventory();
    expect(before).toContain(`${server.exportPath}  *(`);
    await lab.applyAsAdmin(
      secret('deb1', 'ovcp-system', host.secret),
      hostPool('kvm', [{ name: 'deb1', uri: host.uri, secret: 'deb1' }]),
      storagePool('local', 'kvm', host.diskDir),
      nas(server),
    );
    const pool = await lab.until('storage', 'nas', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    expect(pool.status.hostsReady).toBe(1);
    expect(await mounts()).toBe(`${server.address}:${server.exportPath} ${folder()}`);
    expect(await onServer('ls', server.exportPath)).toContain(`ovcp-pool-${pool.metadata.uid}`);
  });

  it('keeps an image and the disks of a machine that boots from them', slow, async () => {
    await lab.apply(
      image('proof', `${lab.files.url}/proof.img`, checksum, { ...onNas, format: 'raw' }),
      disk('carried', '16Mi', { ...onNas, format: 'raw' }),
      carrying('one'),
    );
    await running('one');
    expect(await hearProof(host, domain('one'), 2)).toEqual([
      { disk: first, boots: 1, sectors: sectors(16) },
      { disk: second, boots: 1, sectors: sectors(16) },
    ]);
    const file = `${server.exportPath}/${volume('carried')}`;
    const mark = ['dd', `if=${file}`, 'bs=1', `skip=${proofMarker.offset}`, 'count=16', 'status=none'];
    expect(await onServer(...mark)).toBe(proofMarker.text);
  });

  it('grows a disk while the machine runs', slow, async () => {
    await lab.patch('disk', 'carried', { size: '32Mi' });
    await lab.until('disk', 'carried', (it) => it?.status?.size === '32Mi', patient);
    const blocks = await host.virsh('domblkinfo', domain('one'), '--all');
    expect(blocks).toMatch(new RegExp(` ${32 * 1024 ** 2} `));
    expect(await onServer('stat', '-c', '%s', `${server.exportPath}/${volume('carried')}`)).toBe(
      `${32 * 1024 ** 2}\n`,
    );
  });

  it('says that the server is gone, while nothing else of the host waits for it', slow, async () => {
    const pid = await onHost('cat', `/run/libvirt/qemu/${domain('one')}.pid`);
    await server.cut();
    expect(await poolSays('StorageUnresponsive')).toContain(
      `no answer from ${server.exportPath} of ${server.address}`,
    );
    const blank = templated('root', { size: '1Mi', storagePoolRef: { name: 'local' } });
    await lab.apply(machine('bystander', { ...hard, disks: [blank] }));
    await running('bystander');
    expect(is(lab.get('host', 'kvm.deb1'), 'Reachable', 'True')).toBe(true);
    await lab.remove('machine', 'bystander');
    await lab.untilGone('machine', 'bystander', patient);
    await server.heal();
    await lab.until('storage', 'nas', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    // The machine waited, and goes on.
    expect(await onHost('cat', `/run/libvirt/qemu/${domain('one')}.pid`)).toBe(pid);
    expect(await hearProof(host, domain('one'), 2)).toContainEqual({
      disk: second,
      boots: 1,
      sectors: sectors(16),
    });
  });

  it('gives a disk to another machine, with what is on it', slow, async () => {
    await lab.remove('machine', 'one');
    await lab.untilGone('machine', 'one', patient);
    await free('carried');
    await lab.apply(carrying('two'));
    await running('two');
    expect(await hearProof(host, domain('two'), 2)).toEqual([
      { disk: first, boots: 1, sectors: sectors(16) },
      { disk: second, boots: 2, sectors: sectors(32) },
    ]);
    await lab.patch('machine', 'two', { powerState: 'PoweredOff' });
    await lab.until('machine', 'two', (it) => is(it, 'Ready', 'True', 'PoweredOff'), patient);
  });

  it('writes nothing where nothing is mounted, says why, and goes on by itself', slow, async () => {
    await onServer('exportfs', '-u', `*:${server.exportPath}`);
    await onHost('umount', folder());
    await lab.apply(disk('late', '1Mi', onNas));
    expect(await poolSays('MountFailed')).toMatch(/cannot mount .*: mount\.nfs: access denied by server/);
    expect(is(lab.get('disk', 'late'), 'Ready', 'True')).toBe(false);
    expect(await mounts()).toBe('');
    expect(await onHost('find', folder(), '-mindepth', '1')).toBe('');
    await onServer('exportfs', '-a');
    await lab.until('disk', 'late', (it) => is(it, 'Ready', 'True'), patient);
    expect(await mounts()).toContain(folder());
    expect(await onServer('ls', server.exportPath)).toContain(volume('late'));
  });

  it('leaves everything as it was when all is deleted', slow, async () => {
    await lab.remove('machine', 'two');
    await lab.untilGone('machine', 'two', patient);
    for (const name of ['carried', 'late']) await free(name);
    await lab.remove('disk', 'carried', 'late');
    await lab.remove('image', 'proof');
    for (const name of ['carried', 'late', 'one.root', 'two.root'])
      await lab.untilGone('disk', name, patient);
    await lab.untilGone('image', 'proof', patient);
    await lab.remove('storage', 'nas', 'local');
    for (const name of ['nas', 'local']) await lab.untilGone('storage', name, patient);
    expect(await inventory()).toBe(before);
    expect(lab.mirror.list('disk').filter(({ metadata }) => metadata.namespace === team)).toEqual([]);
  });

  describe('as the contract has it (docs/driver-contract.md)', () => {
    let laws: NfsFixture;
    beforeAll(async () => {
      await lab.stopOperator();
      await onServer('mkdir', '-p', '/srv/laws/shared');
      await onServer('exportfs', '-o', 'rw,no_root_squash,no_subtree_check,fsid=3', '*:/srv/laws');
      laws = await startNfsFixture(host, server, '/srv/laws');
    });
    afterAll(() => laws?.stop());

    for (const { id, title, check } of [...storageLaws, ...placeLaws, ...readingLaws]) {
      const reason = notOnNfs[id];
      if (reason === undefined) it(`${id} ${title}`, slow, () => check(laws.fixture, laws.pool));
      else it(`${id} ${title}`, ({ skip }) => skip(`not with nfs: ${reason}`));
    }
  });
});
