/** Wires the pass of one image to its queue and to everything whose change matters to it. */
import { fitTo } from '../../api/fit.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import {
  type VirtualMachineImage,
  type VirtualMachineImageStatus,
  virtualMachineImage,
} from '../../api/virtual-machine-image.ts';
import type { Controller } from '../../runtime/controller.ts';
import { statusEqual } from '../../runtime/equal.ts';
import type { Jobs } from '../../runtime/jobs.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { besides, diskNameOf } from '../indexes.ts';
import { createKindController } from '../kind-controller.ts';
import { isNews, referenceTo, writeStatus } from '../object-writes.ts';
import { standingEvents } from '../standing.ts';
import { decide } from './decide.ts';
import type { ImageStep } from './decision.ts';
import { gather } from './gather.ts';
import type { ImageConfig } from './import-image.ts';
import { createImportRoom, type ImportRoom } from './import-room.ts';
import { see } from './see.ts';
import { statusOf } from './status.ts';
import { type TakeDeps, take } from './take.ts';
import type { ImageSight, ImageWorld } from './world.ts';

const fit = fitTo(virtualMachineImage.status);

export interface ImageController {
  readonly controller: Controller<string>;
  /** Imports in progress; closed with the operator. */
  readonly jobs: Jobs<string, void>;
}

type Enqueue = (key: string, priority?: number) => void;

const keyOf = ({ metadata }: VirtualMachineImage): string => `${metadata.namespace}/${metadata.name}`;

/** What of a machine or disk decides where an image is needed. */
const shapeOf = (it: VirtualMachine | VirtualDisk | undefined): unknown =>
  it === undefined
    ? undefined
    : [it.metadata.uid, it.metadata.generation, it.metadata.deletionTimestamp !== undefined, it.status?.host];

const followUsers = ({ context }: ControllerDeps, enqueue: Enqueue): void => {
  const { disks, machines } = context.kinds;
  const imagesOfDisk = (disk: VirtualDisk | undefined): readonly string[] =>
    disk?.spec.source.type === 'Image' ? [besides(disk, disk.spec.source.imageRef.name)] : [];
  const imagesOfMachine = (vm: VirtualMachine | undefined): readonly string[] =>
    vm === undefined
      ? []
      : [
          ...vm.spec.cdroms.flatMap(({ imageRef }) => (imageRef ? [besides(vm, imageRef.name)] : [])),
          ...vm.spec.disks.flatMap((disk) => [
            ...(disk.template?.imageRef ? [besides(vm, disk.template.imageRef.name)] : []),
            ...imagesOfDisk(disks.store.get(besides(vm, diskNameOf(vm.metadata.name, disk)))),
          ]),
        ];
  disks.store.subscribe(({ old, new: now }) => {
    const made = (disk: VirtualDisk | undefined): boolean => disk?.status?.volume !== undefined;
    if (statusEqual(shapeOf(old), shapeOf(now)) && made(old) === made(now)) return;
    for (const key of new Set([old, now].flatMap(imagesOfDisk))) enqueue(key);
  });
  machines.store.subscribe(({ old, new: now }) => {
    if (statusEqual(shapeOf(old), shapeOf(now))) return;
    for (const key of new Set([old, now].flatMap(imagesOfMachine))) enqueue(key);
  });
};

const followPlaces = ({ context }: ControllerDeps, enqueue: Enqueue): void => {
  const { images, storagePools, hosts, namespaces } = context.kinds;
  const wake = (index: string, value: string): void => {
    for (const image of images.store.byIndex(index, value)) enqueue(keyOf(image));
  };
  const wakePool = (hostPool: string): void => {
    for (const pool of storagePools.store.byIndex('hostPool', hostPool))
      wake('storagePool', pool.metadata.name);
  };
  storagePools.store.subscribe(({ key, old, new: now }) => {
    // Free space changes all the time; only readiness and the spec matter here.
    const ready = (pool: typeof now): unknown => pool?.status?.hosts?.map((host) => [host.name, host.ready]);
    if (isNews(old, now) || !statusEqual(ready(old), ready(now))) wake('storagePool', key);
  });
  hosts.store.subscribe(({ old, new: now }) => {
    const pool = (now ?? old)?.spec.hostPoolRef.name;
    if (pool !== undefined && old?.spec.declaredDown?.reason !== now?.spec.declaredDown?.reason)
      wakePool(pool);
  });
  namespaces.store.subscribe(({ key, old, new: now }) => {
    if (!statusEqual(old?.metadata.labels, now?.metadata.labels)) wake('namespace', key);
  });
  context.fleet.subscribe((pool, change) => {
    if (change.kind === 'host' || change.kind === 'resync') wakePool(pool);
  });
};

const followImages = ({ context, log }: ControllerDeps, imports: ImportRoom, enqueue: Enqueue): void => {
  context.kinds.images.store.subscribe(({ key, old, new: now }) => {
    // Somebody removed the finalizer by hand: nobody is left to fetch it for.
    if (old !== undefined && old.metadata.uid !== now?.metadata.uid) {
      imports.cancel(old.metadata.uid).catch((err: unknown) => log.error({ err }, 'import not cancelled'));
    }
    const lost = old?.status?.conditions !== undefined && now?.status?.conditions === undefined;
    if (now !== undefined && (isNews(old, now) || lost)) {
      enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
    }
  });
};

export const createImageController = (deps: ControllerDeps, config: ImageConfig): ImageController => {
  const { context, events, log, random } = deps;
  const imports = createImportRoom({
    perHostLimit: config.perHostLimit,
    totalLimit: config.totalLimit,
    clock: context.clock,
    random,
    log,
    onChange: (uid) => {
      for (const image of context.kinds.images.store.byIndex('uid', uid)) controller.enqueue(keyOf(image));
    },
  });
  const working: TakeDeps = { context, imports, config };
  const controller: Controller<string> = createKindController<
    ImageWorld,
    ImageSight,
    ImageStep,
    VirtualMachineImageStatus
  >(deps, 'virtualmachineimage', {
    gather: (key) => gather(working, key),
    see: (world, signal) => see(context, world, signal),
    plan: (world, seen) => decide(world, seen).plan,
    take: (world, seen, step, signal) => take(working, world, seen, step, signal),
    statusOf: (world, seen, _plan, fault, nowMs) => fit(statusOf(world, seen, fault, nowMs)),
    current: ({ image }) => image.status,
    write: ({ image }, status, signal) => writeStatus(context.kinds.images.resource, image, status, signal),
    observe: ({ world, before, after }) => {
      if (after === undefined) return;
      for (const happening of standingEvents(before?.conditions, after.conditions)) {
        events.emit(referenceTo(world.image), happening);
      }
    },
  });
  const enqueue: Enqueue = (key, priority) => controller.enqueue(key, priority);
  followImages(deps, imports, enqueue);
  followUsers(deps, enqueue);
  followPlaces(deps, enqueue);
  return { controller, jobs: imports.jobs };
};
