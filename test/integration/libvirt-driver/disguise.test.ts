/**
 * A guest writes whatever it likes into its raw disk, the header of another format too (reliability.md S7). libvirt
 * looks at headers when it reads a folder; nothing that we do may follow from what it takes them for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import { diskSerial } from '../../../src/api/identity.ts';
import type { HypervisorPool } from '../../../src/drivers/hypervisor/contract.ts';
import type { StoragePlace } from '../../../src/drivers/hypervisor/host-storage.ts';
import { createLibvirtDriver } from '../../../src/drivers/hypervisor/libvirt/driver.ts';
import type { DiskShape } from '../../../src/drivers/hypervisor/shape.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { cluster, mib, never, newIdentity, recordOf, shapeOf } from './world.ts';

const secret = '/var/lib/ovcp/secret';
let dir: string;
let host: KvmHost;
let pool: HypervisorPool;
let place: StoragePlace;

beforeAll(async () => {
  dir = mkdtempSync('/tmp/ovcp-s7-');
  const [first] = await startKvmHosts({ dir, hosts: [{ name: 'node1' }] });
  if (first === undefined) throw new Error('one host was asked for');
  host = first;
  const driver = createLibvirtDriver({ clock: systemClock(), random: Math.random });
  pool = driver.open({ endpoints: [{ host: 'node1', uri: host.uris.unix }] });
  const poolUid = '55555555-5555-4555-8555-555555555555';
  const path = `${host.diskDir}/local`;
  place = { clusterId: cluster, poolUid, poolName: 'local', path, topology: 'HostLocal' };
  await pool.hostStorage('node1').take(place, { kind: 'preparePlace' }, never);
  await host.exec(['sh', '-c', `head -c 2M /dev/zero | tr '\\0' 's' > ${secret}`]);
});
afterAll(async () => {
  await pool?.close();
  await host?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A raw volume of 16 MiB in which a guest has written the head of such an image. */
const disguised = async (name: string, format: string, options: readonly string[]): Promise<string> => {
  const volume = `ovcp-disk-${name}.raw`;
  const storage = pool.hostStorage('node1');
  await storage.take(place, { kind: 'createBlank', volume, format: 'raw', sizeBytes: 16 * mib }, never);
  const image = `${host.diskDir}/${name}.image`;
  await host.exec(['qemu-img', 'create', '-q', '-f', format, ...options, image, '1G']);
  await host.exec(['dd', `if=${image}`, `of=${place.path}/${volume}`, 'conv=notrunc', 'status=none']);
  const pools = (await host.virsh('pool-list', '--name')).trim();
  await host.virsh('pool-refresh', pools);
  return volume;
};

const sizeOf = async (volume: string): Promise<number> =>
  Number((await host.exec(['stat', '-c', '%s', `${place.path}/${volume}`])).stdout);

const qemuFiles = async (uuid: string): Promise<string> => {
  const name = (await host.virsh('domname', uuid)).trim();
  const pid = (await host.exec(['cat', `/run/libvirt/qemu/${name}.pid`])).stdout.trim();
  return (await host.exec(['sh', '-c', `ls -l /proc/${pid}/fd`])).stdout;
};

describe.each([
  ['qcow2', ['-b', secret, '-F', 'raw']],
  ['qed', ['-b', secret, '-F', 'raw']],
  ['vmdk', []],
  ['vpc', []],
  ['vdi', []],
] as const)('a raw disk with the head of %s', (format, options) => {
  let volume: string;
  beforeAll(async () => {
    volume = await disguised(format, format, options);
  });

  it('is what libvirt takes for that format, and seen as the raw volume that it is', async () => {
    expect(await host.virsh('vol-dumpxml', `${place.path}/${volume}`)).toContain(
      `<format type='${format}'/>`,
    );
    const sight = await pool.hostStorage('node1').see(place, volume, never);
    const seen = { name: volume, format: 'raw', sizeBytes: 16 * mib, complete: true, disguisedAs: format };
    expect(sight).toMatchObject({ kind: 'present', volume: seen });
    expect(sight.kind === 'present' && sight.volume.backingPath).toBeUndefined();
  });

  it('is neither grown nor copied', async () => {
    const storage = pool.hostStorage('node1');
    const refused = { kind: 'denied', reason: 'ImageFormatRefused' };
    const grow = { kind: 'grow', volume, sizeBytes: 2048 * mib } as const;
    await expect(storage.take(place, grow, never)).rejects.toMatchObject(refused);
    expect(await sizeOf(volume)).toBe(16 * mib);
    const copy = `ovcp-disk-${format}-copy.qcow2`;
    const work = {
      kind: 'copy',
      from: volume,
      volume: copy,
      format: 'qcow2',
      sizeBytes: 2048 * mib,
    } as const;
    await expect(storage.work(place, work, () => undefined, never)).rejects.toMatchObject(refused);
    expect(await storage.see(place, copy, never)).toEqual({ kind: 'absent' });
  });

  it('is raw to the machine that runs with it, and grows there', async () => {
    const vm = newIdentity(`s7-${format}`);
    const attachment = { kind: 'file', path: `${place.path}/${volume}`, format: 'raw', backing: [] } as const;
    const serial = diskSerial(vm.uid);
    const root: DiskShape = { name: 'root', serial, bus: 'Virtio', attachment, sizeBytes: 16 * mib };
    const shape = { ...shapeOf(root, []), memoryMiB: 64 };
    const at = { host: 'node1' } as const;
    await pool.take(vm, { kind: 'define', ...at, shape, record: recordOf(vm) }, never);
    await pool.take(vm, { kind: 'start', ...at }, never);
    const xml = await host.virsh('dumpxml', vm.uuid);
    expect(xml).toMatch(
      /<driver name='qemu' type='raw'[^>]*>\s*<source file='[^']*\.raw'[^>]*>\s*<backingStore\/>/,
    );
    expect(await qemuFiles(vm.uuid)).not.toContain(secret);
    await pool.take(vm, { kind: 'growDisk', ...at, serial, sizeBytes: 32 * mib }, never);
    expect(await sizeOf(volume)).toBe(32 * mib);
    await pool.take(vm, { kind: 'destroy', ...at }, never);
    await pool.take(vm, { kind: 'undefine', ...at }, never);
    await pool.hostStorage('node1').take(place, { kind: 'delete', volume }, never);
    expect(await host.exec(['cat', secret]).then(({ stdout }) => stdout.length)).toBe(2 * mib);
  });
});
