/** Wires the pass of one VirtualNetwork to its queue and to the hosts of its backends. */
import { fitTo } from '../../api/fit.ts';
import { type VirtualNetworkStatus, virtualNetwork } from '../../api/virtual-network.ts';
import type { Controller } from '../../runtime/controller.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { createKindController } from '../kind-controller.ts';
import { isNews, referenceTo, writeStatus } from '../object-writes.ts';
import { siteKey } from '../sites.ts';
import { standingEvents } from '../standing.ts';
import { gather } from './gather.ts';
import { plan } from './plan.ts';
import { see } from './see.ts';
import { statusOf } from './status.ts';
import { take } from './take.ts';
import type { NetworkSight, NetworkStepOfPass, NetworkWorld } from './world.ts';

const fit = fitTo(virtualNetwork.status);

export interface NetworkController {
  readonly controller: Controller<string>;
}

const follow = (
  { context: { kinds, fleet } }: ControllerDeps,
  enqueue: Controller<string>['enqueue'],
): void => {
  const networks = kinds.networks.store;
  const wake = (hostPool: string): void => {
    const shown = networks
      .list()
      .filter(({ status }) => status?.hosts?.some(({ name }) => name.startsWith(`${hostPool}.`)));
    const names = [...networks.byIndex('hostPool', hostPool), ...shown].map(({ metadata }) => metadata.name);
    for (const name of new Set(names)) enqueue(name);
  };
  networks.subscribe(({ key, old, new: now }) => {
    if (isNews(old, now)) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
  });
  kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
    if (old === undefined || now === undefined) wake(key);
  });
  kinds.hosts.store.subscribe(({ old, new: now }) => {
    const pool = (now ?? old)?.spec.hostPoolRef.name;
    if (pool !== undefined && siteKey(old) !== siteKey(now)) wake(pool);
  });
  // Only a network that waits for its machines to go cares for them.
  kinds.machines.store.subscribe(({ old, new: now }) => {
    const kept = new Set(now?.spec.networks.map(({ networkRef }) => networkRef.name));
    for (const { networkRef } of old?.spec.networks ?? []) {
      const network = networks.get(networkRef.name);
      const retired = network?.status?.hosts?.some(
        ({ ready, reason }) => !ready && reason === 'NetworkNotInPool',
      );
      const waits = network?.metadata.deletionTimestamp !== undefined || retired === true;
      const left = !kept.has(networkRef.name) || old?.status?.host !== now?.status?.host;
      if (waits && left) enqueue(networkRef.name);
    }
  });
  fleet.subscribe((hostPool, change) => {
    if (change.kind === 'host' || change.kind === 'resync' || change.kind === 'network') wake(hostPool);
  });
};

export const createNetworkController = (deps: ControllerDeps): NetworkController => {
  const { context, events } = deps;
  const { resource } = context.kinds.networks;
  const controller: Controller<string> = createKindController<
    NetworkWorld,
    NetworkSight,
    NetworkStepOfPass,
    VirtualNetworkStatus
  >(
    deps,
    'virtualnetwork',
    {
      gather: (key) => gather(context, key),
      see: (world, signal) => see(context, world, signal),
      plan,
      take: (world, sight, step, signal) => take(context, world, sight, step, signal),
      statusOf: (world, sight, _plan, fault, nowMs) => fit(statusOf(world, sight, fault, nowMs)),
      current: ({ network }) => network.status,
      write: ({ network }, status, signal) => writeStatus(resource, network, status, signal),
      observe: ({ world, before, after }) => {
        for (const happening of standingEvents(before?.conditions, after?.conditions)) {
          events.emit(referenceTo(world.network), happening);
        }
      },
    },
    // Names of cluster-scoped objects have no namespace: each is a group of its own.
    (key) => key,
  );
  follow(deps, (...args) => controller.enqueue(...args));
  return { controller };
};
