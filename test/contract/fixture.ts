/** What a driver's laws need to know of it: how to open it, what to build, and hands that do not go through it. */
import {
  diskSerial,
  diskVolumeName,
  domainName,
  macAddress,
  networkBridgeName,
  networkHostName,
  networkUuid,
  vmUuid,
} from '../../src/api/identity.ts';
import type {
  HostEndpoint,
  HostId,
  HypervisorPool,
  VmIdentity,
  VmRecord,
  VmStep,
} from '../../src/drivers/hypervisor/contract.ts';
import type { LoginWish } from '../../src/drivers/hypervisor/host-logins.ts';
import type { NetworkIdentity } from '../../src/drivers/hypervisor/host-networks.ts';
import type { StoragePlace } from '../../src/drivers/hypervisor/host-storage.ts';
import type { DiskShape, NicBackend, NicShape, VmShape } from '../../src/drivers/hypervisor/shape.ts';

/** What somebody does on a host without the driver. */
export interface Hands {
  destroy(host: HostId, uuid: string): Promise<void>;
  undefine(host: HostId, uuid: string): Promise<void>;
  /** The guest ends by itself. */
  guestShutdown?(host: HostId, uuid: string): Promise<void>;
  crash?(host: HostId, uuid: string): Promise<void>;
  /** Answers its uuid. */
  defineForeign(host: HostId, domainName: string, uuid?: string): Promise<string>;
  defineForeignNetwork?(host: HostId, name: string, bridge: string): Promise<void>;
  /** The guest's agent says these instead of the truth. */
  lie?(uuid: string, hostname: string, os: string, ip: string): Promise<void>;
  /** The next call of that step is answered with `busy`. */
  makeBusy?(host: HostId, uuid: string): Promise<void>;
  /** The next mutating call happens, and its reply is lost. */
  loseReply?(host: HostId): Promise<void>;
  /** A file in the place that nobody finished. */
  putUnfinished?(host: HostId, place: StoragePlace, volume: string): Promise<void>;
  fill?(host: HostId, place: StoragePlace, free: number): Promise<void>;
  /** A secret of somebody else, of another usage. */
  defineForeignSecret(host: HostId, uuid: string): Promise<void>;
  /** Its value; rejects when the host does not give it away. */
  readSecret(host: HostId, uuid: string): Promise<string>;
  /** A target that lets the wish's initiator in, with a disk of that size; undefined: it is gone. */
  serve?(host: HostId, wish: LoginWish, sizeBytes: number | undefined): Promise<void>;
  setMounted?(host: HostId, place: StoragePlace, mounted: boolean): Promise<void>;
  /** Everything there is on the host, in a text that changes when any of it does. */
  snapshot(host: HostId): Promise<string>;
}

/** A volume group on the host, empty but for what others keep in it. */
export interface GroupFixture {
  readonly place: StoragePlace;
  /** Another StoragePool that names the same group. */
  readonly rival: StoragePlace;
  /** What is written can be read. */
  readonly keepsContent: boolean;
  /** Names of volumes of others. */
  readonly names: readonly string[];
  /** Everything there is to know of them, content too. */
  others(): Promise<unknown>;
}

export interface DriverFixture {
  readonly clusterId: string;
  readonly host: HostId;
  /** Endpoints of the pool as it is opened. */
  readonly endpoints: readonly HostEndpoint[];
  /** A host that never answers. */
  readonly dead: HostEndpoint;
  readonly place: StoragePlace;
  readonly sharedPlace: StoragePlace;
  readonly group?: GroupFixture | undefined;
  /** What cards plug into; there once the fixture is. */
  readonly backend: NicBackend;
  /** Another session on the same hosts. */
  open(): Promise<HypervisorPool>;
  readonly hands: Hands;
  teardown(): Promise<void>;
}

export interface Driver {
  readonly name: string;
  /** Law ids that cannot be shown with this driver, and why. */
  readonly notSupported: Readonly<Record<string, string>>;
  /** Why it cannot run on this machine; undefined when it can. Under CI it has to run all the same. */
  readonly missing?: () => string | undefined;
  start(): Promise<DriverFixture>;
}

