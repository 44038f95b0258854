/** Paths of hosts that log in themselves: what is there, and what is to be mended. */
import { unitWwn } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { Fault, toFault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { isLoggedIn, loginSecretOf, loginWishOf } from '../served.ts';
import { reasonOfFault } from '../standing.ts';
import { mendable, pathPollMs, straysOn } from './paths.ts';
import type {
  LoginDisk,
  LoginSight,
  StoragePoolStep,
  StoragePoolWorld,
  StorageSight,
  StorageSite,
} from './world.ts';
import { fits } from './world.ts';

/** One slow host must not take the whole pass; the first look makes a connection. */
const hostMs = 30_000;
const mendMs = 30_000;

const loginsAt = ({ fleet }: ControllerContext, { pool, host }: StorageSite) => {
  const session = fleet.session(pool);
  if (session === undefined) throw new Fault('unreachable', `HostPool ${pool} is not connected.`);
  return session.pool.hostLogins(host);
};

const seeAt = async (
  context: ControllerContext,
  site: StorageSite,
  signal: AbortSignal,
): Promise<readonly [string, LoginSight]> => {
  try {
    const seen = await within({ clock: context.clock, limitMs: hostMs, signal }, (inner) =>
      loginsAt(context, site).see(inner),
    );
    return [site.name, { kind: 'seen', ...seen }];
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return [site.name, { kind: 'failed', reason: reasonOfFault(fault), message: fault.message }];
  }
};

export const seeLogins = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  signal: AbortSignal,
): Promise<StorageSight['logins']> => {
  if (!isLoggedIn(world.pool)) return new Map();
  const usable = world.sites.filter(
    (site) =>
      site.state.kind === 'usable' && site.state.facts.attachmentKinds.includes('block') && fits(world, site),
  );
  return new Map(await Promise.all(usable.map((site) => seeAt(context, site, signal))));
};

/** The claim is asked for in the very turn in which the host is told: one that is let go of is being logged out. */
const mendOne = async (
  context: ControllerContext,
  { pool }: StoragePoolWorld,
  site: StorageSite,
  { key, uid }: LoginDisk,
  signal: AbortSignal,
): Promise<void> => {
  const { kinds, releasing } = context;
  const secret = loginSecretOf(context, pool);
  await context.effect('mend paths', async () => {
    const disk = kinds.disks.store.get(key);
    const hostUid = kinds.hosts.store.get(site.name)?.metadata.uid;
    const claim = disk?.metadata.uid === uid && !releasing.has(uid) ? disk.status?.claim : undefined;
    if (claim?.host !== site.name || claim.published !== true || hostUid === undefined) return;
    const sizeBytes = bytesOf(disk?.status?.size ?? '0');
    const wish = loginWishOf(pool, { diskUid: uid, hostUid, sizeBytes, inUse: true, secret });
    await loginsAt(context, site).connect(wish, signal);
  });
};

/** Its machines are asked by the host itself: what one of them has open is refused as busy, and stays. */
const dropOne = async (
  context: ControllerContext,
  site: StorageSite,
  { key, uid, targetIqn }: LoginDisk,
  signal: AbortSignal,
): Promise<void> => {
  await context.effect('log out', async () => {
    const disk = context.kinds.disks.store.get(key);
    if (disk?.metadata.uid !== uid || disk.status?.claim?.host === site.name) return;
    await loginsAt(context, site).disconnect({ targetIqn, wwn: unitWwn(uid) }, signal);
  });
};

type PathStep = Extract<StoragePoolStep, { readonly kind: 'mendPaths' | 'dropStrays' }>;

/** The first that fails ends it for its host: its portal does not answer, say. It is tried again. */
const onSite = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  site: StorageSite,
  step: PathStep,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await within({ clock: context.clock, limitMs: mendMs, signal }, async (inner) => {
      if (step.kind === 'mendPaths') {
        for (const disk of mendable(world, sight, site.name))
          await mendOne(context, world, site, disk, inner);
      } else {
        for (const disk of straysOn(world, sight, site.name)) await dropOne(context, site, disk, inner);
      }
    });
  } catch {
    // What is missing or left is seen by the next look.
    signal.throwIfAborted();
  }
};

export const onPaths = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  sight: StorageSight,
  step: PathStep,
  signal: AbortSignal,
): Promise<Taken<StorageSight>> => {
  const chosen = world.sites.filter(({ name }) => step.hosts.includes(name));
  await Promise.all(chosen.map((site) => onSite(context, world, sight, site, step, signal)));
  return { kind: 'started', afterMs: pathPollMs };
};
