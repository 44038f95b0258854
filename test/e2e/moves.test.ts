/**
 * A disk that is told to move while nobody uses it: from a folder to Gluster, to a LUN and back, between real servers.
 * What is true is asked of qemu-img on the host, of the bricks, of tgtadm and the files of the target, and of a guest.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GlusterLab, startGluster } from '../../hack/lab/gluster.ts';
import { ensureGuestImage, type GuestImage } from '../../hack/lab/guest-image.ts';
import { askGuest } from '../../hack/lab/guest-shell.ts';
import { type IscsiTarget, startIscsiTarget } from '../../hack/lab/iscsi-target.ts';
import { type KvmHost, startKvmHosts } from '../../hack/lab/kvm-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { waitUntil } from '../../hack/lab/process.ts';
import { tgtPool, volumePool } from '../../hack/lab/storage-pools.ts';
import { diskTargetIqn, diskVolumeName } from '../../src/api/identity.ts';
import { type Base, describeThing, startBase } from './harness/base.ts';
import { askShell } from './harness/guest.ts';
import { conditionOf, is, type Thing } from './harness/mirror.ts';
import {
  bootDisk,
  disk,
  hostPool,
  hostSecret,
  image,
  machine,
  secret,
  storagePool,
} from './harness/objects.ts';

const slow = { timeout: 600_000 };
const patient = { limitMs: 300_000 };
const MiB = 1024 ** 2;
const carried = { name: 'carried', diskRef: { name: 'carried' } };
/** Something at the begin, a hole, and something at the end that the copy must not forget. */
const fill = (device: string): string =>
  [
    `dd if=/dev/urandom of=${device} bs=64k count=640`,
    `dd if=/dev/urandom of=${device} bs=64k seek=1528 count=8`,
    'sync',
  ].join(' && ');

