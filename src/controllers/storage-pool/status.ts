/** The status of a StoragePool: its servers, the storage as each host sees it, and all of it together. Pure. */
import { bytesOf, formatQuantity } from '../../api/quantity.ts';
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
import { promiseLimit } from '../storage-promises.ts';
import { pathTrouble } from './paths.ts';
import { type HostState, hostState, spaceOf } from './status-hosts.ts';
import { serverStatusOf } from './status-server.ts';
import type { StoragePoolWorld, StorageSight } from './world.ts';

const refused = (reason: Standing['reason'], message: string): Standing => ({
  ready: 'False',
  reason,
  message,
});

/** What the servers still keep a deletion from. */
const removalOf = (world: StoragePoolWorld, sight: StorageSight | undefined): Standing | undefined => {
  const server = sight?.server;
  const kept = sight?.kept ?? [];
  if (kept.length > 0) {
    const message = `Files are still on the volume that is to be erased (${namesOf(kept)}): remove them, or set deletionPolicy to Retain.`;
    return refused('WaitingForDependents', message);
  }
  if (server?.kind === 'failed' && world.erases) {
    const message = `${server.message} To leave what is on the servers, set deletionPolicy to Retain.`;
    return refused(server.reason, message);
  }
  if (server?.kind === 'seen' && server.plan.kind !== 'settled') {
    return refused('Deleting', server.plan.health.message);
  }
  return undefined;
};

const deletionOf = (world: StoragePoolWorld, sight: StorageSight | undefined): Standing => {
  const { disks, images, sites } = world;
  const held = [
    disks.length > 0 ? `disks (${namesOf(disks)})` : undefined,
    images.length > 0 ? `images (${namesOf(images)})` : undefined,
  ].filter((it) => it !== undefined);
  if (held.length > 0) {
    return refused('WaitingForDependents', `The pool still holds ${held.join(' and ')}.`);
  }
  const unseen = sites
    .filter(({ state }) => state.kind === 'unusable' && !state.gone)
    .map(({ name }) => name);
  if (unseen.length > 0) {
    const message = `${namesOf(unseen)} cannot be reached, where the storage is to be forgotten.`;
    return refused('HostUnreachable', message);
  }
  return removalOf(world, sight) ?? refused('Deleting', 'The storage is being forgotten on its hosts.');
};

const hostsStanding = ({ missingPools }: StoragePoolWorld, hosts: readonly HostState[]): Standing => {
  const [unready] = hosts.filter(({ ready }) => !ready);
  const missing = `HostPool ${namesOf(missingPools)} does not exist`;
  if (hosts.length === 0) {
    return missingPools.length > 0
      ? refused('HostPoolNotFound', `${missing}.`)
      : refused('NoHostsReady', 'Its HostPools have no hosts yet.');
  }
  if (unready === undefined) {
    return missingPools.length > 0
      ? { ready: 'True', reason: 'HostPoolNotFound', message: `${missing}; all other hosts are ready.` }
      : { ready: 'True', reason: 'Ready', message: 'The storage is ready on all hosts.' };
  }
  const names = namesOf(hosts.filter(({ ready }) => !ready).map(({ name }) => name));
  if (hosts.some(({ ready }) => ready)) {
    const message = `Not ready on ${names}: ${unready.message ?? ''}`;
    return { ready: 'True', reason: 'SomeHostsNotReady', message };
  }
  const reason = knownReason(unready.reason, 'NoHostsReady');
  return refused(reason, `${unready.name}: ${unready.message ?? ''}`);
};

/** What the servers say about readiness; undefined while they have nothing to say. */
const serverStanding = (sight: StorageSight | undefined, usable: boolean): Standing | undefined => {
  const server = sight?.server;
  switch (server?.kind) {
    case undefined:
    case 'none':
      return undefined;
    case 'opening': {
      const message = 'The storage servers are being asked.';
      return usable
        ? { ready: 'True', reason: 'Updating', message, busy: true }
        : refused('Connecting', message);
    }
    case 'failed': {
      const { reason, message } = server;
      return usable ? { ready: 'True', reason, message, busy: true } : refused(reason, message);
    }
    case 'seen': {
      const { kind, health } = server.plan;
      const { state, message } = health;
      if (state === 'Healthy' && kind === 'settled') return undefined;
      const reason = knownReason(health.reason, state === 'Unusable' ? 'StorageNotReady' : 'StorageDegraded');
      return state === 'Unusable' || !usable
        ? refused(reason, message)
        : { ready: 'True', reason, message, busy: kind !== 'settled' };
    }
    default:
      return server satisfies never;
  }
};

