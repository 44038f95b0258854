/** One step of an image's life, at the API server, on a host, or handed to the jobs room. */
import type { HostStorage, StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import { pathIn } from '../places.ts';
import { secretVersionOf } from './credentials.ts';
import type { ImageStep } from './decision.ts';
import type { GatherDeps } from './gather.ts';
import { type ImageConfig, importImage } from './import-image.ts';
import { copyKeyOf } from './wanted.ts';
import type { CopySeen, ImageSight, ImageWorld } from './world.ts';

type Ended = Taken<ImageSight>;

export interface TakeDeps extends GatherDeps {
  readonly config: ImageConfig;
}

interface At {
  readonly storage: HostStorage;
  readonly place: StoragePlace;
}

const at = ({ context }: TakeDeps, world: ImageWorld, host: string): At => {
  const it = world.hosts.find(({ name }) => name === host);
  const session = it && context.fleet.session(it.pool);
  if (it === undefined || session === undefined || world.place === undefined) {
    throw new Fault('unreachable', `${host} is not connected.`, { reason: 'HostUnreachable' });
  }
  return { storage: session.pool.hostStorage(it.id), place: world.place };
};

const begin = async (
  deps: TakeDeps,
  world: ImageWorld,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<Ended> => {
  const { image, file, maxImageBytes } = world;
  // Told before the Secret is read: what changes in between is tried again once more, never overlooked.
  const secretVersion = await secretVersionOf(deps.context, image, signal);
  for (const host of hosts) {
    const run = importImage(deps.context, deps.config, {
      image,
      file,
      maxImageBytes,
      ...at(deps, world, host),
    });
    const { uid } = image.metadata;
    const copy = { uid, key: copyKeyOf(world, host), host, maxImageBytes, secretVersion };
    deps.imports.start(copy, (progress, inner) =>
      deps.context.effect('import image', () => run(progress, inner)),
    );
  }
  return { kind: 'wrote' };
};

/** Asked of the host once more: what stands on the file is proved by backing paths, not by our records. */
const removeFrom = async (
  deps: TakeDeps,
  world: ImageWorld,
  host: string,
  signal: AbortSignal,
): Promise<CopySeen> => {
  const { storage, place } = at(deps, world, host);
  const path = pathIn(place, world.file);
  const volumes = await storage.list(place, signal);
  if (volumes.some(({ backingPath }) => backingPath === path)) {
    return { host, volume: volumes.find(({ name }) => name === world.file), clones: true };
  }
  await deps.context.effect('delete image', () =>
    storage.take(place, { kind: 'delete', volume: world.file }, signal),
  );
  return { host, volume: undefined, clones: false, swept: true };
};

const remove = async (
  deps: TakeDeps,
  world: ImageWorld,
  seen: ImageSight,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<Ended> => {
  const done = await Promise.all(hosts.map((host) => removeFrom(deps, world, host, signal)));
  const others = seen.copies.filter(({ host }) => !hosts.includes(host));
  return { kind: 'done', seen: { ...seen, copies: [...others, ...done] } };
};

export const take = async (
  deps: TakeDeps,
  world: ImageWorld,
  seen: ImageSight,
  step: ImageStep,
  signal: AbortSignal,
): Promise<Ended> => {
  switch (step.kind) {
    case 'addFinalizer':
      await addFinalizer(deps.context.kinds.images.resource, world.image, deps.context.effect, signal);
      return { kind: 'wrote' };
    case 'removeFinalizer':
      await removeFinalizer(deps.context.kinds.images.resource, world.image, deps.context.effect, signal);
      return { kind: 'gone' };
    case 'import':
      return begin(deps, world, step.hosts, signal);
    case 'cancelImports':
      await deps.imports.cancel(world.image.metadata.uid);
      // What they left behind is looked for anew.
      return { kind: 'started', afterMs: 0 };
    case 'remove':
      return remove(deps, world, seen, step.hosts, signal);
    default:
      return step satisfies never;
  }
};