describe('a disk on its way between storage servers', () => {
  let dir: string;
  let network: LabNetwork;
  let gluster: GlusterLab;
  let target: IscsiTarget;
  let host: KvmHost;
  let guest: GuestImage;
  let lab: Base;
  /** SHA-256 of the disk from begin to end, as the guest that wrote it read it. */
  let sum: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-mov-');
    network = await createLabNetwork();
    guest = await ensureGuestImage();
    [gluster, target, [host], lab] = await Promise.all([
      startGluster({ dir: join(dir, 'g'), network }),
      startIscsiTarget({ dir: join(dir, 't'), network }),
      startKvmHosts({ dir: join(dir, 'k'), hosts: [{ name: 'node1' }], network }) as Promise<[KvmHost]>,
      startBase(join(dir, 'b'), { '/guest.qcow2': { kind: 'file', content: { path: guest.qcow2Path } } }),
    ]);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await host?.stop();
    await target?.stop();
    await gluster?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const carriedDisk = (): Thing => {
    const found = lab.get('disk', 'carried');
    if (found === undefined) throw new Error('the disk is gone');
    return found;
  };
  const uid = (): string => carriedDisk().metadata.uid;
  const poolUid = (pool: string): string => lab.get('storage', pool)?.metadata.uid ?? '';
  const moveTo = (pool: string) => lab.patch('disk', 'carried', { storagePoolRef: { name: pool } });
  const isAt = (pool: string) =>
    lab.until(
      'disk',
      'carried',
      (it) =>
        it?.status?.volume?.pool === poolUid(pool) &&
        it.status.move === undefined &&
        it.metadata.annotations?.['ovcp.dev/move'] === undefined &&
        is(it, 'Ready', 'True', 'Available'),
      patient,
    );
  const fileName = (): string => diskVolumeName(uid(), 'qcow2');
  const inFolder = (): string => `${host.diskDir}/${fileName()}`;
  const onGluster = (): string => `/var/lib/ovcp/mounts/${poolUid('gv0')}/${fileName()}`;
  /** Of a file as the host reads it, from begin to end of the disk. */
  const sumOnHost = async (path: string): Promise<string> => {
    const raw = join(dir, 'sum.raw');
    const script = `qemu-img convert -O raw ${path} ${raw} && sha256sum < ${raw}; rm -f ${raw}`;
    return (await host.exec(['sh', '-c', script])).stdout.slice(0, 64);
  };
  const find = async (
    machine: { exec: KvmHost['exec'] },
    folder: string,
    ...rule: string[]
  ): Promise<string> => (await machine.exec(['find', folder, '-type', 'f', ...rule])).stdout.trim();
  const named = (): readonly string[] => ['-name', `*${uid()}*`];
  const onTarget = (): Promise<string> => find(target, target.lunFolder, ...named());

  /** Every place but one: nothing is left of the disk there, not even pieces. */
  const isNowhereBut = async (place: 'folder' | 'gluster' | 'target'): Promise<void> => {
    if (place !== 'folder') expect(await find(host, host.diskDir, ...named())).toBe('');
    if (place !== 'target') {
      expect(await onTarget()).toBe('');
      expect(await find(target, '/etc/tgt', ...named())).toBe('');
      expect(await target.show()).not.toContain(diskTargetIqn(uid()));
    }
    if (place === 'gluster') return;
    for (const node of gluster.nodes) {
      expect(await find(node, `${node.brickFolder}/gv0`, ...named())).toBe('');
      // Gluster removes the pieces of a file that is gone in the background.
      await lab.pulse.until(`no pieces on ${node.name}`, async () => {
        const pieces = await find(node, `${node.brickFolder}/gv0`, '-path', '*/.shard/*');
        return pieces === '' || undefined;
      });
    }
  };
  const domain = (): string => String(lab.get('machine', 'one')?.status?.domainName);
  /** Name of the guest's disk with our serial number. */
  const device = async (): Promise<string> => {
    const serial = uid().replaceAll('-', '').slice(0, 20);
    const look = `for it in /sys/block/vd?; do [ "$(cat $it/serial)" = ${serial} ] && basename $it; done; true`;
    const name = await lab.pulse.until(
      'the disk in the guest',
      async () => /^vd[a-z]$/m.exec(await askShell(host, domain(), look))?.[0],
    );
    return `/dev/${name}`;
  };
  const sumInGuest = async (): Promise<string> =>
    /[0-9a-f]{64}/.exec(await askGuest(host, domain(), `sha256sum < ${await device()}`, 300))?.[0] ?? '';

  it('is written by a guest, in a folder of its host', slow, async () => {
    await lab.applyAsAdmin(
      hostSecret('node1', host),
      secret('gluster-ssh', 'ovcp-system', {
        'ssh-privatekey': gluster.nodes[0]?.credentials.sshPrivateKey ?? '',
        known_hosts: gluster.nodes.map(({ credentials }) => credentials.sshKnownHosts).join('\n'),
      }),
      secret('san-ssh', 'ovcp-system', {
        'ssh-privatekey': target.credentials.sshPrivateKey,
        known_hosts: target.credentials.sshKnownHosts,
      }),
      secret('san-chap', 'ovcp-system', { 'chap-password': 'a-secret-for-chap' }),
      hostPool('kvm', [{ name: 'node1', uri: host.uris.ssh, secret: 'node1' }]),
      storagePool('local', 'kvm', host.diskDir),
      volumePool('gv0', gluster.nodes),
      tgtPool('san', target),
    );
    await lab.apply(
      image('tiny', `${lab.files.url}/guest.qcow2`, `sha256:${guest.sha256.qcow2}`),
      disk('carried', '96Mi'),
      machine('one', { disks: [bootDisk(), carried] }),
    );
    await lab.until('machine', 'one', (it) => is(it, 'Ready', 'True', 'Running'), patient);
    await askGuest(host, domain(), fill(await device()), 300);
    sum = await sumInGuest();
    for (const pool of ['gv0', 'san'])
      await lab.until('storage', pool, (it) => is(it, 'Ready', 'True', 'Ready'), patient);
  });

  it('waits for the machine, and is let go of with it', slow, async () => {
    await moveTo('gv0');
    const waiting = await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'MovesWhenDetached'));
    expect(conditionOf(waiting, 'Ready')?.message).toContain('Machine one uses the disk');
    expect(waiting.metadata.annotations?.['ovcp.dev/move']).toBeUndefined();
    expect(await find(host, `/var/lib/ovcp/mounts/${poolUid('gv0')}`, ...named())).toBe('');
    await moveTo('local');
    await lab.patch('machine', 'one', { powerState: 'PoweredOff', disks: [bootDisk()] });
    await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'Available'), patient);
    expect(await sumOnHost(inFolder())).toBe(sum);
  });

  it('arrives on Gluster though the operator was killed in the middle of the copy', slow, async () => {
    await moveTo('gv0');
    // It lands beside its name, and is converted from there.
    const landed = async (): Promise<boolean> => {
      const { stdout } = await host.exec(['stat', '-c', '%s', `${onGluster()}.part`], { allowFailure: true });
      return Number(stdout) > MiB;
    };
    await waitUntil('some of the copy', landed, { limitMs: 240_000, stepMs: 5 }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${describeThing(carriedDisk())}\n${lab.operatorLog().slice(-2000)}`);
    });
    host.pause();
    await lab.killOperator();
    host.resume();
    const torn = carriedDisk();
    expect(JSON.parse(torn.metadata.annotations?.['ovcp.dev/move'] ?? '{}')).toMatchObject({
      phase: 'Copying',
    });
    expect(await find(host, onGluster().replace(/[^/]*$/, ''), '-name', '*.making')).not.toBe('');
    expect(await sumOnHost(inFolder())).toBe(sum);
    await lab.startOperator();
    await isAt('gv0');
    expect(await sumOnHost(onGluster())).toBe(sum);
    await isNowhereBut('gluster');
    // Each server has the same.
    const sums = await Promise.all(
      gluster.nodes.map(async (node) => {
        const { stdout } = await node.exec(['sha256sum', `${node.brickFolder}/gv0/${fileName()}`]);
        return stdout.slice(0, 64);
      }),
    );
    expect(new Set(sums).size).toBe(1);
  });

  it('goes on to a LUN', slow, async () => {
    await moveTo('san');
    await isAt('san');
    const path = await onTarget();
    expect((await target.exec(['sha256sum', path])).stdout.slice(0, 64)).toBe(sum);
    await isNowhereBut('target');
  });

  it('is back in the folder, and a guest reads what it wrote', slow, async () => {
    await moveTo('local');
    await isAt('local');
    expect(await sumOnHost(inFolder())).toBe(sum);
    await isNowhereBut('folder');
    await lab.patch('machine', 'one', { powerState: 'PoweredOn', disks: [bootDisk(), carried] });
    await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'Attached'), patient);
    await lab.until('machine', 'one', (it) => is(it, 'Ready', 'True', 'Running'), patient);
    expect(await sumInGuest()).toBe(sum);
  });

  it('leaves nothing when it is deleted', slow, async () => {
    await lab.remove('machine', 'one');
    await lab.untilGone('machine', 'one', patient);
    await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'Available'), patient);
    const was = inFolder();
    await lab.remove('disk', 'carried');
    await lab.untilGone('disk', 'carried', patient);
    expect((await host.exec(['ls', was], { allowFailure: true })).code).not.toBe(0);
  });
});
