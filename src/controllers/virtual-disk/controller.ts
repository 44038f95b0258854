/** Wires the pass of one disk to its queue and to everything whose change matters to it. */
import { fitTo } from '../../api/fit.ts';
import { vmUuid } from '../../api/identity.ts';
import { type VirtualDisk, type VirtualDiskStatus, virtualDisk } from '../../api/virtual-disk.ts';
import type { Controller } from '../../runtime/controller.ts';
import { statusEqual } from '../../runtime/equal.ts';
import { createJobs, type Jobs } from '../../runtime/jobs.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { homePoolOf } from '../home-pool.ts';
import { besides, diskNameOf } from '../indexes.ts';
import { createKindController } from '../kind-controller.ts';
import { referenceTo } from '../object-writes.ts';
import { isFilled } from '../served.ts';
import { standingEvents } from '../standing.ts';
import { decide } from './decide.ts';
import type { DiskStep } from './decision.ts';
import { type GatherDeps, gather } from './gather.ts';
import { createMoveMemory } from './move-memory.ts';
import { see } from './see.ts';
import { statusOf } from './status.ts';
import { take } from './take.ts';
import type { DiskSight, DiskWorld } from './world.ts';
import { writeDiskStatus } from './write-status.ts';

const fit = fitTo(virtualDisk.status);

export interface DiskController {
  readonly controller: Controller<string>;
  /** Copies in progress; closed with the operator. */
  readonly jobs: Jobs<string, void>;
}

type Enqueue = (key: string, priority?: number) => void;

/** A claim that comes or goes is followed by what a storage server has to do for it, or by growing. */
const filledView = ({ status }: VirtualDisk): unknown => [status?.claim, status?.size];

/** What was promised to a disk that is gone is there for those that were told to wait. */
const wakeRefused = (
  { kinds }: ControllerDeps['context'],
  poolName: string | undefined,
  enqueue: Enqueue,
): void => {
  const pool = poolName === undefined ? undefined : kinds.storagePools.store.get(poolName);
  if (pool?.spec.overProvisionPercent === undefined) return;
  for (const { metadata, status } of kinds.disks.store.byIndex('storagePool', pool.metadata.name)) {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.reason === 'OverProvisioned') enqueue(`${metadata.namespace}/${metadata.name}`);
  }
};

const follow = ({ context }: ControllerDeps, enqueue: Enqueue): void => {
  const { kinds } = context;
  const isNoFile = (disk: VirtualDisk): boolean => isFilled(homePoolOf(kinds, disk));
  const wake = (index: string, value: string): void => {
    for (const disk of kinds.disks.store.byIndex(index, value))
      enqueue(`${disk.metadata.namespace}/${disk.metadata.name}`);
  };
  kinds.disks.store.subscribe(({ key, old, new: now }) => {
    const from = (now ?? old)?.spec.source;
    if (from?.type === 'Disk' && (now ?? old) !== undefined)
      enqueue(besides((now ?? old) as NonNullable<typeof now>, from.diskRef.name));
    wake('source', key);
    if (now === undefined) {
      wakeRefused(context, old?.spec.storagePoolRef.name, enqueue);
      return;
    }
    const same =
      old?.metadata.uid === now.metadata.uid &&
      old.metadata.generation === now.metadata.generation &&
      old.metadata.deletionTimestamp === now.metadata.deletionTimestamp &&
      statusEqual(
        [old.metadata.annotations, old.metadata.finalizers],
        [now.metadata.annotations, now.metadata.finalizers],
      ) &&
      old.status?.observedGeneration === now.status?.observedGeneration &&
      (!isNoFile(now) || statusEqual(filledView(old), filledView(now)));
    if (!same) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
  });
  kinds.machines.store.subscribe(({ old, new: now }) => {
    const names = [now, old].flatMap(
      (vm) => vm?.spec.disks.map((disk) => besides(vm, diskNameOf(vm.metadata.name, disk))) ?? [],
    );
    for (const key of new Set(names)) enqueue(key);
    // A disk taken out of the list is let go of later than that: when the status says that it is out.
    for (const uid of new Set([now?.metadata.uid, old?.metadata.uid])) {
      if (uid !== undefined) wake('holder', uid);
    }
  });
  kinds.images.store.subscribe(({ key }) => wake('image', key));
  kinds.storagePools.store.subscribe(({ key, old, new: now }) => {
    // Free space changes all the time; only readiness and the spec matter here.
    const ready = (pool: typeof now): unknown => [
      pool?.status?.hosts?.map((host) => [host.name, host.ready]),
      // Disks on a server that answers again are looked at at once.
      pool?.status?.health?.state,
      pool?.status?.login,
      // Less of it may be promised, or more.
      pool?.spec.overProvisionPercent === undefined ? undefined : pool.status?.capacity,
    ];
    if (old?.metadata.generation !== now?.metadata.generation || !statusEqual(ready(old), ready(now))) {
      wake('storagePool', key);
      wake('poolUid', (now ?? old)?.metadata.uid ?? '');
    }
  });
  kinds.hosts.store.subscribe(({ key, old, new: now }) => {
    if (old?.spec.declaredDown?.reason !== now?.spec.declaredDown?.reason) wake('host', key);
  });
};

