/** The disks and drives of a machine as the stores know them. No I/O. */
import { diskSerial, MACHINE_UID_ANNOTATION } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { MachineCdrom, MachineDisk, VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { Attachment, DiskBus, DiskShape } from '../../drivers/hypervisor/shape.ts';
import type { ControllerContext } from '../context.ts';
import { homePoolOf } from '../home-pool.ts';
import { besides, diskNameOf } from '../indexes.ts';
import { mayUse } from '../may-use.ts';
import { attachmentOf, imageFileName, isLinked, linkedImageUid, pathIn, placeOf } from '../places.ts';
import { isFilled, isLoggedIn, isServed, loginOf, openDiskServer, servedAttachmentOf } from '../served.ts';
import { type CdromWorld, type DiskWorld, type Lack, lack, ok } from './world.ts';

type Disks = Pick<ControllerContext, 'kinds' | 'clusterId' | 'releasing' | 'storage' | 'promises'>;

/** The bus is chosen once and kept: an upgrade must not change a guest's hardware. */
const busOf = (vm: VirtualMachine, disk: MachineDisk): DiskBus => {
  const recorded = vm.status?.disks?.find(({ name }) => name === disk.name)?.bus;
  return disk.bus ?? (recorded === 'SCSI' || recorded === 'SATA' ? recorded : 'Virtio');
};

const lacking = (reason: Lack['reason'], message: string): DiskWorld['state'] => ({
  kind: 'lacking',
  lack: { condition: 'StorageReady', reason, message },
});

const isOwn = (vm: VirtualMachine, disk: VirtualDisk): boolean =>
  disk.metadata.annotations?.[MACHINE_UID_ANNOTATION] === vm.metadata.uid;

/** Whether the pool can serve this machine; undefined when nothing speaks against it. */
const poolLack = (
  context: Disks,
  vm: VirtualMachine,
  name: string,
  pool: StoragePool | undefined,
): DiskWorld['state'] | undefined => {
  if (pool === undefined || !mayUse(context, vm.metadata.namespace, pool.spec.allowedNamespaces)) {
    return lacking(
      'StoragePoolNotFound',
      `StoragePool ${name} does not exist, or this namespace may not use it.`,
    );
  }
  // What is made there now would keep the pool, and the pool would not make it.
  if (pool.metadata.deletionTimestamp !== undefined)
    return lacking('StoragePoolNotFound', `StoragePool ${name} is being deleted.`);
  if (!pool.spec.hostPoolRefs.some((ref) => ref.name === vm.spec.hostPoolRef.name)) {
    return lacking(
      'StorageNotInPool',
      `StoragePool ${name} is not reached by HostPool ${vm.spec.hostPoolRef.name}.`,
    );
  }
  return undefined;
};

const missingState = (
  context: Disks,
  vm: VirtualMachine,
  disk: MachineDisk,
  pool: StoragePool | undefined,
): DiskWorld['state'] => {
  const { template, diskRef } = disk;
  if (template === undefined) {
    return lacking('DiskNotFound', `VirtualDisk ${diskRef?.name} does not exist in this namespace.`);
  }
  const refused = poolLack(context, vm, template.storagePoolRef.name, pool);
  if (refused !== undefined) return refused;
  const image = template.imageRef && context.kinds.images.store.get(besides(vm, template.imageRef.name));
  if (template.imageRef !== undefined && image === undefined) {
    return {
      kind: 'lacking',
      lack: {
        condition: 'ImageReady',
        reason: 'ImageNotFound',
        message: `VirtualMachineImage ${template.imageRef.name} does not exist in this namespace.`,
      },
    };
  }
  return { kind: 'toCreate' };
};

const shapeOf = (
  vm: VirtualMachine,
  disk: MachineDisk,
  object: VirtualDisk,
  attachment: Attachment,
  maxBytes = Number.POSITIVE_INFINITY,
): DiskShape => ({
  name: disk.name,
  serial: diskSerial(object.metadata.uid),
  bus: busOf(vm, disk),
  attachment,
  // The wish: a running machine grows the disk under itself; the status follows (an image may be larger than the spec).
  sizeBytes: Math.max(Math.min(bytesOf(object.spec.size), maxBytes), bytesOf(object.status?.size ?? '1')),
  bootOrder: disk.bootOrder,
});

/** What it may grow to: a pool does not promise more than it may. */
const promisedBytes = ({ promises }: Disks, object: VirtualDisk, pool: StoragePool): number => {
  const [has, wanted] = [bytesOf(object.status?.size ?? object.spec.size), bytesOf(object.spec.size)];
  return wanted > has && promises.refusal(pool, object.metadata.uid, wanted - has) !== undefined
    ? has
    : wanted;
};

const claimWorld = (context: Disks, vm: VirtualMachine, { metadata, status }: VirtualDisk) => {
  const ours = status?.claim?.vmUid === vm.metadata.uid;
  return {
    claimed: ours && !context.releasing.has(metadata.uid),
    heldBy: ours ? undefined : status?.claim?.vmName,
    movingTo: ours ? undefined : status?.move?.to,
  };
};

/** The size that a server has is what a machine gets; one that grows offline alone does so before the next start. */
const offlineSize = (context: Disks, object: VirtualDisk, pool: StoragePool) => {
  const hasBytes = bytesOf(object.status?.size ?? object.spec.size);
  const smaller = hasBytes < bytesOf(object.spec.size);
  if (!smaller) return { growsOffline: false, growing: false };
  const growsOffline = pool.spec.driver === 'lvm' || openDiskServer(context, pool)?.growsOnline === false;
  const reason = object.status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? '';
  return { growsOffline, growing: growsOffline && growingReasons.has(reason) };
};

/** What a disk says of itself while it has yet to be grown; in trouble it says that, and gets no claim. */
const growingReasons: ReadonlySet<string> = new Set([
  'Attached',
  'Available',
  'Growing',
  'GrowsAtPowerCycle',
  'Publishing',
]);

/** The target lets in the host of the claim and no other: before it does, a start would fail. */
const servedState = (
  context: Disks,
  vm: VirtualMachine,
  disk: MachineDisk,
  object: VirtualDisk,
  pool: StoragePool,
): DiskWorld['state'] => {
  if (loginOf(pool).kind === 'unknown')
    return lacking('WaitingForDisk', `The login of StoragePool ${pool.metadata.name} is not known yet.`);
  const home = vm.status?.host;
  const host = home === undefined ? undefined : context.kinds.hosts.store.get(home);
  const attachment = servedAttachmentOf(context.clusterId, pool, object.metadata.uid, host?.metadata.uid);
  const { claim } = object.status ?? {};
  const { claimed, heldBy, movingTo } = claimWorld(context, vm, object);
  const { growsOffline, growing } = offlineSize(context, object, pool);
  return {
    kind: 'ready',
    shape: {
      ...shapeOf(vm, disk, object, attachment),
      // The machine takes what the server has; what that cannot grow while it runs is shown as pending.
      ...(growsOffline ? { growsOffline } : { sizeBytes: bytesOf(object.status?.size ?? object.spec.size) }),
    },
    claimed: claimed && claim?.published === true && claim.host === home,
    heldBy,
    movingTo,
    growing,
  };
};

const presentState = (
  context: Disks,
  vm: VirtualMachine,
  disk: MachineDisk,
  object: VirtualDisk,
  pool: StoragePool | undefined,
): DiskWorld['state'] => {
  const name = object.metadata.name;
  if (disk.template !== undefined && !isOwn(vm, object)) {
    return lacking('DiskNameTaken', `VirtualDisk ${name} exists already and was not made for this machine.`);
  }
  if (object.metadata.deletionTimestamp !== undefined)
    return lacking('DiskNotFound', `VirtualDisk ${name} is being deleted.`);
  if (pool === undefined)
    return lacking('StoragePoolNotFound', `StoragePool ${object.spec.storagePoolRef.name} does not exist.`);
  if (object.status?.volume === undefined) {
    const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
    const why = ready?.status === 'False' && ready.reason !== 'Pending' ? `: ${ready.message}` : '.';
    return lacking('WaitingForDisk', `Disk ${name} is not there yet${why}`);
  }
  const { driver } = pool.spec;
  if (isServed(pool)) return servedState(context, vm, disk, object, pool);
  const linked = isLinked(object) && !isFilled(pool);
  const imageUid = linked
    ? linkedImageUid(object, (uid) => context.kinds.images.store.byIndex('uid', uid))
    : undefined;
  // Without what it stands on a linked disk would be read as if its image were empty.
  if (linked && imageUid === undefined)
    return lacking('WaitingForDisk', `The image that disk ${name} stands on is not known yet.`);
  const attachment = attachmentOf(placeOf(context.clusterId, pool), object, imageUid);
  const shape = shapeOf(vm, disk, object, attachment, promisedBytes(context, object, pool));
  if (driver !== 'lvm') return { kind: 'ready', shape, ...claimWorld(context, vm, object) };
  const { growsOffline, growing } = offlineSize(context, object, pool);
  return {
    kind: 'ready',
    shape: growsOffline ? { ...shape, growsOffline } : shape,
    ...claimWorld(context, vm, object),
    growing,
  };
};

/** A seed is a file: a disk that is none has no place for it beside it, but its image has. */
const seedPlace = (
  context: Disks,
  vm: VirtualMachine,
  disk: MachineDisk,
  object: VirtualDisk | undefined,
  pool: StoragePool | undefined,
): StoragePlace | undefined => {
  if (pool === undefined || !isFilled(pool)) return pool && placeOf(context.clusterId, pool);
  const source = object?.spec.source;
  const name = source?.type === 'Image' ? source.imageRef.name : disk.template?.imageRef?.name;
  const image = name === undefined ? undefined : context.kinds.images.store.get(besides(vm, name));
  const imagePool = image && context.kinds.storagePools.store.get(image.spec.storagePoolRef.name);
  return imagePool && placeOf(context.clusterId, imagePool);
};

export const gatherDisk = (context: Disks, vm: VirtualMachine, disk: MachineDisk): DiskWorld => {
  const diskName = diskNameOf(vm.metadata.name, disk);
  const object = context.kinds.disks.store.get(besides(vm, diskName));
  const named = object?.spec.storagePoolRef.name ?? disk.template?.storagePoolRef.name;
  // Where its data is: a disk that is to move stays where it is for as long as the machine has it.
  const pool =
    object === undefined
      ? named === undefined
        ? undefined
        : context.kinds.storagePools.store.get(named)
      : homePoolOf(context.kinds, object);
  const held = object?.status?.claim?.vmUid === vm.metadata.uid;
  // Without it the machine will find the disk where it goes.
  const storagePool = held ? pool?.metadata.name : named;
  return {
    name: disk.name,
    diskName,
    diskUid: object?.metadata.uid,
    storagePool,
    boundTo: object?.status?.host,
    hostLocal: pool !== undefined && topologyOf(pool.spec) === 'HostLocal',
    served: isServed(pool) ? (isLoggedIn(pool) ? 'block' : 'network') : undefined,
    place: seedPlace(context, vm, disk, object, pool),
    state:
      object === undefined
        ? missingState(context, vm, disk, pool)
        : presentState(context, vm, disk, object, pool),
  };
};

/** Disks made for this machine that it still lists; taken out of the list, a disk goes its own way. */
export const ownedDisks = (context: Disks, vm: VirtualMachine) =>
  vm.spec.disks.flatMap((disk) => {
    if (disk.template === undefined) return [];
    const object = context.kinds.disks.store.get(besides(vm, diskNameOf(vm.metadata.name, disk)));
    if (object === undefined || !isOwn(vm, object) || object.spec.reclaimPolicy === 'Retain') return [];
    const deleting = object.metadata.deletionTimestamp !== undefined;
    return [{ name: object.metadata.name, uid: object.metadata.uid, deleting }];
  });

const imageLack = (reason: Lack['reason'], message: string) => lack('ImageReady', reason, message);

const isoPath = (context: Disks, vm: VirtualMachine, name: string): CdromWorld['path'] => {
  const image: VirtualMachineImage | undefined = context.kinds.images.store.get(besides(vm, name));
  if (image === undefined)
    return imageLack('ImageNotFound', `VirtualMachineImage ${name} does not exist in this namespace.`);
  if (image.spec.format !== 'iso')
    return imageLack('ImageFormatUnsuitable', `Image ${name} is no ISO image: a CD-ROM drive needs one.`);
  const pool = context.kinds.storagePools.store.get(image.spec.storagePoolRef.name);
  const host = pool !== undefined && topologyOf(pool.spec) === 'Shared' ? undefined : vm.status?.host;
  const copy = image.status?.copies?.find((it) => it.host === host && it.state === 'Ready');
  if (pool === undefined || copy === undefined)
    return imageLack('WaitingForImage', `Image ${name} is not on the host yet.`);
  return ok(pathIn(placeOf(context.clusterId, pool), imageFileName(image.metadata.uid, 'iso')));
};

export const gatherCdrom = (context: Disks, vm: VirtualMachine, cdrom: MachineCdrom): CdromWorld => ({
  name: cdrom.name,
  bootOrder: cdrom.bootOrder,
  path: cdrom.imageRef === undefined ? ok(undefined) : isoPath(context, vm, cdrom.imageRef.name),
});
