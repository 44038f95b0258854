/** The paths of hosts that log in themselves, portal by portal. Pure. */
import type { StoragePoolStatus } from '../../api/storage-pool.ts';
import { type LoginSeen, type PathSeen, portalText } from '../../drivers/hypervisor/host-logins.ts';
import { portalsOf } from '../served.ts';
import type { LoginDisk, StoragePoolWorld, StorageSight } from './world.ts';

type HostState = NonNullable<StoragePoolStatus['hosts']>[number];
type PathState = NonNullable<HostState['paths']>[number];

/** Nothing tells of a path that breaks: hosts are asked, one call for each, while they are logged in to something. */
export const pathPollMs = 20_000;

interface Login {
  readonly disk: LoginDisk;
  readonly seen: LoginSeen;
}

/** Disks of the pool that the host holds by right and is logged in to; the first login is its machine's. */
const loginsOn = ({ logins }: StoragePoolWorld, sight: StorageSight, host: string): readonly Login[] => {
  const there = sight.logins.get(host);
  if (there?.kind !== 'seen') return [];
  const byTarget = new Map(there.logins.map((login) => [login.targetIqn, login]));
  return logins.flatMap((disk): readonly Login[] => {
    const seen = disk.host === host && disk.published ? byTarget.get(disk.targetIqn) : undefined;
    return seen === undefined || seen.paths.length === 0 ? [] : [{ disk, seen }];
  });
};

/** Disks of the pool that the host has something of and no right to. */
export const straysOn = (
  { logins }: StoragePoolWorld,
  sight: StorageSight,
  host: string,
): readonly LoginDisk[] => {
  const there = sight.logins.get(host);
  const targets = new Set(there?.kind === 'seen' ? there.logins.map(({ targetIqn }) => targetIqn) : []);
  return logins.filter((disk) => disk.host !== host && targets.has(disk.targetIqn));
};

export const hasLogins = (world: StoragePoolWorld, sight: StorageSight): boolean =>
  world.sites.some(({ name }) => loginsOn(world, sight, name).length > 0);

const pathAt = ({ seen }: Login, portal: string): PathSeen | undefined =>
  seen.paths.find((path) => portalText(path.portal) === portal);

const isUp = (path: PathSeen | undefined): boolean => path?.state === 'Up';

const wantedVersion = ({ loginVersion, pool }: StoragePoolWorld): string | undefined =>
  pool.spec.driver === 'iscsi' && pool.spec.iscsi.chap !== undefined ? loginVersion : undefined;

/** Logged in with a secret that is no longer the pool's. */
const isStale = (world: StoragePoolWorld, path: PathSeen | undefined): boolean => {
  const wanted = wantedVersion(world);
  return wanted !== undefined && path !== undefined && path.version !== wanted;
};

const disksText = (count: number): string => (count === 1 ? '1 disk' : `${count} disks`);

const stateAt = (world: StoragePoolWorld, logins: readonly Login[], portal: string): PathState => {
  const down = logins.filter((login) => !isUp(pathAt(login, portal))).length;
  if (down > 0)
    return { portal, state: 'Down', message: `${disksText(down)} of ${logins.length} have no path there.` };
  const stale = logins.filter((login) => isStale(world, pathAt(login, portal))).length;
  const message = `${disksText(stale)} of ${logins.length} logged in there with an older secret.`;
  return { portal, state: 'Up', ...(stale === 0 ? {} : { message }) };
};

/** Undefined while the host is logged in to nothing of the pool; as it was while it cannot be asked. */
export const pathsOf = (
  world: StoragePoolWorld,
  sight: StorageSight | undefined,
  host: string,
): HostState['paths'] => {
  const before = world.pool.status?.hosts?.find(({ name }) => name === host)?.paths;
  if (sight === undefined) return before;
  const logins = loginsOn(world, sight, host);
  if (logins.length === 0) return undefined;
  return portalsOf(world.pool).map((portal) => stateAt(world, logins, portalText(portal)));
};

/**
 * Where a login can help: a session is missing at a portal to which no other one is down, or one is of an older
 * secret and there is another path to go on with. A path of an older secret that is down does not come back by itself.
 */
export const mendable = (
  world: StoragePoolWorld,
  sight: StorageSight,
  host: string,
): readonly LoginDisk[] => {
  const logins = loginsOn(world, sight, host);
  const portals = portalsOf(world.pool).map(portalText);
  const dead = new Set(
    portals.filter((portal) => logins.some((login) => pathAt(login, portal)?.state === 'Down')),
  );
  return logins
    .filter((login) => {
      const up = login.seen.paths.filter(isUp);
      const missing = portals.some((portal) => !dead.has(portal) && pathAt(login, portal) === undefined);
      const stale = login.seen.paths.some((path) => isStale(world, path) && (!isUp(path) || up.length > 1));
      return up.length > 0 && (missing || stale);
    })
    .map(({ disk }) => disk);
};

/** One sentence when a path is down somewhere. */
export const pathTrouble = (world: StoragePoolWorld, hosts: readonly HostState[]): string | undefined => {
  const host = hosts.find(({ paths }) => paths?.some(({ state }) => state === 'Down'));
  const down = (host?.paths ?? []).filter(({ state }) => state === 'Down').map(({ portal }) => portal);
  if (host === undefined) return undefined;
  const all = down.length === portalsOf(world.pool).length;
  const then = all ? 'its machines wait for it' : 'its machines go on by the other paths';
  return `${host.name} has no path to ${down.join(' and ')}; ${then}.`;
};
