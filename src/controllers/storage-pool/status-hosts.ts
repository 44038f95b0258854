/** The storage as each host sees it, and the space of all of them. Pure. */
import { bytesOf, formatQuantity } from '../../api/quantity.ts';
import type { Reason } from '../../api/reasons.ts';
import { type StoragePool, type StoragePoolStatus, servesDisks } from '../../api/storage-pool.ts';
import { isLoggedIn, portalsOf } from '../served.ts';
import { knownReason } from '../standing.ts';
import { pathsOf } from './paths.ts';
import {
  fits,
  type LoginSight,
  type StoragePoolWorld,
  type StorageSight,
  type StorageSite,
} from './world.ts';

export type HostState = NonNullable<StoragePoolStatus['hosts']>[number];

interface Word {
  readonly reason: Reason;
  readonly message: string;
}

const isServing = ({ server }: StorageSight): boolean =>
  server.kind === 'seen' && server.plan.kind !== 'step' && server.plan.health.state !== 'Unusable';

/** What keeps the host from logging in itself. */
const loginWord = (
  pool: StoragePool,
  state: StorageSite['state'],
  seen: LoginSight | undefined,
): Word | undefined => {
  if (state.kind === 'usable' && !state.facts.attachmentKinds.includes('block')) {
    const message = 'The host is not reached by SSH, which logging in to iSCSI targets needs.';
    return { reason: 'UnsupportedByHost', message };
  }
  if (seen?.kind === 'failed') return seen;
  const portals = portalsOf(pool).length;
  if (seen === undefined || seen.multipath || portals < 2) return undefined;
  const message = `multipathd does not run on the host, and the target has ${portals} portals (Debian: multipath-tools).`;
  return { reason: 'UnsupportedByHost', message };
};

/** A server that cannot be asked takes nothing from hosts that were ready: what they have open goes on. */
const servedWord = (
  { pool }: StoragePoolWorld,
  { name, state }: StorageSite,
  sight: StorageSight | undefined,
): Word | undefined => {
  if (isLoggedIn(pool)) {
    const word = loginWord(pool, state, sight?.logins.get(name));
    if (word !== undefined) return word;
  } else if (state.kind === 'usable' && !state.facts.attachmentKinds.includes('network')) {
    const message =
      'The emulator of the host cannot open disks of iSCSI targets: its driver is not installed (Debian: qemu-block-extra).';
    return { reason: 'UnsupportedByHost', message };
  }
  const wasReady = pool.status?.hosts?.some((it) => it.name === name && it.ready) === true;
  if (wasReady || (sight !== undefined && isServing(sight))) return undefined;
  return { reason: 'StorageNotReady', message: 'The storage server does not serve yet.' };
};

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
  if (servesDisks(world.pool.spec)) return servedWord(world, site, sight);
  const seen = sight?.hosts.get(site.name);
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

export const hostState = (
  world: StoragePoolWorld,
  site: StorageSite,
  sight: StorageSight | undefined,
): HostState => {
  const before = world.pool.status?.hosts?.find(({ name }) => name === site.name);
  const word = unreadyWord(world, site, sight);
  const seen = sight?.hosts.get(site.name);
  const paths = pathsOf(world, sight, site.name);
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
    ...(paths === undefined ? {} : { paths }),
  };
};

type Space = Pick<StoragePoolStatus, 'capacity' | 'used' | 'available'>;

const withUsed = (capacity: string, available: string): Space => ({
  capacity,
  used: formatQuantity(Math.max(0, bytesOf(capacity) - bytesOf(available))),
  available,
});

/** Shared: the same space, told by any host, or by the servers as long as no host does. HostLocal: over all hosts. */
export const spaceOf = (
  shared: boolean,
  hosts: readonly HostState[],
  sight: StorageSight | undefined,
  before: StoragePoolStatus | undefined,
): Space => {
  const known = hosts.filter(({ capacity, available }) => capacity !== undefined && available !== undefined);
  const [first] = known.filter(({ ready }) => ready);
  const served = sight?.server.kind === 'seen' ? sight.server.seen.space : undefined;
  if (shared && first === undefined && served !== undefined) {
    const { capacityBytes, availableBytes } = served;
    return withUsed(formatQuantity(capacityBytes), steady(before?.available, availableBytes, capacityBytes));
  }
  const counted = shared ? [first ?? known[0]].filter((it) => it !== undefined) : known;
  if (counted.length === 0) return {};
  const sum = (field: 'capacity' | 'available'): string =>
    formatQuantity(counted.reduce((bytes, host) => bytes + bytesOf(host[field] ?? '0'), 0));
  return withUsed(sum('capacity'), sum('available'));
};
