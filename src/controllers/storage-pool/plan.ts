/** The next step for a StoragePool: its servers and its hosts, each as far as it can go by itself. Pure. */
import { FINALIZER } from '../../api/identity.ts';
import { servesDisks, topologyOf } from '../../api/storage-pool.ts';
import type { Plan } from '../../runtime/pass.ts';
import { hasLogins, mendable, pathPollMs, straysOn } from './paths.ts';
import {
  fits,
  type StoragePoolStep,
  type StoragePoolWorld,
  type StorageSight,
  type StorageSite,
} from './world.ts';

type Next = Plan<StoragePoolStep>;

const settled: Next = { kind: 'settled' };
const step = (it: StoragePoolStep): Next => ({ kind: 'step', step: it });

const kindAt = (sight: StorageSight, { name }: StorageSite) => sight.hosts.get(name)?.kind;

/**
 * Whether there is something of ours to take away. In a volume group that is somebody else's there never was, and
 * libvirt's handle to it cannot be dropped without switching his volumes off (libvirt/storage-group.ts).
 */
const isKept = ({ place }: StoragePoolWorld, sight: StorageSight, { name }: StorageSite): boolean => {
  const seen = sight.hosts.get(name);
  if (seen === undefined || seen.kind === 'absent') return false;
  return !(place.volumeGroup !== undefined && seen.kind === 'broken' && seen.reason === 'NameTaken');
};

/** When the server side is to be looked at again; undefined when something else tells. */
const serverPollMs = ({ server }: StorageSight): number | undefined => {
  if (server.kind === 'failed') return server.retryMs;
  return server.kind === 'seen' && server.plan.kind === 'wait' ? server.plan.pollMs : undefined;
};

/** Paths break without a word: they are looked at while there are any, and hosts that did not answer are asked again. */
const watched = (world: StoragePoolWorld, sight: StorageSight, next: Next): Next => {
  const unasked = [...sight.logins.values()].some(({ kind }) => kind === 'failed');
  if (!unasked && !hasLogins(world, sight)) return next;
  const afterMs = next.kind === 'wait' ? (next.afterMs ?? pathPollMs) : pathPollMs;
  return { kind: 'wait', afterMs: Math.min(afterMs, pathPollMs) };
};

/** Nothing is left to do now. Hosts that failed are asked again by the slow poll. */
const rest = (sight: StorageSight, mounts: boolean): Next => {
  const pollMs = serverPollMs(sight);
  if (pollMs !== undefined) return { kind: 'wait', afterMs: pollMs };
  const again = [...sight.hosts.values()].some(
    ({ kind }) => kind === 'failed' || (mounts && kind === 'broken'),
  );
  const unsettled = sight.server.kind === 'opening' || sight.server.kind === 'failed';
  return again || unsettled ? { kind: 'wait' } : settled;
};

/**
 * Before a volume of ours is erased somebody looks at what is on it: through a mount, which is made when there is
 * none, as the volume is brought up when it is not. Undefined once that is done, or when there is nothing to erase.
 */
const stockStep = (world: StoragePoolWorld, { server, kept, hosts }: StorageSight): Next | undefined => {
  if (!world.erases || server.kind !== 'seen' || server.erase || server.seen.origin !== 'Made') {
    return undefined;
  }
  if (kept !== undefined) return { kind: 'wait' };
  if (server.plan.health.state === 'Unusable') {
    if (server.plan.kind === 'step') return step({ kind: 'server', step: server.plan.step });
    return server.plan.kind === 'wait' ? { kind: 'wait', afterMs: server.plan.pollMs } : { kind: 'wait' };
  }
  const kindAt = ({ name }: StorageSite) => hosts.get(name)?.kind;
  const mounted = world.sites.find((site) => kindAt(site) === 'ready');
  if (mounted !== undefined) return step({ kind: 'takeStock', host: mounted.name });
  const free = world.sites.find((site) => kindAt(site) === 'absent');
  return free === undefined ? { kind: 'wait' } : step({ kind: 'prepare', hosts: [free.name] });
};

const serverRemoval = (world: StoragePoolWorld, { server }: StorageSight): Next => {
  if (server.kind === 'none') return step({ kind: 'removeFinalizer' });
  if (server.kind === 'seen') {
    if (server.plan.kind === 'step') return step({ kind: 'server', step: server.plan.step });
    if (server.plan.kind === 'wait') return { kind: 'wait', afterMs: server.plan.pollMs };
    return step({ kind: 'removeFinalizer' });
  }
  // What stays on the servers anyway is let go of, even when nobody can be asked.
  if (!world.erases && server.kind === 'failed' && !server.busy) return step({ kind: 'removeFinalizer' });
  const retryMs = server.kind === 'failed' ? server.retryMs : undefined;
  return retryMs === undefined ? { kind: 'wait' } : { kind: 'wait', afterMs: retryMs };
};

