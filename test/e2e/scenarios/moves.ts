/** Disks on Gluster go to an iSCSI target and to a folder of a host, and come back. */
import { expect } from 'vitest';
import type { IscsiTarget } from '../../../hack/lab/iscsi-target.ts';
import type { KvmHost } from '../../../hack/lab/kvm-host.ts';
import { is, type Lab, type Placed, team } from '../harness/lab.ts';
import { secret, storagePool } from '../harness/objects.ts';
import { qemuImgInfo } from '../harness/truth.ts';

const MiB = 1024 * 1024;

/** Where disks go on their way, besides the volume. */
const san = (target: IscsiTarget) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'san' },
  spec: {
    driver: 'iscsi',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    iscsi: {
      target: {
        software: 'TGT',
        address: target.address,
        user: target.sudoUser,
        credentialsSecretRef: { name: 'san-ssh' },
        portals: [`${target.portal.address}:${target.portal.port}`],
      },
      backing: { type: 'Files', files: { path: `${target.lunFolder}/san` } },
      attach: 'QEMU',
    },
  },
});

export interface MovingDisks {
  readonly lab: Lab;
  readonly target: IscsiTarget;
  /** Where the machine is. */
  readonly host: KvmHost;
  /** It has the disk `carried`, and a root disk that is a linked clone, both on the volume `gv0`. */
  readonly machine: string;
  /** Path of a disk on the volume, as hosts see it. */
  readonly fileOf: (name: string) => string;
  readonly uidOf: (name: string) => string;
  readonly deviceOf: (box: Placed, name: string) => Promise<string>;
}

/** Leaves the disk `carried` on the volume, and the root disk in a pool `local`. */
export const moveDisks = async ({
  lab,
  target,
  host,
  machine,
  fileOf,
  uidOf,
  deviceOf,
}: MovingDisks): Promise<void> => {
  const root = `${machine}.root`;
  await lab.applyAsAdmin(
    secret('san-ssh', 'ovcp-system', {
      'ssh-privatekey': target.credentials.sshPrivateKey,
      known_hosts: target.credentials.sshKnownHosts,
    }),
    storagePool('local', 'kvm', host.diskDir),
    san(target),
  );
  for (const pool of ['local', 'san']) await lab.until('storage', pool, (it) => is(it, 'Ready', 'True'));
  await lab.patch('machine', machine, { powerState: 'PoweredOff' });
  await lab.until('machine', machine, (it) => is(it, 'Ready', 'True', 'PoweredOff'));
  const moved = async (name: string, pool: string): Promise<void> => {
    await lab.patch('disk', name, { storagePoolRef: { name: pool } });
    const uid = lab.mirror.get('storage', pool)?.metadata.uid;
    const arrived = await lab.until(
      'disk',
      name,
      (it) => it?.status?.volume?.pool === uid && is(it, 'Ready', 'True', 'Available'),
      { limitMs: 120_000 },
    );
    expect(arrived.status.move).toBeUndefined();
  };
  const localFile = (name: string): string =>
    `${host.diskDir}/${lab.mirror.get('disk', name, team)?.status.volume.name}`;
  /** What a guest would read of a qcow2 file on the host, through whatever it stands on. */
  const contentOf = async (file: string, argv: string): Promise<string> => {
    const script = `raw=$(mktemp) && qemu-img convert -O raw ${file} $raw && ${argv} < $raw; rm -f $raw`;
    return (await host.exec(['sh', '-c', script])).stdout.trim();
  };
  const sum = await contentOf(fileOf(root), 'sha256sum');
  const onGluster = fileOf('carried');
  await moved('carried', 'san');
  const lun = `${target.lunFolder}/san/ovcp-disk-${uidOf('carried')}.raw`;
  expect((await target.exec(['head', '-n', '1', lun])).stdout).toBe('written-meanwhile\n');
  expect((await host.exec(['ls', onGluster], { allowFailure: true })).code).not.toBe(0);
  // The file is as sparse as the disk.
  expect(Number((await target.exec(['stat', '-c', '%b', lun])).stdout) * 512).toBeLessThan(MiB);
  await moved('carried', 'local');
  expect((await target.exec(['ls', lun], { allowFailure: true })).code).not.toBe(0);
  expect(await contentOf(localFile('carried'), 'head -n 1')).toBe('written-meanwhile');
  await moved('carried', 'gv0');
  expect(await contentOf(fileOf('carried'), 'head -n 1')).toBe('written-meanwhile');
  // A linked clone is read through its image, and stands alone where it goes.
  expect(await qemuImgInfo(host, fileOf(root))).toHaveProperty('backing-filename');
  await moved(root, 'local');
  expect(await qemuImgInfo(host, localFile(root))).not.toHaveProperty('backing-filename');
  expect(await contentOf(localFile(root), 'sha256sum')).toBe(sum);
  await lab.patch('machine', machine, { powerState: 'PoweredOn' });
  const box = await lab.untilReady(machine, 'Running', { limitMs: 200_000 });
  expect(await box.host.virsh('domblklist', box.domain)).toContain(localFile(root));
  const device = await deviceOf(box, 'carried');
  expect(await box.ask(`head -n 1 /dev/${device}`)).toBe('written-meanwhile\n');
  await lab.remove('storage', 'san');
  await lab.untilGone('storage', 'san');
  expect((await target.exec(['find', target.lunFolder, '-name', 'ovcp-disk-*'])).stdout).toBe('');
};
