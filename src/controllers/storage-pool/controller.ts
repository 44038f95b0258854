/** Wires the pass of one StoragePool to its queue, to its hosts and to the audit. */
import { fitTo } from '../../api/fit.ts';
import { type StoragePoolStatus, storagePool } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { Controller } from '../../runtime/controller.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import type { FleetControl } from '../fleet.ts';
import { poolByUid } from '../home-pool.ts';
import { diskIndexes } from '../indexes.ts';
import { createKindController } from '../kind-controller.ts';
import { isNews, referenceTo, writeStatus } from '../object-writes.ts';
import { siteKey } from '../sites.ts';
import { standingEvents } from '../standing.ts';
import type { StorageFleetControl } from '../storage-fleet.ts';
import { isAuditDue } from './audit.ts';
import { gather } from './gather.ts';
import { plan } from './plan.ts';
import { see } from './see.ts';
import { statusOf } from './status.ts';
import { take } from './take.ts';
import type { StoragePoolStep, StoragePoolWorld, StorageSight } from './world.ts';

const fit = fitTo(storagePool.status);

/** Counts and free space are told this late, so that a burst of disks costs one write. */
const totalsMs = 30_000;
/** Looking at a place makes libvirt read its folder, which is an event by itself: only later ones are news. */
const echoMs = totalsMs + 5_000;

export interface StoragePoolController {
  readonly controller: Controller<string>;
}

type Enqueue = Controller<string>['enqueue'];

/** A count changed; one that a deletion waits for matters at once. */
const followContents = ({ context: { kinds } }: ControllerDeps, enqueue: Enqueue): void => {
  const wake = (name: string): void => {
    const pool = kinds.storagePools.store.get(name);
    if (pool === undefined) return;
    enqueue(name, priorities.mapped, pool.metadata.deletionTimestamp === undefined ? totalsMs : 0);
  };
  for (const kind of [kinds.disks, kinds.images]) {
    kind.store.subscribe(({ old, new: now }) => {
      const [was, is] = [old?.spec.storagePoolRef.name, now?.spec.storagePoolRef.name];
      if (was === is) return;
      if (was !== undefined) wake(was);
      if (is !== undefined) wake(is);
    });
  }
  // One that moved has left its old pool when its status says so.
  const poolsOf = (disk: VirtualDisk | undefined): readonly string[] =>
    disk === undefined ? [] : diskIndexes.poolUid(disk);
  kinds.disks.store.subscribe(({ old, new: now }) => {
    const [was, is] = [poolsOf(old), poolsOf(now)];
    for (const uid of was.filter((it) => !is.includes(it))) {
      const pool = poolByUid(kinds, uid);
      if (pool !== undefined) wake(pool.metadata.name);
    }
  });
};

const follow = (
  deps: ControllerDeps,
  fleet: Pick<FleetControl, 'subscribe' | 'onAudit'>,
  servers: Pick<StorageFleetControl, 'subscribe'>,
  enqueue: Enqueue,
  looked: ReadonlyMap<string, number>,
): void => {
  const { kinds, clock } = deps.context;
  const pools = kinds.storagePools.store;
  const namesOf = (hostPool: string): readonly string[] => {
    const wanted = pools.byIndex('hostPool', hostPool).map(({ metadata }) => metadata.name);
    const shown = pools
      .list()
      .filter(({ status }) => status?.hosts?.some(({ name }) => name.startsWith(`${hostPool}.`)));
    return [...new Set([...wanted, ...shown.map(({ metadata }) => metadata.name)])];
  };
  const wake = (hostPool: string, afterMs = 0): void => {
    for (const name of namesOf(hostPool)) enqueue(name, priorities.mapped, afterMs);
  };
  pools.subscribe(({ key, old, new: now }) => {
    if (isNews(old, now)) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
  });
  kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
    if (old === undefined || now === undefined) wake(key);
  });
  kinds.hosts.store.subscribe(({ old, new: now }) => {
    const pool = (now ?? old)?.spec.hostPoolRef.name;
    if (pool !== undefined && siteKey(old) !== siteKey(now)) wake(pool);
  });
  followContents(deps, enqueue);
  servers.subscribe((name) => enqueue(name, priorities.mapped, 0));
  const sinceLookedMs = (name: string): number =>
    clock.monotonicMs() - (looked.get(name) ?? Number.NEGATIVE_INFINITY);
  fleet.onAudit((hostPool) => {
    for (const name of namesOf(hostPool)) {
      const pool = pools.get(name);
      if (pool !== undefined && isAuditDue(pool, sinceLookedMs(name))) enqueue(name);
    }
  });
  fleet.subscribe((hostPool, change) => {
    if (change.kind === 'host' || change.kind === 'resync') wake(hostPool);
    if (change.kind !== 'storage') return;
    for (const name of namesOf(hostPool)) {
      if (sinceLookedMs(name) > echoMs) enqueue(name, priorities.mapped, totalsMs);
    }
  });
};

export const createStoragePoolController = (
  deps: ControllerDeps,
  fleet: Pick<FleetControl, 'subscribe' | 'onAudit'>,
  servers: Pick<StorageFleetControl, 'subscribe'>,
): StoragePoolController => {
  const { context, events } = deps;
  const { resource } = context.kinds.storagePools;
  const looked = new Map<string, number>();
  const controller: Controller<string> = createKindController<
    StoragePoolWorld,
    StorageSight,
    StoragePoolStep,
    StoragePoolStatus
  >(
    deps,
    'storagepool',
    {
      gather: (key) => {
        const world = gather(context, key);
        if (world === undefined) looked.delete(key);
        return world;
      },
      see: async (world, signal) => {
        const sight = await see(context, world, signal);
        looked.set(world.pool.metadata.name, context.clock.monotonicMs());
        return sight;
      },
      plan,
      take: (world, sight, step, signal) => take(context, world, sight, step, signal),
      statusOf: (world, sight, _plan, fault, nowMs) => fit(statusOf(world, sight, fault, nowMs)),
      current: ({ pool }) => pool.status,
      write: ({ pool }, status, signal) => writeStatus(resource, pool, status, signal),
      observe: ({ world, before, after }) => {
        for (const happening of standingEvents(before?.conditions, after?.conditions)) {
          events.emit(referenceTo(world.pool), happening);
        }
      },
    },
    // Names of cluster-scoped objects have no namespace: each is a group of its own.
    (key) => key,
  );
  follow(deps, fleet, servers, (...args) => controller.enqueue(...args), looked);
  return { controller };
};