/** One law as a test; `pool` is open before and closed after it. */
export interface Law {
  readonly id: string;
  readonly title: string;
  readonly check: (fixture: DriverFixture, pool: HypervisorPool) => Promise<void>;
}

/** All that laws of storage need: hosts with nothing but storage will do. */
export interface StorageFixture extends Pick<DriverFixture, 'host' | 'place' | 'sharedPlace'> {
  readonly hands: Pick<Hands, 'putUnfinished' | 'fill' | 'setMounted' | 'snapshot'>;
}

export interface StorageLaw extends Omit<Law, 'check'> {
  readonly check: (fixture: StorageFixture, pool: Pick<HypervisorPool, 'hostStorage'>) => Promise<void>;
}

export const never = new AbortController().signal;

let counter = 0;
/** Uids that no other test and no other run of the suite has. */
export const freshUid = (): string => {
  counter += 1;
  const tail = (process.pid * 100_000 + counter).toString(16).padStart(12, '0');
  return `${counter.toString(16).padStart(8, '0')}-aaaa-4aaa-8aaa-${tail}`;
};

export const identity = (
  { clusterId }: DriverFixture,
  uid: string = freshUid(),
  name = 'law',
  namespace = 'contract',
): VmIdentity => ({
  clusterId,
  uid,
  uuid: vmUuid(clusterId, uid),
  namespace,
  name,
  domainName: domainName(namespace, name, uid),
});

export const recordOf = (
  { clusterId, uid, namespace, name }: VmIdentity,
  rest: Partial<VmRecord> = {},
): VmRecord => ({
  clusterId,
  uid,
  namespace,
  name,
  startDue: true,
  ...rest,
});

export const plainShape: VmShape = {
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 64,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
};

export const nicShape = (fixture: DriverFixture, name = 'eth0', uid = freshUid()): NicShape => ({
  name,
  mac: macAddress(uid, name),
  model: 'Virtio',
  link: 'Up',
  backend: fixture.backend,
  guard: { mac: false, ip: false, ips: [] },
});

export const volumeName = (uid: string = freshUid()): string => diskVolumeName(uid, 'qcow2');

export const mib = 1024 ** 2;

/** Makes a blank volume and answers the disk over it. */
export const freshDisk = async (
  { host, place }: DriverFixture,
  pool: HypervisorPool,
  name = 'data',
): Promise<DiskShape> => {
  const uid = freshUid();
  const storage = pool.hostStorage(host);
  const volume = volumeName(uid);
  await storage.take(place, { kind: 'preparePlace' }, never);
  await storage.take(place, { kind: 'createBlank', volume, format: 'qcow2', sizeBytes: 16 * mib }, never);
  return {
    name,
    serial: diskSerial(uid),
    bus: 'Virtio',
    attachment: { kind: 'file', path: `${place.path}/${volume}`, format: 'qcow2', backing: [] },
    sizeBytes: 16 * mib,
  };
};

export const freshNetwork = ({ clusterId }: DriverFixture): NetworkIdentity => {
  const uid = freshUid();
  return {
    clusterId,
    uid,
    uuid: networkUuid(clusterId, uid),
    networkName: networkHostName('law', uid),
    bridgeName: networkBridgeName(uid),
  };
};

/** Takes steps one after another. */
export const takeAll = async (
  pool: HypervisorPool,
  vm: VmIdentity,
  steps: readonly VmStep[],
): Promise<void> => {
  for (const step of steps) {
    await pool.take(vm, step, never);
  }
};

export const define = (
  { host }: Pick<DriverFixture, 'host'>,
  vm: VmIdentity,
  shape: VmShape = plainShape,
): VmStep => ({ kind: 'define', host, shape, record: recordOf(vm) });

/** Everything of the machine goes, whatever is left of it. */
export const clean = async (
  { host }: Pick<DriverFixture, 'host'>,
  pool: HypervisorPool,
  vm: VmIdentity,
): Promise<void> =>
  takeAll(pool, vm, [
    { kind: 'destroy', host },
    { kind: 'undefine', host },
  ]);