/** Claims whose machine is no object any more: it was let go of, and may still run on its host with the disk. */
const ghostClaims = ({ kinds }: ControllerDeps['context']) =>
  kinds.disks.store.list().flatMap(({ metadata, status }) => {
    const uid = status?.claim?.vmUid;
    return uid === undefined || kinds.machines.store.byIndex('uid', uid).length > 0
      ? []
      : [{ key: `${metadata.namespace}/${metadata.name}`, uid }];
  });

/** What befalls a machine that was let go of is told by its host alone. */
const followGhosts = ({ context }: ControllerDeps, enqueue: Enqueue): void => {
  const { kinds, fleet, clusterId } = context;
  fleet.subscribe((_pool, change) => {
    if (change.kind !== 'vm' && change.kind !== 'resync') return;
    const uuid = change.kind === 'vm' ? change.uuid : undefined;
    if (uuid !== undefined && kinds.machines.store.byIndex('uuid', uuid).length > 0) return;
    for (const { key, uid } of ghostClaims(context)) {
      if (uuid === undefined || vmUuid(clusterId, uid) === uuid) enqueue(key);
    }
  });
};

export const createDiskController = (deps: ControllerDeps): DiskController => {
  const { context, events, log } = deps;
  const keysByUid = (uid: string): readonly string[] =>
    context.kinds.disks.store
      .byIndex('uid', uid)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const jobs = createJobs<string, void>({
    perGroupLimit: 2,
    totalLimit: 32,
    clock: context.clock,
    log,
    onChange: (uid) => {
      for (const key of keysByUid(uid)) controller.enqueue(key);
    },
  });
  const gathering: GatherDeps = {
    context,
    jobs,
    lastSeen: new Map(),
    granting: new Set(),
    moves: createMoveMemory(),
  };
  const sights = new WeakMap<DiskWorld, DiskSight>();
  const controller: Controller<string> = createKindController<
    DiskWorld,
    DiskSight,
    DiskStep,
    VirtualDiskStatus
  >(deps, 'virtualdisk', {
    gather: (key) => gather(gathering, key),
    see: (world, signal) => see(gathering, world, signal),
    plan: (world, seen) => decide(world, seen).plan,
    take: (world, seen, step, signal) => take(gathering, world, seen, step, signal),
    statusOf: (world, seen, plan, fault, nowMs) => {
      if (seen !== undefined) sights.set(world, seen);
      return fit(statusOf(world, seen, plan, fault, nowMs));
    },
    current: ({ disk }) => disk.status,
    write: (world, status, signal) => writeDiskStatus(gathering, world, sights.get(world), status, signal),
    observe: ({ world, before, after }) => {
      for (const happening of standingEvents(before?.conditions, after?.conditions)) {
        if (happening.type === 'Warning') events.emit(referenceTo(world.disk), happening);
      }
    },
  });
  context.kinds.disks.store.subscribe(({ old, new: now }) => {
    if (old !== undefined && old.metadata.uid !== now?.metadata.uid)
      gathering.lastSeen.delete(old.metadata.uid);
    if (now === undefined && old !== undefined) gathering.moves.forget(old.metadata.uid);
  });
  follow(deps, (key, priority) => controller.enqueue(key, priority));
  followGhosts(deps, (key) => controller.enqueue(key));
  return { controller, jobs };
};
