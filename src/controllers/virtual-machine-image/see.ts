/** What lies on the hosts that matter for an image. Never mutates. */
import type { HostStorage, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import { Fault, isFault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { pathIn } from '../places.ts';
import { secretVersionOf } from './credentials.ts';
import { isRefused } from './refusal.ts';
import { hostsToAsk } from './wanted.ts';
import type { CopySeen, HostWorld, ImageSight, ImageWorld } from './world.ts';

/** Until every host was tried once nothing can be told: a start of the operator writes no status. */
const awaitConnections = ({ fleet }: ControllerContext, hosts: readonly HostWorld[]): void => {
  const untried = hosts.find(({ pool, id }) => fleet.session(pool)?.hosts().has(id) !== true);
  if (untried !== undefined)
    throw new Fault('busy', `${untried.name} is being connected.`, { reason: 'Connecting' });
};

/** On deletion the host's own list also says what stands on the file. */
const look = async (
  storage: HostStorage,
  place: StoragePlace,
  world: ImageWorld,
  host: string,
  signal: AbortSignal,
): Promise<CopySeen> => {
  if (world.image.metadata.deletionTimestamp === undefined) {
    const sight = await storage.see(place, world.file, signal);
    return { host, volume: sight.kind === 'present' ? sight.volume : undefined, clones: false };
  }
  const volumes = await storage.list(place, signal);
  const path = pathIn(place, world.file);
  return {
    host,
    volume: volumes.find(({ name }) => name === world.file),
    clones: volumes.some(({ backingPath }) => backingPath === path),
  };
};

/** A host that went away meanwhile, or has not prepared the pool yet (`conflict`), is one that could not be asked. */
const isUnseen = (error: unknown): boolean => isFault(error, 'unreachable') || isFault(error, 'conflict');

const ask = async (
  context: ControllerContext,
  world: ImageWorld,
  { name, id, pool, usable }: HostWorld,
  signal: AbortSignal,
): Promise<CopySeen | undefined> => {
  const session = context.fleet.session(pool);
  if (!usable || session === undefined || world.place === undefined) return undefined;
  try {
    return await look(session.pool.hostStorage(id), world.place, world, name, signal);
  } catch (error) {
    if (isUnseen(error) && !signal.aborted) return undefined;
    throw error;
  }
};

export const see = async (
  context: ControllerContext,
  world: ImageWorld,
  signal: AbortSignal,
): Promise<ImageSight> => {
  const deleting = world.image.metadata.deletionTimestamp !== undefined;
  const alive = world.hosts.filter(({ declaredDown }) => declaredDown === undefined);
  const chosen = hostsToAsk(world);
  // A shared pool is asked through one host: when none can be used, all of them are what is waited for.
  const asked = chosen.length === 0 || (deleting && !world.shared) ? alive : chosen;
  if (world.place === undefined) return { copies: [], unseen: [] };
  awaitConnections(context, asked);
  const answers = await Promise.all(
    asked.map(async (host) => ({ host: host.name, copy: await ask(context, world, host, signal) })),
  );
  const refused = [...world.imports.values()].some(isRefused);
  return {
    ...(refused ? { secretVersion: await secretVersionOf(context, world.image, signal) } : {}),
    copies: answers.flatMap(({ copy }) => copy ?? []),
    unseen: answers.filter(({ copy }) => copy === undefined).map(({ host }) => host),
  };
};
