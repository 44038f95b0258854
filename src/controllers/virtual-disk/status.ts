/** The status of a disk, recomputed as a whole. Pure. */

import { formatQuantity } from '../../api/quantity.ts';
import { categoryOf, Reason } from '../../api/reasons.ts';
import type { VirtualDisk, VirtualDiskStatus } from '../../api/virtual-disk.ts';
import { type ConditionInput, setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import type { Plan } from '../../runtime/pass.ts';
import { formatIn, imageUidOf, isLinked, wasLinked } from '../places.ts';
import { kstatusOf, verdictOfFault } from '../verdict.ts';
import { type Claim, claimOf, homeOf } from './claim.ts';
import { decide, volumeAt } from './decide.ts';
import { hasArrived } from './decide-move.ts';
import { isPublished } from './decide-served.ts';
import type { DiskStep } from './decision.ts';
import type { DiskSight, DiskWorld } from './world.ts';

/**
 * The image that the disk stands on. The host's own word comes first: it is there after a status was lost or forged,
 * and after the image object is gone.
 */
const imageOf = (
  { disk, source }: DiskWorld,
  backingPath: string | undefined,
): Pick<VirtualDiskStatus, 'image'> => {
  const told =
    source.kind === 'image'
      ? {
          uid: source.uid,
          name: source.name,
          ...(source.digest === undefined ? {} : { digest: source.digest }),
        }
      : disk.status?.image;
  const uid = isLinked(disk) && backingPath !== undefined ? imageUidOf(backingPath) : undefined;
  if (uid === undefined || uid === told?.uid || disk.spec.source.type !== 'Image')
    return told === undefined ? {} : { image: told };
  return { image: { uid, name: disk.spec.source.imageRef.name } };
};

/** Undefined unless the disk is there on its storage server. */
const servedRecord = (
  { disk, served, source, volume: name }: DiskWorld,
  seen: DiskSight | undefined,
): Partial<VirtualDiskStatus> | undefined => {
  const sight = seen?.served;
  if (served === undefined || sight?.kind !== 'present' || !sight.complete) return undefined;
  const { uid, name: imageName, digest } = source.kind === 'image' ? source : (disk.status?.image ?? {});
  return {
    volume: { pool: served.pool.metadata.uid, name, format: 'raw' },
    size: formatQuantity(sight.sizeBytes),
    ...(uid === undefined || imageName === undefined
      ? {}
      : { image: { uid, name: imageName, ...(digest === undefined ? {} : { digest }) } }),
  };
};

/** With what the storage server says of its host; kept as it was while that is not known. */
const withPublished = (world: DiskWorld, seen: DiskSight | undefined, claim: Claim): Claim => {
  if (world.served === undefined) return claim;
  const { published: was, ...rest } = claim;
  const is = isPublished(world, seen, claim.host) ?? was;
  return is === true ? { ...rest, published: true } : rest;
};

const recordOf = (world: DiskWorld, seen: DiskSight | undefined): Partial<VirtualDiskStatus> => {
  const { disk, place, shared } = world;
  const { host, volume, size, allocated, image } = disk.status ?? {};
  const home = homeOf(world);
  const found = volumeAt(seen, home);
  const former: Partial<VirtualDiskStatus> = {
    ...(host === undefined ? {} : { host }),
    ...(volume === undefined ? {} : { volume }),
    ...(size === undefined ? {} : { size }),
    ...(allocated === undefined ? {} : { allocated }),
    ...(image === undefined ? {} : { image }),
  };
  const served = servedRecord(world, seen);
  if (served !== undefined) return { ...former, ...served };
  if (found === undefined || !found.complete || place === undefined || home === undefined) return former;
  return {
    ...former,
    ...(shared ? {} : { host: home }),
    volume: {
      pool: place.poolUid,
      name: world.volume,
      format: formatIn(place, disk),
      ...standsAlone(disk, found.backingPath),
    },
    size: formatQuantity(found.sizeBytes),
    ...imageOf(world, found.backingPath),
  };
};

/** The host's word: a status that was lost, or is of before a move, would have it stand on an image that is not there. */
const standsAlone = (
  disk: VirtualDisk,
  backingPath: string | undefined,
): Pick<NonNullable<VirtualDiskStatus['volume']>, 'standalone'> =>
  wasLinked(disk) && backingPath === undefined ? { standalone: true } : {};

/** What is told of a disk whose data is in another pool by now, and nowhere else. */
const arrivedRecord = (
  { disk, move }: DiskWorld,
  seen: DiskSight | undefined,
): Partial<VirtualDiskStatus> | undefined => {
  const target = move?.target;
  if (target === undefined || seen?.copy?.kind !== 'present') return undefined;
  const { pool, volume: name, served, shared, host } = target;
  const { image } = disk.status ?? {};
  return {
    ...(shared || host === undefined ? {} : { host: host.name }),
    volume: {
      pool: pool.metadata.uid,
      name,
      format: served ? 'raw' : disk.spec.format,
      ...(served ? {} : standsAlone(disk, undefined)),
    },
    size: formatQuantity(seen.copy.sizeBytes),
    ...(image === undefined ? {} : { image }),
  };
};

/** Where a disk that is on its way goes, and how far it is. */
const moveStatus = ({ move, job }: DiskWorld): Pick<VirtualDiskStatus, 'move'> => {
  if (move?.record === undefined || move.record.phase === 'Dropping') return {};
  const percent = job?.kind === 'running' ? job.progress : undefined;
  const { from, to } = move;
  return { move: { from, to, ...(percent === undefined ? {} : { percent: Math.floor(percent) }) } };
};

export const statusOf = (
  world: DiskWorld,
  seen: DiskSight | undefined,
  _plan: Plan<DiskStep> | undefined,
  fault: Fault | undefined,
  nowMs: number,
): VirtualDiskStatus => {
  const { disk } = world;
  const verdict =
    fault !== undefined
      ? verdictOfFault(fault)
      : seen === undefined
        ? {
            health: 'unknown' as const,
            reason: Reason.StorageNotReady,
            message: 'The disk could not be looked at.',
          }
        : decide(world, seen);
  const arrived = hasArrived(world, seen) ? arrivedRecord(world, seen) : undefined;
  const record = arrived ?? recordOf(world, seen);
  // Nobody is told yes before the disk is there; a claim once given stays until it is known to be let go of.
  const claim = nextClaim(world, seen, record, verdict.reason);
  const deleting: ConditionInput[] =
    disk.metadata.deletionTimestamp === undefined
      ? []
      : [{ type: 'Deleting', status: 'True', reason: verdict.reason, message: verdict.message }];
  const paused: ConditionInput[] =
    world.pausedBy === undefined
      ? []
      : [{ type: 'Paused', status: 'True', reason: 'Paused', message: `Paused: ${world.pausedBy}.` }];
  const stamp = { generation: disk.metadata.generation, nowMs };
  return {
    ...record,
    ...(claim === undefined ? {} : { claim: withPublished(world, seen, claim) }),
    ...moveStatus(world),
    observedGeneration: disk.metadata.generation,
    conditions: [
      ...setConditions(disk.status?.conditions ?? [], [...kstatusOf(verdict), ...deleting, ...paused], stamp),
    ],
  };
};

/** Nobody is told yes before the disk is there; a claim once given stays until it is known to be let go of. */
const nextClaim = (
  world: DiskWorld,
  seen: DiskSight | undefined,
  record: Partial<VirtualDiskStatus>,
  reason: string,
): Claim | undefined => {
  const was = world.disk.status?.claim;
  if (record.volume === undefined) return was;
  if (mayGrant(reason)) return claimOf(world, seen, homeOf(world));
  // A disk in a volume group that is to grow is granted to nobody, but let go of.
  const is = world.block !== undefined && reason === 'Growing' ? claimOf(world, seen, homeOf(world)) : was;
  return is?.vmUid === was?.vmUid ? was : undefined;
};

/** A claim changes hands only in good order: never while the disk cannot be seen or is in trouble. */
const mayGrant = (reason: string): boolean => {
  const category = categoryOf(reason);
  return (
    category === 'Healthy' ||
    reason === 'Moving' ||
    reason === 'OverProvisioned' ||
    reason === 'Deleting' ||
    reason === 'WaitingForDetach' ||
    reason === 'WaitingForDependents'
  );
};
