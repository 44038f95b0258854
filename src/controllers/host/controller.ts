/** Wires the pass of one Host to its queue and to everything whose change matters to it. */
import { fitTo } from '../../api/fit.ts';
import { type Host, type HostStatus, host } from '../../api/host.ts';
import { hostObjectName } from '../../api/identity.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { Controller } from '../../runtime/controller.ts';
import { Fault } from '../../runtime/fault.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { createKindController } from '../kind-controller.ts';
import { isNews, referenceTo, writeStatus } from '../object-writes.ts';
import { standingEvents } from '../standing.ts';
import type { Allocations } from '../virtual-machine/allocations.ts';
import { gather } from './gather.ts';
import { plan } from './plan.ts';
import { statusOf } from './status.ts';
import { take } from './take.ts';
import { type HostSight, type HostStep, type HostWorld, isLeaving } from './world.ts';

const fit = fitTo(host.status);

/** What is promised on a host is told this late, so that a burst of machines costs one write. */
const totalsMs = 30_000;

export interface HostController {
  readonly controller: Controller<string>;
}

type Enqueue = Controller<string>['enqueue'];

const promisedOf = (vm: VirtualMachine | undefined): string =>
  `${vm?.status?.host}/${vm?.status?.resources?.cpus}/${vm?.status?.resources?.memory}`;

const followMachines = ({ context: { kinds } }: ControllerDeps, enqueue: Enqueue): void => {
  /** A host that waits to be let go of is looked at at once. */
  const wake = (name: string | undefined): void => {
    const host = name === undefined ? undefined : kinds.hosts.store.get(name);
    if (host === undefined || name === undefined) return;
    const leaving =
      host.metadata.deletionTimestamp !== undefined ||
      host.status?.conditions?.some(({ type, reason }) => type === 'Schedulable' && reason === 'Leaving');
    enqueue(name, priorities.mapped, leaving === true ? 0 : totalsMs);
  };
  kinds.machines.store.subscribe(({ old, new: now }) => {
    if (promisedOf(old) === promisedOf(now)) return;
    wake(old?.status?.host);
    wake(now?.status?.host);
  });
  kinds.disks.store.subscribe(({ old, new: now }) => {
    if (old?.status?.host !== now?.status?.host) wake(old?.status?.host);
  });
};

const follow = (deps: ControllerDeps, enqueue: Enqueue): void => {
  const { kinds, fleet } = deps.context;
  const hosts = kinds.hosts.store;
  const alike = (uuid: string | undefined): readonly Host[] =>
    uuid === undefined ? [] : hosts.byIndex('hostUuid', uuid);
  hosts.subscribe(({ key, old, new: now }) => {
    if (isNews(old, now)) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
    const moved = old?.status?.hostUuid !== now?.status?.hostUuid;
    const down = old?.spec.declaredDown?.reason !== now?.spec.declaredDown?.reason;
    if (!moved && !down) return;
    for (const { metadata } of [...alike(old?.status?.hostUuid), ...alike(now?.status?.hostUuid)]) {
      if (metadata.name !== key) enqueue(metadata.name);
    }
  });
  kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
    if (!isNews(old, now)) return;
    for (const { metadata } of hosts.byIndex('hostPool', key)) enqueue(metadata.name);
  });
  followMachines(deps, enqueue);
  fleet.subscribe((pool, change) => {
    if (change.kind === 'host' || change.kind === 'resync') enqueue(hostObjectName(pool, change.host));
  });
};

/** Until the host was tried once nothing can be told: a start of the operator writes no status. */
const see = async (world: HostWorld): Promise<HostSight> => {
  const { host, pool, seen } = world;
  const known = seen !== undefined || host.spec.declaredDown !== undefined;
  const going = host.metadata.deletionTimestamp !== undefined || isLeaving(world);
  if (pool !== undefined && !known && !going) {
    throw new Fault('busy', `Host ${host.metadata.name} is being connected.`, { reason: 'Connecting' });
  }
  return { claim: undefined };
};

export const createHostController = (
  deps: ControllerDeps,
  { allocations }: { readonly allocations: Pick<Allocations, 'usage'> },
): HostController => {
  const { context, events } = deps;
  const { resource } = context.kinds.hosts;
  const controller: Controller<string> = createKindController<HostWorld, HostSight, HostStep, HostStatus>(
    deps,
    'host',
    {
      gather: (key) => gather({ context, allocations }, key),
      see,
      plan,
      take: (world, _sight, step, signal) => take(context, world, step, signal),
      statusOf: (world, sight, _plan, fault, nowMs) => fit(statusOf(world, sight, fault, nowMs)),
      current: ({ host }) => host.status,
      write: ({ host }, status, signal) => writeStatus(resource, host, status, signal),
      observe: ({ world, before, after }) => {
        for (const happening of standingEvents(before?.conditions, after?.conditions)) {
          events.emit(referenceTo(world.host), happening);
        }
      },
    },
    // Names of cluster-scoped objects have no namespace: each is a group of its own.
    (key) => key,
  );
  follow(deps, (...args) => controller.enqueue(...args));
  return { controller };
};
