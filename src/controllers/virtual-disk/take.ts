/** One step of a disk's life, at the API server, on a host, or handed to the jobs room. */
import { encodePool } from '../../api/disk-move.ts';
import { FINALIZER, POOL_ANNOTATION } from '../../api/identity.ts';
import type { HostStorage, StoragePlace, StorageWork } from '../../drivers/hypervisor/host-storage.ts';
import { Fault } from '../../runtime/fault.ts';
import { addFinalizerPatch, type JsonPatch } from '../../runtime/finalizer.ts';
import type { Taken } from '../../runtime/pass.ts';
import { FIELD_MANAGER } from '../context.ts';
import { annotationPath, removeFinalizer } from '../object-writes.ts';
import { pathIn } from '../places.ts';
import type { DiskStep } from './decision.ts';
import { type GatherDeps, gather } from './gather.ts';
import { contentOf } from './image-content.ts';
import { promised } from './promised.ts';
import { takeMove } from './take-move.ts';
import { takeServed } from './take-served.ts';
import type { DiskSight, DiskWorld } from './world.ts';

type Ended = Taken<DiskSight>;

interface At {
  readonly storage: HostStorage;
  readonly place: StoragePlace;
}

const at = ({ context }: GatherDeps, world: DiskWorld, host: string): At => {
  const it = world.hosts.find(({ name }) => name === host);
  const session = it && context.fleet.session(it.pool);
  if (it === undefined || session === undefined || world.place === undefined) {
    throw new Fault('unreachable', `${host} is not connected.`, { reason: 'HostUnreachable' });
  }
  return { storage: session.pool.hostStorage(it.id), place: world.place };
};

const look = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  host: string,
  signal: AbortSignal,
): Promise<Ended> => {
  const { storage, place } = at(deps, world, host);
  const sight = await storage.see(place, world.volume, signal);
  const others = seen.volumes.filter((it) => it.host !== host);
  return { kind: 'done', seen: { ...seen, volumes: [...others, { host, sight }] } };
};

/** Asked of the host itself: what a volume stands on is proved by its backing path, not by our records. */
const dropImage = async (
  deps: GatherDeps,
  world: DiskWorld,
  step: Extract<DiskStep, { kind: 'dropImage' }>,
  signal: AbortSignal,
): Promise<Ended> => {
  const { storage, place } = at(deps, world, step.host);
  const path = pathIn(place, step.file);
  const volumes = await storage.list(place, signal);
  if (!volumes.some(({ backingPath }) => backingPath === path)) {
    await deps.context.effect('delete image', () =>
      storage.take(place, { kind: 'delete', volume: step.file }, signal),
    );
  }
  await removeFinalizer(deps.context.kinds.disks.resource, world.disk, deps.context.effect, signal);
  return { kind: 'gone' };
};

/** Where it is made is written together with the finalizer: a status can be lost, and the spec may name another pool then. */
const begin = async ({ context }: GatherDeps, world: DiskWorld, signal: AbortSignal): Promise<void> => {
  const { metadata } = world.disk;
  const { namespace, name, uid, annotations } = metadata;
  const finalizer = addFinalizerPatch(metadata, FINALIZER);
  const pool = encodePool(uid, { pool: world.place?.poolUid ?? '' });
  if (finalizer === undefined) return;
  const patch: JsonPatch = [
    ...finalizer,
    annotations === undefined
      ? { op: 'add', path: '/metadata/annotations', value: { [POOL_ANNOTATION]: pool } }
      : { op: 'add', path: annotationPath(POOL_ANNOTATION), value: pool },
  ];
  await context.effect('add finalizer', () =>
    context.kinds.disks.resource.patchJson(
      { namespace, name },
      patch,
      { fieldManager: FIELD_MANAGER },
      signal,
    ),
  );
};