/** First the hosts let go, then the servers. */
const planDeletion = (world: StoragePoolWorld, sight: StorageSight): Next => {
  const { sites, disks, images } = world;
  if (disks.length > 0 || images.length > 0) return settled;
  const stock = stockStep(world, sight);
  if (stock !== undefined) return stock;
  const there = sites.filter((site) => isKept(world, sight, site));
  const forgettable = there.filter((site) => kindAt(sight, site) !== 'failed').map(({ name }) => name);
  // Who looks at a volume before it is erased knows it by the marker, which then goes with the volume.
  if (forgettable.length > 0) return step({ kind: 'forget', hosts: forgettable, withMarker: !world.erases });
  const unseen =
    !servesDisks(world.pool.spec) && sites.some(({ state }) => state.kind === 'unusable' && !state.gone);
  return there.length > 0 || unseen ? { kind: 'wait' } : serverRemoval(world, sight);
};

/** A volume that is not there yet, or cannot be used, is not mounted; one that was in use before always may be. */
const mayMount = ({ pool }: StoragePoolWorld, { server }: StorageSight): boolean => {
  switch (server.kind) {
    case 'none':
      return true;
    case 'seen':
      return server.plan.kind !== 'step' && server.plan.health.state !== 'Unusable';
    case 'opening':
    case 'failed':
      return pool.status?.sharedMarker === true;
    default:
      return server satisfies never;
  }
};

/**
 * The marker is written once in the life of a pool. Later its absence means that the folder is not the one it was,
 * and a marker written then would hide that.
 */
const markerStep = (
  { pool, sites }: StoragePoolWorld,
  { hosts }: StorageSight,
): StoragePoolStep | undefined => {
  if (topologyOf(pool.spec) !== 'Shared' || pool.status?.sharedMarker === true) return undefined;
  const ready = sites.filter(({ name, wanted }) => wanted && hosts.get(name)?.kind === 'ready');
  const marked = ready.some(({ name }) => {
    const seen = hosts.get(name);
    return seen?.kind === 'ready' && seen.sharedMarker;
  });
  const [first] = ready;
  return marked || first === undefined ? undefined : { kind: 'writeMarker', host: first.name };
};

/** Hosts to prepare: where it is absent; and where a mount is not what it was. */
const unprepared = (world: StoragePoolWorld, sight: StorageSight): readonly string[] =>
  world.sites
    .filter((site) => {
      const seen = sight.hosts.get(site.name);
      if (!site.wanted || !fits(world, site) || seen === undefined) return false;
      if (seen.kind === 'absent') return true;
      if (world.place.mount === undefined) return false;
      const lost = seen.kind === 'ready' && !seen.sharedMarker && world.pool.status?.sharedMarker === true;
      return lost || seen.kind === 'broken' || (seen.kind === 'ready' && seen.outdated === true);
    })
    .map(({ name }) => name);

const planHosts = (world: StoragePoolWorld, sight: StorageSight): Next => {
  const { sites, place } = world;
  if (mayMount(world, sight)) {
    const hosts = unprepared(world, sight);
    if (hosts.length > 0) return step({ kind: 'prepare', hosts });
    const marker = markerStep(world, sight);
    if (marker !== undefined) return step(marker);
  }
  const retired = sites.filter(
    (site) =>
      !site.wanted &&
      !site.used &&
      isKept(world, sight, site) &&
      ['ready', 'broken'].includes(kindAt(sight, site) ?? ''),
  );
  if (retired.length > 0)
    return step({ kind: 'forget', hosts: retired.map(({ name }) => name), withMarker: false });
  const mend = sites.filter(({ name }) => mendable(world, sight, name).length > 0).map(({ name }) => name);
  if (mend.length > 0) return step({ kind: 'mendPaths', hosts: mend });
  const astray = sites.filter(({ name }) => straysOn(world, sight, name).length > 0).map(({ name }) => name);
  if (astray.length > 0) return step({ kind: 'dropStrays', hosts: astray });
  return watched(world, sight, rest(sight, place.mount !== undefined));
};

export const plan = (world: StoragePoolWorld, sight: StorageSight): Next => {
  const { pool } = world;
  const ours = pool.metadata.finalizers?.includes(FINALIZER) === true;
  if (pool.metadata.deletionTimestamp !== undefined) {
    return ours ? planDeletion(world, sight) : settled;
  }
  if (!ours) return step({ kind: 'addFinalizer' });
  const { server } = sight;
  if (server.kind === 'seen' && server.plan.kind === 'step') {
    return step({ kind: 'server', step: server.plan.step });
  }
  return planHosts(world, sight);
};
