/** A KVM host of the lab, the driver connected to it, and the lab's guest image imported through the driver. */
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { ensureGuestImage, type GuestImage } from '../../../hack/lab/guest-image.ts';
import { type KvmHost, startKvmHosts } from '../../../hack/lab/kvm-host.ts';
import {
  diskSerial,
  domainName,
  networkBridgeName,
  networkHostName,
  networkUuid,
  vmUuid,
} from '../../../src/api/identity.ts';
import type {
  Change,
  HypervisorPool,
  Sighting,
  VmIdentity,
  VmRecord,
  VmStep,
} from '../../../src/drivers/hypervisor/contract.ts';
import type { StoragePlace } from '../../../src/drivers/hypervisor/host-storage.ts';
import { createLibvirtDriver } from '../../../src/drivers/hypervisor/libvirt/driver.ts';
import type { DiskShape, NicShape, VmShape } from '../../../src/drivers/hypervisor/shape.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

export const never = new AbortController().signal;
export const cluster = 'driver-test';
export const IMAGE = 'ovcp-image-guest.qcow2';
export const mib = 1024 ** 2;

export interface World {
  readonly host: KvmHost;
  readonly pool: HypervisorPool;
  readonly place: StoragePlace;
  readonly network: string;
  readonly changes: Change[];
  open(): HypervisorPool;
  stop(): Promise<void>;
}

async function* bytesOf(image: GuestImage): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(image.qcow2Path, { highWaterMark: 256 * 1024 })) {
    yield chunk as Uint8Array;
  }
}

const importImage = async (pool: HypervisorPool, place: StoragePlace): Promise<void> => {
  const image = await ensureGuestImage();
  const storage = pool.hostStorage('node1');
  await storage.take(place, { kind: 'preparePlace' }, never);
  await storage.work(
    place,
    {
      kind: 'import',
      volume: IMAGE,
      sourceFormat: 'qcow2',
      format: 'qcow2',
      maxBytes: statSync(image.qcow2Path).size,
      chunks: bytesOf(image),
      finished: Promise.resolve({
        digest: `sha256:${image.sha256.qcow2}`,
        virtualSizeBytes: image.sizeBytes,
      }),
    },
    () => undefined,
    never,
  );
};

const makeNetwork = async (pool: HypervisorPool): Promise<string> => {
  const uid = '33333333-3333-4333-8333-333333333333';
  const networkName = networkHostName('lan', uid);
  const network = {
    clusterId: cluster,
    uid,
    uuid: networkUuid(cluster, uid),
    networkName,
    bridgeName: networkBridgeName(uid),
  };
  const shape = {
    kind: 'NAT',
    cidr: '192.168.150.0/24',
    dhcp: { start: '192.168.150.10', end: '192.168.150.99' },
  } as const;
  await pool.hostNetworks('node1').take(network, { kind: 'define', shape }, never);
  await pool.hostNetworks('node1').take(network, { kind: 'start' }, never);
  return networkName;
};

/** Collects what the pool tells, until it closes. */
const listen = async (pool: HypervisorPool, changes: Change[]): Promise<void> => {
  for await (const change of pool.changes(never)) changes.push(change);
};

export const startWorld = async (): Promise<World> => {
  const dir = mkdtempSync('/tmp/ovcp-drv-');
  const [host] = await startKvmHosts({ dir, hosts: [{ name: 'node1' }] });
  if (host === undefined) throw new Error('one host was asked for');
  const driver = createLibvirtDriver({ clock: systemClock(), random: Math.random });
  const open = (): HypervisorPool => driver.open({ endpoints: [{ host: 'node1', uri: host.uris.unix }] });
  const pool = open();
  const changes: Change[] = [];
  const listening = listen(pool, changes);
  const place: StoragePlace = {
    clusterId: cluster,
    poolUid: '44444444-4444-4444-8444-444444444444',
    poolName: 'local',
    path: `${host.diskDir}/local`,
    topology: 'HostLocal',
  };
  await importImage(pool, place);
  const network = await makeNetwork(pool);
  const stop = async (): Promise<void> => {
    await pool.close();
    await listening;
    await host.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { host, pool, place, network, changes, open, stop };
};

let machines = 0;
export const newIdentity = (name: string): VmIdentity => {
  machines += 1;
  const uid = `5555555${machines}-5555-4555-8555-555555555555`;
  return {
    clusterId: cluster,
    uid,
    uuid: vmUuid(cluster, uid),
    namespace: 'team-a',
    name,
    domainName: domainName('team-a', name, uid),
  };
};

export const recordOf = ({ clusterId, uid, namespace, name }: VmIdentity): VmRecord => ({
  clusterId,
  uid,
  namespace,
  name,
  startDue: true,
});

const fileDisk = (
  { place }: World,
  name: string,
  volume: string,
  backing: string | undefined,
): DiskShape => ({
  name,
  serial: diskSerial(volume.replace('ovcp-disk-', '')),
  bus: 'Virtio',
  attachment: {
    kind: 'file',
    path: `${place.path}/${volume}`,
    format: 'qcow2',
    backing: backing === undefined ? [] : [{ path: `${place.path}/${backing}`, format: 'qcow2' }],
  },
  sizeBytes: 512 * mib,
});

/** A linked clone of the guest image. */
export const rootDisk = async (world: World, name: string): Promise<DiskShape> => {
  const volume = `ovcp-disk-root-${name}.qcow2`;
  const step = { kind: 'createLinked', volume, backing: IMAGE, sizeBytes: 512 * mib } as const;
  await world.pool.hostStorage('node1').take(world.place, step, never);
  return { ...fileDisk(world, 'root', volume, IMAGE), bootOrder: 1 };
};

export const dataDisk = async (world: World, name: string): Promise<DiskShape> => {
  const volume = `ovcp-disk-data-${name}.qcow2`;
  const step = { kind: 'createBlank', volume, format: 'qcow2', sizeBytes: 512 * mib } as const;
  await world.pool.hostStorage('node1').take(world.place, step, never);
  return fileDisk(world, name, volume, undefined);
};

export const nic = ({ network }: World, name: string, mac: string): NicShape => ({
  name,
  mac,
  model: 'Virtio',
  link: 'Up',
  backend: { kind: 'network', network },
  guard: { mac: true, ip: true, ips: [] },
});

export const shapeOf = (root: DiskShape, nics: readonly NicShape[]): VmShape => ({
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 192,
  disks: [root],
  cdroms: [{ name: 'install' }],
  nics,
  hardware: {},
  autostart: false,
});

export const take = ({ pool }: Pick<World, 'pool'>, vm: VmIdentity, step: VmStep) =>
  pool.take(vm, step, never);

export const look = async ({ pool }: Pick<World, 'pool'>, vm: VmIdentity): Promise<Sighting | undefined> =>
  (await pool.see(vm, 'node1', never)).sightings[0];