/** Less than this part of the whole is left: a twentieth. */
const nearlyFull = 20;

/** More than this part of what may be promised is promised. */
const nearlyPromisedPercent = 90;

const promises = (
  { pool, allocatedBytes }: StoragePoolWorld,
  { capacity }: Pick<StoragePoolStatus, 'capacity'>,
): Standing | undefined => {
  const limit = promiseLimit({ spec: pool.spec, status: capacity === undefined ? {} : { capacity } });
  if (limit === undefined || allocatedBytes * 100 <= limit * nearlyPromisedPercent) return undefined;
  const percent = pool.spec.overProvisionPercent;
  const message =
    allocatedBytes > limit
      ? `More is promised to disks than overProvisionPercent (${percent}) allows: none is made or grown.`
      : `More than ${nearlyPromisedPercent} % of what may be promised to disks (${percent} % of the capacity) is promised.`;
  return { ready: 'True', reason: 'StoragePoolNearlyFull', message };
};

const fullness = ({ capacity, available }: Pick<StoragePoolStatus, 'capacity' | 'available'>) => {
  if (capacity === undefined || available === undefined) return undefined;
  if (bytesOf(available) * nearlyFull >= bytesOf(capacity)) return undefined;
  const message = `${available} of ${capacity} are left.`;
  return { ready: 'True', reason: 'StoragePoolNearlyFull', message } as const satisfies Standing;
};

/** The worst first: servers that make it unusable, hosts that lack it, then what is merely to be looked at. */
const standingOf = (
  world: StoragePoolWorld,
  hosts: readonly HostState[],
  space: Pick<StoragePoolStatus, 'capacity' | 'available'>,
  sight: StorageSight | undefined,
  fault: Fault | undefined,
): Standing => {
  if (fault !== undefined) return refused(reasonOfFault(fault), fault.message);
  if (world.pool.metadata.deletionTimestamp !== undefined) return deletionOf(world, sight);
  const usable = hosts.some(({ ready }) => ready);
  const servers = serverStanding(sight, usable);
  if (servers !== undefined) return servers;
  const standing = hostsStanding(world, hosts);
  if (standing.reason !== 'Ready') return standing;
  const trouble = pathTrouble(world, hosts);
  if (trouble !== undefined) return { ready: 'True', reason: 'PathDown', message: trouble };
  return fullness(space) ?? promises(world, space) ?? standing;
};

/** Kept while the Secret cannot be read: another version would look like a change of every machine. */
const loginOf = ({ pool, loginVersion }: StoragePoolWorld): Pick<StoragePoolStatus, 'login'> => {
  if (pool.spec.driver !== 'iscsi' || pool.spec.iscsi.chap === undefined) return {};
  const version = loginVersion ?? pool.status?.login?.version;
  return version === undefined ? {} : { login: { version } };
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
      (sight?.hosts.get(name)?.kind ?? 'absent') !== 'absent',
  );
  const shared = topologyOf(pool.spec) === 'Shared';
  const hosts = sites.map((site) => hostState(world, site, sight));
  const marked =
    pool.status?.sharedMarker === true ||
    [...(sight?.hosts.values() ?? [])].some((seen) => seen.kind === 'ready' && seen.sharedMarker);
  const space = spaceOf(shared, hosts, sight, pool.status);
  const hostsReady = hosts.filter(({ ready }) => ready).length;
  const standing = standingOf(world, hosts, space, sight, fault);
  const inputs = [
    ...standingConditions(standing),
    ...(pool.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', standing.reason, standing.message)]),
  ];
  const stamp = { generation: pool.metadata.generation, nowMs };
  return {
    observedGeneration: pool.metadata.generation,
    ...loginOf(world),
    ...serverStatusOf(sight, pool.status, hostsReady > 0),
    hosts,
    hostsReady,
    ...space,
    allocated: formatQuantity(world.allocatedBytes),
    ...(shared && marked ? { sharedMarker: true } : {}),
    disks: disks.length,
    images: images.length,
    conditions: [...setConditions(pool.status?.conditions ?? [], inputs, stamp)],
  };
};
