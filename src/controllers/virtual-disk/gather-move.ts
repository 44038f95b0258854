/** What is known of a disk's move to another StoragePool, from stores and this process's memory. No I/O. */
import { type MoveRecord, moveOf } from '../../api/disk-move.ts';
import { diskVolumeName, servedVolumeName } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { ControllerContext } from '../context.ts';
import { poolByUid } from '../home-pool.ts';
import { besides } from '../indexes.ts';
import { placeOf } from '../places.ts';
import { isServed } from '../served.ts';
import type { GatherDeps } from './gather.ts';
import { hostsOf, poolLackOf } from './reach.ts';
import type { HostWorld, Lack, MoveTarget, MoveWorld, SeedNest, UserWorld } from './world.ts';

const isUsable = ({ usable, declaredDown }: HostWorld): boolean => usable && declaredDown === undefined;

const roomOn = ({ status }: StoragePool, host: HostWorld): number =>
  bytesOf(status?.hosts?.find(({ name }) => name === host.name)?.available ?? '0');

/** Where its data is, else where its first machine is, else where there is most room. */
const chosenHost = (
  pool: StoragePool,
  disk: VirtualDisk,
  hosts: readonly HostWorld[],
  users: readonly UserWorld[],
): HostWorld | undefined => {
  const usable = hosts.filter(isUsable);
  const places = users.toSorted((a, b) => a.createdMs - b.createdMs).map(({ host }) => host);
  const near = [disk.status?.host, ...places].find((name) => usable.some((host) => host.name === name));
  return near === undefined
    ? usable.toSorted((a, b) => roomOn(pool, b) - roomOn(pool, a))[0]
    : usable.find(({ name }) => name === near);
};

const targetOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  pool: StoragePool,
  users: readonly UserWorld[],
  record: MoveRecord | undefined,
): MoveTarget => {
  const { uid } = disk.metadata;
  const served = isServed(pool);
  const shared = topologyOf(pool.spec) === 'Shared';
  const hosts = hostsOf(context, pool);
  const recorded = hosts.find(({ name }) => name === record?.to.host);
  const host = shared
    ? hosts.find(isUsable)
    : record === undefined
      ? chosenHost(pool, disk, hosts, users)
      : recorded;
  return {
    pool,
    place: placeOf(context.clusterId, pool),
    shared,
    served,
    volume: served ? servedVolumeName(uid) : diskVolumeName(uid, disk.spec.format),
    ...(served || host === undefined || !isUsable(host) ? {} : { host }),
    lost: !shared && recorded?.declaredDown !== undefined,
  };
};

/** A server has one target for each disk, whatever number of pools are on it. */
const areOnOneServer = (a: StoragePool, b: StoragePool): boolean =>
  isServed(a) &&
  isServed(b) &&
  (a.spec.driver === 'iscsi' && b.spec.driver === 'iscsi'
    ? a.spec.iscsi.target.address === b.spec.iscsi.target.address
    : a.spec.driver === b.spec.driver);

const lackOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  home: StoragePool,
  pool: StoragePool | undefined,
): Lack | undefined => {
  const lack = poolLackOf(context, disk, pool, false);
  if (lack !== undefined || pool === undefined) return lack;
  if (home.spec.driver === 'lvm' || pool.spec.driver === 'lvm') {
    const message = `Disks are not moved into or out of a volume group (StoragePool ${(home.spec.driver === 'lvm' ? home : pool).metadata.name}).`;
    return { reason: 'Unsupported', message };
  }
  const full = context.promises.refusal(
    pool,
    disk.metadata.uid,
    bytesOf(disk.status?.size ?? disk.spec.size),
  );
  if (full !== undefined) return { reason: 'OverProvisioned', message: full };
  if (!areOnOneServer(home, pool)) return undefined;
  const message = `StoragePool ${pool.metadata.name} is on the same storage server, which has one target for each disk.`;
  return { reason: 'Unsupported', message };
};

/** Undefined while the disk is, and shall be, where it is. */
export const moveWorldOf = (
  { context, moves }: Pick<GatherDeps, 'context' | 'moves'>,
  disk: VirtualDisk,
  home: StoragePool | undefined,
  users: readonly UserWorld[],
): MoveWorld | undefined => {
  const { kinds } = context;
  const { uid, deletionTimestamp } = disk.metadata;
  const record = moveOf(disk);
  const named = kinds.storagePools.store.get(disk.spec.storagePoolRef.name);
  const deleting = deletionTimestamp !== undefined;
  if (record === undefined) {
    if (home === undefined || deleting || home.metadata.uid === named?.metadata.uid) return undefined;
    return {
      from: home.metadata.name,
      to: disk.spec.storagePoolRef.name,
      wanted: true,
      target: named && targetOf(context, disk, named, users, undefined),
      lack: lackOf(context, disk, home, named),
      removed: false,
    };
  }
  const pool = poolByUid(kinds, record.to.pool);
  return {
    record,
    from: home?.metadata.name ?? 'that is gone',
    to: pool?.metadata.name ?? 'that is gone',
    wanted: !deleting && named?.metadata.uid === record.to.pool,
    target: pool && targetOf(context, disk, pool, users, record),
    lack: record.phase === 'Dropping' && home !== undefined ? lackOf(context, disk, home, pool) : undefined,
    compared: moves.compared(uid, record),
    removed: moves.removed(uid, record),
  };
};

/** The pool whose folder has the seed of a machine with this disk (src/controllers/virtual-machine/gather-disks.ts). */
const seedPool = (
  { kinds }: ControllerContext,
  disk: VirtualDisk,
  home: StoragePool,
): StoragePool | undefined => {
  if (!isServed(home)) return home;
  const { source } = disk.spec;
  const image =
    source.type === 'Image' ? kinds.images.store.get(besides(disk, source.imageRef.name)) : undefined;
  return image && kinds.storagePools.store.get(image.spec.storagePoolRef.name);
};

/** A seed that is missed is put there again; one that is left behind would stay for ever. */
export const seedsOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  home: StoragePool | undefined,
): readonly SeedNest[] => {
  const pool = home && seedPool(context, disk, home);
  if (pool === undefined) return [];
  const hosts = hostsOf(context, pool).filter(isUsable);
  const shared = topologyOf(pool.spec) === 'Shared';
  return context.kinds.machines.store
    .byIndex('disk', besides(disk, disk.metadata.name))
    .filter(({ status }) => status?.powerState === 'PoweredOff')
    .flatMap((vm) => {
      const host = shared ? hosts[0] : hosts.find(({ name }) => name === vm.status?.host);
      return host === undefined
        ? []
        : [{ vmUid: vm.metadata.uid, place: placeOf(context.clusterId, pool), host }];
    });
};
