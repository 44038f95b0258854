/** The status of a StoragePool: the storage as each host sees it, and all of it together. Pure. */
import { bytesOf, formatQuantity } from '../../api/quantity.ts';
import type { Reason } from '../../api/reasons.ts';
import { type StoragePoolStatus, topologyOf } from '../../api/storage-pool.ts';
import { setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import {
  condition,
  knownReason,
  namesOf,
  reasonOfFault,
  type Standing,
  standingConditions,
} from '../standing.ts';
import { fits, type StoragePoolWorld, type StorageSight, type StorageSite } from './world.ts';

type HostState = NonNullable<StoragePoolStatus['hosts']>[number];

interface Word {
  readonly reason: Reason;
  readonly message: string;
}

const unreadyWord = (
  world: StoragePoolWorld,
  site: StorageSite,
  sight: StorageSight | undefined,
): Word | undefined => {
  if (!site.wanted) {
    return {
      reason: 'NotInPool',
      message: 'Its HostPool is no longer one of this storage, and disks are still there.',
    };
  }
  if (!fits(world, site)) {
    return {
      reason: 'Unsupported',
      message: 'Simulated storage and simulated hosts are for each other alone.',
    };
  }
  if (site.state.kind === 'unusable') return site.state;
  const seen = sight?.get(site.name);
  switch (seen?.kind) {
    case undefined:
    case 'absent':
      return { reason: 'StorageNotReady', message: 'The storage is not prepared on the host yet.' };
    case 'failed':
      return seen;
    case 'broken':
      return { reason: knownReason(seen.reason, 'StorageNotReady'), message: seen.message };
    case 'ready':
      return seen.sharedMarker
        ? undefined
        : {
            reason: 'MarkerMissing',
            message: `The marker file is not in ${world.place.path}: the shared folder is not mounted there.`,
          };
    default:
      return seen satisfies never;
  }
};

/** Free space changes all the time: below one percent of the whole it stays as it was told. */
const steady = (beforeText: string | undefined, bytes: number, capacityBytes: number): string => {
  if (beforeText === undefined) return formatQuantity(bytes);
  return Math.abs(bytesOf(beforeText) - bytes) * 100 < capacityBytes ? beforeText : formatQuantity(bytes);
};

const hostState = (
  world: StoragePoolWorld,
  site: StorageSite,
  sight: StorageSight | undefined,
): HostState => {
  const before = world.pool.status?.hosts?.find(({ name }) => name === site.name);
  const word = unreadyWord(world, site, sight);
  const seen = sight?.get(site.name);
  const space =
    seen?.kind === 'ready'
      ? {
          capacity: formatQuantity(seen.capacityBytes),
          available: steady(before?.available, seen.availableBytes, seen.capacityBytes),
        }
      : {
          ...(before?.capacity === undefined ? {} : { capacity: before.capacity }),
          ...(before?.available === undefined ? {} : { available: before.available }),
        };
  return {
    name: site.name,
    ready: word === undefined,
    ...space,
    ...(word === undefined ? {} : { reason: word.reason, message: word.message.slice(0, 1024) }),
  };
};

/** Shared: the same space, told by any host. HostLocal: over all hosts. */
const totalOf = (
  shared: boolean,
  hosts: readonly HostState[],
): Pick<StoragePoolStatus, 'capacity' | 'available'> => {
  const known = hosts.filter(({ capacity, available }) => capacity !== undefined && available !== undefined);
  const [first] = known.filter(({ ready }) => ready);
  const counted = shared ? [first ?? known[0]].filter((it) => it !== undefined) : known;
  if (counted.length === 0) return {};
  const sum = (field: 'capacity' | 'available'): string =>
    formatQuantity(counted.reduce((bytes, host) => bytes + bytesOf(host[field] ?? '0'), 0));
  return { capacity: sum('capacity'), available: sum('available') };
};

const deletionOf = (world: StoragePoolWorld): Standing => {
  const { disks, images, sites } = world;
  const held = [
    disks.length > 0 ? `disks (${namesOf(disks)})` : undefined,
    images.length > 0 ? `images (${namesOf(images)})` : undefined,
  ].filter((it) => it !== undefined);
  if (held.length > 0) {
    const message = `The pool still holds ${held.join(' and ')}.`;
    return { ready: 'False', reason: 'WaitingForDependents', message };
  }
  const unseen = sites
    .filter(({ state }) => state.kind === 'unusable' && !state.gone)
    .map(({ name }) => name);
  return unseen.length > 0
    ? {
        ready: 'False',
        reason: 'HostUnreachable',
        message: `${namesOf(unseen)} cannot be reached, where the storage is to be forgotten.`,
      }
    : { ready: 'False', reason: 'Deleting', message: 'The storage is being forgotten on its hosts.' };
};

const standingOf = (
  world: StoragePoolWorld,
  hosts: readonly HostState[],
  fault: Fault | undefined,
): Standing => {
  const { pool, missingPools } = world;
  if (fault !== undefined) return { ready: 'False', reason: reasonOfFault(fault), message: fault.message };
  if (pool.metadata.deletionTimestamp !== undefined) return deletionOf(world);
  const [unready] = hosts.filter(({ ready }) => !ready);
  if (hosts.length === 0) {
    return missingPools.length > 0
      ? {
          ready: 'False',
          reason: 'HostPoolNotFound',
          message: `HostPool ${namesOf(missingPools)} does not exist.`,
        }
      : { ready: 'False', reason: 'NoHostsReady', message: 'Its HostPools have no hosts yet.' };
  }
  if (unready === undefined) {
    return missingPools.length > 0
      ? {
          ready: 'True',
          reason: 'HostPoolNotFound',
          message: `HostPool ${namesOf(missingPools)} does not exist; all other hosts are ready.`,
        }
      : { ready: 'True', reason: 'Ready', message: 'The storage is ready on all hosts.' };
  }
  const names = namesOf(hosts.filter(({ ready }) => !ready).map(({ name }) => name));
  if (hosts.some(({ ready }) => ready)) {
    const message = `Not ready on ${names}: ${unready.message ?? ''}`;
    return { ready: 'True', reason: 'SomeHostsNotReady', message };
  }
  const reason = knownReason(unready.reason, 'NoHostsReady');
  return { ready: 'False', reason, message: `${unready.name}: ${unready.message ?? ''}` };
};

export const statusOf = (
  world: StoragePoolWorld,
  sight: StorageSight | undefined,
  fault: Fault | undefined,
  nowMs: number,
): StoragePoolStatus => {
  const { pool, disks, images } = world;
  // A host whose HostPool was taken out is shown for as long as disks of the pool are on it.
  const sites = world.sites.filter(
    ({ name, wanted, used, state }) =>
      wanted ||
      used ||
      (state.kind === 'unusable' && !state.gone) ||
      (sight?.get(name)?.kind ?? 'absent') !== 'absent',
  );
  const shared = topologyOf(pool.spec) === 'Shared';
  const hosts = sites.map((site) => hostState(world, site, sight));
  const marked =
    pool.status?.sharedMarker === true ||
    [...(sight?.values() ?? [])].some((seen) => seen.kind === 'ready' && seen.sharedMarker);
  const standing = standingOf(world, hosts, fault);
  const inputs = [
    ...standingConditions(standing),
    ...(pool.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', standing.reason, standing.message)]),
  ];
  const stamp = { generation: pool.metadata.generation, nowMs };
  return {
    observedGeneration: pool.metadata.generation,
    hosts,
    ...totalOf(shared, hosts),
    ...(shared && marked ? { sharedMarker: true } : {}),
    disks: disks.length,
    images: images.length,
    conditions: [...setConditions(pool.status?.conditions ?? [], inputs, stamp)],
  };
};