const copy = (deps: GatherDeps, world: DiskWorld, step: Extract<DiskStep, { kind: 'copy' }>): Ended => {
  const { storage, place } = at(deps, world, step.host);
  const { uid, namespace, name } = world.disk.metadata;
  // The source may have been given to a machine since; from here to the start of the job nobody else has a turn.
  const source = gather(deps, `${namespace}/${name}`)?.source;
  if (source?.kind === 'disk' && source.inUseBy !== undefined)
    throw new Fault('conflict', `VirtualDisk ${source.name} is in use by ${source.inUseBy}.`);
  deps.jobs.forget(uid);
  deps.jobs.start(uid, step.host, (progress, signal) =>
    deps.context.effect('copy volume', () => storage.work(place, step.work, progress, signal)),
  );
  return { kind: 'started' };
};

/** The content of an image is read anew by each try. */
const fill = (deps: GatherDeps, world: DiskWorld, step: Extract<DiskStep, { kind: 'fill' }>): Ended => {
  const { storage, place } = at(deps, world, step.host);
  const { uid } = world.disk.metadata;
  const { from, sizeBytes } = step;
  deps.jobs.forget(uid);
  deps.jobs.start(uid, step.host, (progress, signal) => {
    const chunks = from.kind === 'image' ? contentOf(deps, from, signal) : undefined;
    const work: StorageWork = { kind: 'fill', volume: world.volume, sizeBytes, chunks };
    return deps.context.effect('fill volume', () => storage.work(place, work, progress, signal));
  });
  return { kind: 'started' };
};

const regrow = (deps: GatherDeps, world: DiskWorld, step: Extract<DiskStep, { kind: 'regrow' }>): Ended => {
  const { storage, place } = at(deps, world, step.host);
  const { uid, namespace, name } = world.disk.metadata;
  // From here to the start of the job nobody else has a turn, and no machine is granted a disk that is to grow.
  const fresh = gather(deps, `${namespace}/${name}`);
  if (
    fresh === undefined ||
    fresh.disk.status?.claim !== undefined ||
    fresh.opening === true ||
    fresh.copying
  )
    throw new Fault('conflict', 'The machines of the disk changed meanwhile.');
  deps.jobs.forget(uid);
  const work: StorageWork = { kind: 'grow', volume: world.volume, sizeBytes: step.sizeBytes };
  deps.jobs.start(uid, step.host, (progress, signal) =>
    deps.context.effect('grow volume', () => storage.work(place, work, progress, signal)),
  );
  return { kind: 'started' };
};

export const take = async (
  deps: GatherDeps,
  world: DiskWorld,
  seen: DiskSight,
  step: DiskStep,
  signal: AbortSignal,
): Promise<Ended> => {
  switch (step.kind) {
    case 'addFinalizer':
      await promised(deps.context, world, () => begin(deps, world, signal));
      return { kind: 'wrote' };
    case 'removeFinalizer':
      await removeFinalizer(deps.context.kinds.disks.resource, world.disk, deps.context.effect, signal);
      return { kind: 'gone' };
    case 'store': {
      const { storage, place } = at(deps, world, step.host);
      const run = (): Promise<void> =>
        deps.context.effect(`store ${step.step.kind}`, () => storage.take(place, step.step, signal));
      await (step.step.kind === 'grow' ? promised(deps.context, world, run) : run());
      return look(deps, world, seen, step.host, signal);
    }
    case 'copy':
      return copy(deps, world, step);
    case 'fill':
      return fill(deps, world, step);
    case 'regrow':
      return regrow(deps, world, step);
    case 'failCopy': {
      const { uid } = world.disk.metadata;
      const state = deps.jobs.get(uid);
      deps.jobs.forget(uid);
      throw state?.kind === 'failed' ? state.fault : new Fault('busy', 'The copy ended.');
    }
    case 'dropImage':
      return dropImage(deps, world, step, signal);
    case 'markMove':
    case 'endMove':
    case 'move':
    case 'dropCopy':
    case 'clearSource':
      return takeMove(deps, world, seen, step, signal);
    case 'grant':
    case 'serve':
    case 'withdraw':
    case 'make':
    case 'cancelMake':
      return takeServed(deps, world, seen, step, signal);
    default:
      return step satisfies never;
  }
};
