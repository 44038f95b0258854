/** Wires the pass of one HostPool to its queue and to its hosts. */
import { fitTo } from '../../api/fit.ts';
import type { Host } from '../../api/host.ts';
import { type HostPoolStatus, hostPool } from '../../api/host-pool.ts';
import type { Controller } from '../../runtime/controller.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { createKindController } from '../kind-controller.ts';
import { isNews, referenceTo, writeStatus } from '../object-writes.ts';
import { standingEvents } from '../standing.ts';
import { gather } from './gather.ts';
import { plan } from './plan.ts';
import { isReady, statusOf } from './status.ts';
import { take } from './take.ts';
import type { HostPoolStep, HostPoolWorld } from './world.ts';

const fit = fitTo(hostPool.status);

/** Totals are told this late, so that many hosts cost one write. */
const totalsMs = 30_000;

export interface HostPoolController {
  readonly controller: Controller<string>;
}

const follow = ({ context: { kinds } }: ControllerDeps, enqueue: Controller<string>['enqueue']): void => {
  kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
    if (isNews(old, now)) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
  });
  const readiness = (host: Host | undefined): string =>
    JSON.stringify([
      host?.status?.capacity,
      host !== undefined && isReady(host),
      host?.status?.conditions?.length === undefined,
    ]);
  kinds.hosts.store.subscribe(({ old, new: now }) => {
    const pool = (now ?? old)?.spec.hostPoolRef.name;
    if (pool === undefined) return;
    const atOnce = isNews(old, now) || readiness(old) !== readiness(now);
    enqueue(pool, priorities.mapped, atOnce ? 0 : totalsMs);
  });
  kinds.machines.store.subscribe(({ old, new: now }) => {
    const pool = old?.spec.hostPoolRef.name;
    if (pool === undefined || (now !== undefined && now.spec.hostPoolRef.name === pool)) return;
    if (kinds.hostPools.store.get(pool)?.metadata.deletionTimestamp !== undefined) enqueue(pool);
  });
};

export const createHostPoolController = (deps: ControllerDeps): HostPoolController => {
  const { context, events } = deps;
  const { resource } = context.kinds.hostPools;
  const controller: Controller<string> = createKindController<
    HostPoolWorld,
    undefined,
    HostPoolStep,
    HostPoolStatus
  >(
    deps,
    'hostpool',
    {
      gather: (key) => gather(context, key),
      see: async () => undefined,
      plan,
      take: (world, _seen, step, signal) => take(context, world, step, signal),
      statusOf: (world, _seen, _plan, fault, nowMs) => fit(statusOf(world, fault, nowMs)),
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
  follow(deps, (...args) => controller.enqueue(...args));
  return { controller };
};
