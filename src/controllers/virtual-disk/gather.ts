/** The world of one disk, from stores alone. */

import type { Host } from '../../api/host.ts';
import {
  diskVolumeName,
  domainName,
  FINALIZER,
  hostInitiatorIqn,
  PAUSED_ANNOTATION,
  servedVolumeName,
  vmUuid,
} from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { Jobs } from '../../runtime/jobs.ts';
import type { ControllerContext } from '../context.ts';
import { besides, diskNameOf } from '../indexes.ts';
import { mayUse } from '../may-use.ts';
import { imageFileName, isLinked, linkedImageUid, placeOf } from '../places.ts';
import { isServed, openDiskServer } from '../served.ts';
import { growsNext } from './decide-served.ts';
import type {
  DiskWorld,
  HostWorld,
  ImageReader,
  Lack,
  ServedWorld,
  SourceWorld,
  UserWorld,
} from './world.ts';

export interface GatherDeps {
  readonly context: ControllerContext;
  readonly jobs: Jobs<string, void>;
  /** UIDs of disks whose claim is being given by a write on its way: nothing may be copied from them. */
  readonly granting: Set<string>;
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

const hostWorldOf = ({ fleet }: ControllerContext, host: Host, ready: boolean): HostWorld => {
  const pool = host.spec.hostPoolRef.name;
  const seen = fleet.session(pool)?.hosts().get(host.spec.hostName);
  return {
    name: host.metadata.name,
    id: host.spec.hostName,
    pool,
    usable: seen?.kind === 'reachable' && ready,
    declaredDown: host.spec.declaredDown?.reason,
    initiator: hostInitiatorIqn(host.metadata.uid),
  };
};

const hostsOf = (context: ControllerContext, pool: StoragePool | undefined): readonly HostWorld[] =>
  (pool?.spec.hostPoolRefs ?? [])
    .flatMap((ref) =>
      context.kinds.hosts.store.byIndex('hostPool', ref.name).map((host) => {
        const ready = pool?.status?.hosts?.some((it) => it.name === host.metadata.name && it.ready) ?? false;
        return hostWorldOf(context, host, ready);
      }),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

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

const lacking = (reason: Lack['reason'], message: string): SourceWorld => ({
  kind: 'lack',
  lack: { reason, message },
});

/** Hosts that can be asked now and have a complete copy; the first of them is read from. */
const readersOf = (context: ControllerContext, image: VirtualMachineImage): readonly ImageReader[] => {
  const pool = context.kinds.storagePools.store.get(image.spec.storagePoolRef.name);
  if (pool === undefined) return [];
  const place = placeOf(context.clusterId, pool);
  const copies = (image.status?.copies ?? []).filter(({ state }) => state === 'Ready');
  return hostsOf(context, pool)
    .filter(({ name, usable }) => usable && copies.some(({ host }) => host === undefined || host === name))
    .map(({ name, id, pool: hostPool }) => ({ name, id, pool: hostPool, place }));
};

const imageSource = (
  context: ControllerContext,
  disk: VirtualDisk,
  name: string,
  served: boolean,
): SourceWorld => {
  const image = context.kinds.images.store.get(besides(disk, name));
  if (image === undefined)
    return lacking('ImageNotFound', `VirtualMachineImage ${name} does not exist in this namespace.`);
  if (image.spec.format === 'iso')
    return lacking('ImageFormatUnsuitable', `Image ${name} is an ISO image: a disk cannot be made from it.`);
  if (!served && image.spec.storagePoolRef.name !== disk.spec.storagePoolRef.name) {
    return lacking(
      'ImageFormatUnsuitable',
      `Image ${name} is in StoragePool ${image.spec.storagePoolRef.name}: a disk is made in the pool of its image.`,
    );
  }
  const stalled = image.status?.conditions?.find(
    ({ type, status }) => type === 'Stalled' && status === 'True',
  );
  const copies = (image.status?.copies ?? []).filter(({ state }) => state === 'Ready');
  if (copies.length === 0 && stalled !== undefined)
    return lacking('WaitingForImage', `Image ${name} cannot be used: ${stalled.message}`);
  return {
    kind: 'image',
    uid: image.metadata.uid,
    name,
    digest: image.status?.digest,
    file: imageFileName(image.metadata.uid, image.spec.format),
    virtualSizeBytes: bytesOf(image.status?.virtualSize ?? '0'),
    linked: !served && isLinked(disk),
    readyOn: copies.map(({ host }) => host),
    readers: served ? readersOf(context, image) : [],
  };
};

const diskSource = ({ context, granting }: GatherDeps, disk: VirtualDisk, name: string): SourceWorld => {
  const from = context.kinds.disks.store.get(besides(disk, name));
  if (from === undefined)
    return lacking('DiskNotFound', `VirtualDisk ${name} does not exist in this namespace.`);
  if (from.spec.storagePoolRef.name !== disk.spec.storagePoolRef.name) {
    return lacking(
      'Invalid',
      `VirtualDisk ${name} is in another StoragePool: a copy is made in the pool of its source.`,
    );
  }
  if (from.status?.volume === undefined)
    return lacking('WaitingForDisk', `VirtualDisk ${name} is not there yet.`);
  return {
    kind: 'disk',
    name,
    uid: from.metadata.uid,
    // Names are derived, never read from a status: that may have been written by somebody else.
    volume: diskVolumeName(from.metadata.uid, from.spec.format),
    sizeBytes: bytesOf(from.status.size ?? from.spec.size),
    host: from.status.host,
    inUseBy: from.status.claim?.vmName ?? (granting.has(from.metadata.uid) ? 'a machine' : undefined),
  };
};

const sourceOf = (deps: GatherDeps, disk: VirtualDisk, served: boolean): SourceWorld => {
  const { source } = disk.spec;
  // Made is made: what becomes of the source later is no matter.
  if (disk.status?.volume !== undefined) return { kind: 'blank' };
  switch (source.type) {
    case 'Blank':
      return { kind: 'blank' };
    case 'Image':
      return imageSource(deps.context, disk, source.imageRef.name, served);
    case 'Disk':
      return diskSource(deps, disk, source.diskRef.name);
    default:
      return source satisfies never;
  }
};

const ghostOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  users: readonly UserWorld[],
  served: ServedWorld | undefined,
): DiskWorld['ghost'] => {
  const claim = disk.status?.claim;
  if (claim?.vmUid === undefined || claim.vmName === undefined) return undefined;
  const holder = users.find(({ uid }) => uid === claim.vmUid);
  const stays = holder?.wantsToRun === true && served?.growsNext !== true;
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
    growsNext: growsNext({ growsOnline }, bytesOf(disk.spec.size), size === undefined ? size : bytesOf(size)),
  };
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
  const hosts = hostsOf(context, pool);
  const shared = pool !== undefined && topologyOf(pool.spec) === 'Shared';
  return {
    clusterId: context.clusterId,
    disk,
    volume:
      served === undefined
        ? diskVolumeName(disk.metadata.uid, disk.spec.format)
        : servedVolumeName(disk.metadata.uid),
    pausedBy: disk.metadata.annotations?.[PAUSED_ANNOTATION],
    place: pool === undefined ? undefined : placeOf(context.clusterId, pool),
    poolLack: poolLackOf(context, disk, pool),
    shared,
    served,
    hosts: shared || pool === undefined ? hosts : [...hosts, ...formerHome(context, disk, hosts)],
    users,
    ghost: ghostOf(context, disk, users, served),
    source: sourceOf(deps, disk, served !== undefined),
    copiedBy: copies.filter(isToBeFilled).map(({ metadata }) => metadata.name),
    copying: copies.some(({ metadata }) =>
      ['queued', 'running'].includes(jobs.get(metadata.uid)?.kind ?? ''),
    ),
    orphanedImage: served === undefined ? orphanedImage(context, disk) : undefined,
    job: jobs.get(disk.metadata.uid),
  };
};
