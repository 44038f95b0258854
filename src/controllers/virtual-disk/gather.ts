/** The world of one disk, from stores alone. */
import { moveOf, recordedPlaceOf } from '../../api/disk-move.ts';
import { domainName, FINALIZER, PAUSED_ANNOTATION, servedVolumeName, vmUuid } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { ServedSight } from '../../drivers/storage/contract.ts';
import type { ControllerContext } from '../context.ts';
import { homePoolOf } from '../home-pool.ts';
import { diskNameOf } from '../indexes.ts';
import { imageFileName, linkedImageUid, placeOf, volumeOf } from '../places.ts';
import { isFilled, isLoggedIn, isServed, openDiskServer } from '../served.ts';
import { growsNext } from './claim.ts';
import { growsOffline } from './decide-served.ts';
import { moveWorldOf, seedsOf } from './gather-move.ts';
import { isAtWork, type SourceDeps, sourceOf } from './gather-source.ts';
import type { MoveMemory } from './move-memory.ts';
import { missingBytes } from './promised.ts';
import { hostsOf, hostWorldOf, poolLackOf } from './reach.ts';
import type { BlockWorld, DiskWorld, HostWorld, ServedWorld, UserWorld } from './world.ts';

export interface GatherDeps extends SourceDeps {
  /** What storage servers said last of their disks, by uid. */
  readonly lastSeen: Map<string, ServedSight>;
  readonly moves: MoveMemory;
}

const keyOf = (disk: VirtualDisk): string => `${disk.metadata.namespace}/${disk.metadata.name}`;

const isPlugged = ({ status }: VirtualMachine, disk: VirtualDisk): boolean =>
  status?.disks?.some(({ diskUid, attached }) => attached && diskUid === disk.metadata.uid) === true;

/** Off or without the disk, its status current enough to say so; hosts are asked before this is believed. */
const hasReleased = (vm: VirtualMachine, disk: VirtualDisk, named: boolean): boolean => {
  const power = vm.status?.powerState;
  return power !== undefined && (power === 'PoweredOff' || !named) && !isPlugged(vm, disk);
};

/**
 * Every status of ours says whether the machine is ready: without that word it was never looked at, or is lost. One
 * that says that nobody can tell, and of no host and no power, is a lost one as well: its host does not answer.
 */
const isUnknown = ({ metadata, status }: VirtualMachine): boolean => {
  if (metadata.finalizers?.includes(FINALIZER) !== true) return false;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const blank = status?.host === undefined && status?.powerState === undefined;
  return ready === undefined || (ready === 'Unknown' && blank);
};

export const userOf = (vm: VirtualMachine, disk: VirtualDisk): UserWorld => {
  const named = vm.spec.disks.some((it) => diskNameOf(vm.metadata.name, it) === disk.metadata.name);
  const power = vm.status?.powerState;
  return {
    uid: vm.metadata.uid,
    name: vm.metadata.name,
    createdMs: Date.parse(vm.metadata.creationTimestamp),
    host: vm.status?.host,
    deleting: vm.metadata.deletionTimestamp !== undefined,
    wantsToRun:
      named && (vm.spec.powerState === 'PoweredOn' || (power !== undefined && power !== 'PoweredOff')),
    released: hasReleased(vm, disk, named),
    plugged: power !== 'PoweredOff' && isPlugged(vm, disk),
    unknown: isUnknown(vm),
  };
};

/** Machines that name the disk, and those that hold it although they name it no more. */
const usersOf = (context: ControllerContext, disk: VirtualDisk): readonly UserWorld[] => {
  const { store } = context.kinds.machines;
  const naming = store.byIndex('disk', keyOf(disk));
  const holder = disk.status?.claim?.vmUid;
  const former = [
    ...(holder === undefined ? [] : store.byIndex('uid', holder)),
    ...store.byIndex('plugged', disk.metadata.uid),
  ].filter((vm) => vm.metadata.namespace === disk.metadata.namespace);
  return [...new Set([...naming, ...former])].map((vm) => userOf(vm, disk));
};

/**
 * A disk that goes is looked for where it was bound, although that host's HostPool was taken out of the StoragePool:
 * what we prepared there stays as long as disks are bound to it.
 */
const formerHome = (
  context: ControllerContext,
  { metadata, status }: VirtualDisk,
  hosts: readonly HostWorld[],
): readonly HostWorld[] => {
  if (metadata.deletionTimestamp === undefined || status?.host === undefined) return [];
  const host = context.kinds.hosts.store.get(status.host);
  return host === undefined || hosts.some(({ name }) => name === status.host)
    ? []
    : [hostWorldOf(context, host, true)];
};

const ghostOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  users: readonly UserWorld[],
  grows: boolean,
): DiskWorld['ghost'] => {
  const claim = disk.status?.claim;
  if (claim?.vmUid === undefined || claim.vmName === undefined) return undefined;
  const holder = users.find(({ uid }) => uid === claim.vmUid);
  const stays = holder?.wantsToRun === true && !grows;
  if (holder !== undefined && !holder.deleting && (stays || !holder.released)) return undefined;
  const { clusterId } = context;
  const { namespace } = disk.metadata;
  const { vmUid: uid, vmName: name } = claim;
  const identity = {
    clusterId,
    uid,
    uuid: vmUuid(clusterId, uid),
    namespace,
    name,
    domainName: domainName(namespace, name, uid),
  };
  return { identity, host: claim.host };
};

/** Disks whose copy from this one has not finished: it must neither go nor be written to meanwhile. */
const copiesOf = (context: ControllerContext, disk: VirtualDisk): readonly VirtualDisk[] =>
  context.kinds.disks.store.byIndex('source', keyOf(disk));

const isToBeFilled = ({ status, metadata }: VirtualDisk): boolean =>
  status?.volume === undefined && metadata.deletionTimestamp === undefined;

const servedOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  pool: StoragePool | undefined,
): ServedWorld | undefined => {
  if (!isServed(pool)) return undefined;
  const growsOnline = openDiskServer(context, pool)?.growsOnline;
  const { size } = disk.status ?? {};
  return {
    pool,
    loggedIn: isLoggedIn(pool),
    growsOnline,
    growsNext: growsOffline(
      { growsOnline },
      bytesOf(disk.spec.size),
      size === undefined ? size : bytesOf(size),
    ),
  };
};

/** libvirt has no way to grow a logical volume under a machine (src/drivers/hypervisor/libvirt/storage-group-work.ts). */
const blockOf = (disk: VirtualDisk, pool: StoragePool | undefined): BlockWorld | undefined => {
  if (pool?.spec.driver !== 'lvm') return undefined;
  const { size } = disk.status ?? {};
  return { growsNext: size !== undefined && bytesOf(size) < bytesOf(disk.spec.size) };
};

const orphanedImage = (context: ControllerContext, disk: VirtualDisk): string | undefined => {
  const uid = linkedImageUid(disk, (it) => context.kinds.images.store.byIndex('uid', it));
  if (uid === undefined) return undefined;
  const [image] = context.kinds.images.store.byIndex('uid', uid);
  return image === undefined || image.metadata.deletionTimestamp !== undefined
    ? imageFileName(uid, 'qcow2')
    : undefined;
};

const noRoomOf = (
  { promises }: ControllerContext,
  disk: VirtualDisk,
  pool: StoragePool | undefined,
): string | undefined => {
  const bytes = missingBytes(disk);
  return pool === undefined || bytes === 0 ? undefined : promises.refusal(pool, disk.metadata.uid, bytes);
};

export const gather = (deps: GatherDeps, key: string): DiskWorld | undefined => {
  const { context, jobs } = deps;
  const disk = context.kinds.disks.store.get(key);
  if (disk === undefined) return undefined;
  const record = moveOf(disk);
  const pool = homePoolOf(context.kinds, disk, record);
  // Its status was lost: nobody could name another pool before the disk was made.
  const elsewhere =
    recordedPlaceOf(disk) !== undefined && pool?.metadata.name !== disk.spec.storagePoolRef.name;
  const made = disk.status?.volume !== undefined || record !== undefined || elsewhere;
  const users = usersOf(context, disk);
  const copies = copiesOf(context, disk);
  const served = servedOf(context, disk, pool);
  const hosts = hostsOf(context, pool);
  const shared = pool !== undefined && topologyOf(pool.spec) === 'Shared';
  const block = blockOf(disk, pool);
  const place = pool === undefined ? undefined : placeOf(context.clusterId, pool);
  return {
    clusterId: context.clusterId,
    disk,
    volume: served === undefined ? volumeOf(place ?? {}, disk) : servedVolumeName(disk.metadata.uid),
    pausedBy: disk.metadata.annotations?.[PAUSED_ANNOTATION],
    place,
    poolLack: poolLackOf(context, disk, pool, made),
    shared,
    served,
    block,
    hosts: shared || pool === undefined ? hosts : [...hosts, ...formerHome(context, disk, hosts)],
    users,
    ghost: ghostOf(context, disk, users, growsNext({ served, block })),
    source: sourceOf(deps, disk, isFilled(pool), made),
    copiedBy: copies.filter(isToBeFilled).map(({ metadata }) => metadata.name),
    copying: copies.some(({ metadata }) => isAtWork(jobs, metadata.uid)),
    opening: context.opening.has(disk.metadata.uid),
    orphanedImage: !isFilled(pool) ? orphanedImage(context, disk) : undefined,
    job: jobs.get(disk.metadata.uid),
    recordedHost: recordedPlaceOf(disk)?.host,
    noRoom: noRoomOf(context, disk, pool),
    move: made ? moveWorldOf(deps, disk, pool, users) : undefined,
    granting: deps.granting.has(disk.metadata.uid),
    seeds: record === undefined ? [] : seedsOf(context, disk, pool),
  };
};
