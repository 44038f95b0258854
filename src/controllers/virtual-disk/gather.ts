/** The world of one disk, from stores alone. */
import { domainName, FINALIZER, PAUSED_ANNOTATION, servedVolumeName, vmUuid } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { ControllerContext } from '../context.ts';
import { diskNameOf } from '../indexes.ts';
import { mayUse } from '../may-use.ts';
import { imageFileName, linkedImageUid, placeOf, volumeOf } from '../places.ts';
import { isFilled, isServed, openDiskServer } from '../served.ts';
import { growsNext } from './claim.ts';
import { growsOffline } from './decide-served.ts';
import { hostsOf, isAtWork, type SourceDeps, sourceOf } from './gather-source.ts';
import type { BlockWorld, DiskWorld, Lack, ServedWorld, UserWorld } from './world.ts';

export type GatherDeps = SourceDeps;

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

const poolLackOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  pool: StoragePool | undefined,
): Lack | undefined => {
  const { name } = disk.spec.storagePoolRef;
  const bound = disk.status?.volume !== undefined;
  if (
    pool === undefined ||
    (!bound && !mayUse(context, disk.metadata.namespace, pool.spec.allowedNamespaces))
  ) {
    return {
      reason: 'StoragePoolNotFound',
      message: `StoragePool ${name} does not exist, or this namespace may not use it.`,
    };
  }
  if (!bound && pool.metadata.deletionTimestamp !== undefined)
    return { reason: 'StoragePoolNotFound', message: `StoragePool ${name} is being deleted.` };
  return bound || pool.spec.roles.includes('Disks')
    ? undefined
    : { reason: 'StorageRoleMissing', message: `StoragePool ${name} does not take disks.` };
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

export const gather = (deps: GatherDeps, key: string): DiskWorld | undefined => {
  const { context, jobs } = deps;
  const disk = context.kinds.disks.store.get(key);
  if (disk === undefined) return undefined;
  const pool = context.kinds.storagePools.store.get(disk.spec.storagePoolRef.name);
  const users = usersOf(context, disk);
  const copies = copiesOf(context, disk);
  const served = servedOf(context, disk, pool);
  const block = blockOf(disk, pool);
  const place = pool === undefined ? undefined : placeOf(context.clusterId, pool);
  return {
    clusterId: context.clusterId,
    disk,
    volume: served === undefined ? volumeOf(place ?? {}, disk) : servedVolumeName(disk.metadata.uid),
    pausedBy: disk.metadata.annotations?.[PAUSED_ANNOTATION],
    place,
    poolLack: poolLackOf(context, disk, pool),
    shared: pool !== undefined && topologyOf(pool.spec) === 'Shared',
    served,
    block,
    hosts: hostsOf(context, pool),
    users,
    ghost: ghostOf(context, disk, users, growsNext({ served, block })),
    source: sourceOf(deps, disk, isFilled(pool)),
    copiedBy: copies.filter(isToBeFilled).map(({ metadata }) => metadata.name),
    copying: copies.some(({ metadata }) => isAtWork(jobs, metadata.uid)),
    opening: context.opening.has(disk.metadata.uid),
    orphanedImage: !isFilled(pool) ? orphanedImage(context, disk) : undefined,
    job: jobs.get(disk.metadata.uid),
  };
};
