/** What a disk is made from, as the stores know it, and the hosts that reach its pool. No I/O. */
import { moveOf } from '../../api/disk-move.ts';
import { bytesOf } from '../../api/quantity.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachineImage } from '../../api/virtual-machine-image.ts';
import type { Jobs } from '../../runtime/jobs.ts';
import type { ControllerContext } from '../context.ts';
import { homePoolOf } from '../home-pool.ts';
import { besides } from '../indexes.ts';
import { imageFileName, isLinked, placeOf, volumeOf } from '../places.ts';
import { hostsOf } from './reach.ts';
import type { ImageReader, Lack, SourceWorld } from './world.ts';

export interface SourceDeps {
  readonly context: ControllerContext;
  readonly jobs: Jobs<string, void>;
  /** UIDs of disks whose claim is being given by a write on its way: nothing may be copied from them. */
  readonly granting: Set<string>;
}

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
  filled: boolean,
): SourceWorld => {
  const image = context.kinds.images.store.get(besides(disk, name));
  if (image === undefined)
    return lacking('ImageNotFound', `VirtualMachineImage ${name} does not exist in this namespace.`);
  if (image.spec.format === 'iso')
    return lacking('ImageFormatUnsuitable', `Image ${name} is an ISO image: a disk cannot be made from it.`);
  if (!filled && image.spec.storagePoolRef.name !== disk.spec.storagePoolRef.name) {
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
    linked: !filled && isLinked(disk),
    readyOn: copies.map(({ host }) => host),
    readers: filled ? readersOf(context, image) : [],
  };
};

export const isAtWork = (jobs: Jobs<string, void>, uid: string): boolean =>
  ['queued', 'running'].includes(jobs.get(uid)?.kind ?? '');

const diskSource = (
  { context, granting, jobs }: SourceDeps,
  disk: VirtualDisk,
  name: string,
): SourceWorld => {
  const from = context.kinds.disks.store.get(besides(disk, name));
  if (from === undefined)
    return lacking('DiskNotFound', `VirtualDisk ${name} does not exist in this namespace.`);
  const there = homePoolOf(context.kinds, from)?.metadata.name;
  const moving = moveOf(from) !== undefined || there !== from.spec.storagePoolRef.name;
  if (moving && from.status?.volume !== undefined)
    return lacking('WaitingForDisk', `VirtualDisk ${name} is being moved to another StoragePool.`);
  if (from.spec.storagePoolRef.name !== disk.spec.storagePoolRef.name) {
    return lacking(
      'Invalid',
      `VirtualDisk ${name} is in another StoragePool: a copy is made in the pool of its source.`,
    );
  }
  if (from.status?.volume === undefined)
    return lacking('WaitingForDisk', `VirtualDisk ${name} is not there yet.`);
  const pool = context.kinds.storagePools.store.get(from.spec.storagePoolRef.name);
  return {
    kind: 'disk',
    name,
    uid: from.metadata.uid,
    // Names are derived, never read from a status: that may have been written by somebody else.
    volume: volumeOf(pool === undefined ? {} : placeOf(context.clusterId, pool), from),
    sizeBytes: bytesOf(from.status.size ?? from.spec.size),
    host: from.status.host,
    inUseBy:
      from.status.claim?.vmName ??
      (granting.has(from.metadata.uid) ? 'a machine' : undefined) ??
      (isAtWork(jobs, from.metadata.uid) ? 'its own growing' : undefined),
  };
};

export const sourceOf = (
  deps: SourceDeps,
  disk: VirtualDisk,
  filled: boolean,
  made: boolean,
): SourceWorld => {
  const { source } = disk.spec;
  // Made is made: what becomes of the source later is no matter.
  if (made) return { kind: 'blank' };
  switch (source.type) {
    case 'Blank':
      return { kind: 'blank' };
    case 'Image':
      return imageSource(deps.context, disk, source.imageRef.name, filled);
    case 'Disk':
      return diskSource(deps, disk, source.diskRef.name);
    default:
      return source satisfies never;
  }
};
