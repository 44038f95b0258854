/** Wires the pass of one machine to its queue and to everything whose change matters to it. */

import { fitTo } from '../../api/fit.ts';
import type { Host } from '../../api/host.ts';
import { type VirtualMachineStatus, virtualMachine } from '../../api/virtual-machine.ts';
import type { Controller } from '../../runtime/controller.ts';
import { statusEqual } from '../../runtime/equal.ts';
import type { PassReport } from '../../runtime/pass.ts';
import { priorities } from '../../runtime/queue.ts';
import type { ControllerDeps } from '../controller-deps.ts';
import { createKindController } from '../kind-controller.ts';
import { referenceTo, writeStatus } from '../object-writes.ts';
import { type Allocations, createAllocations } from './allocations.ts';
import { decide } from './decide.ts';
import type { MachineStep } from './decision.ts';
import { eventsOf } from './events.ts';
import { type GatherDeps, gather } from './gather.ts';
import { createLedger } from './ledger.ts';
import { see } from './see.ts';
import { statusOf } from './status.ts';
import { take } from './take.ts';
import type { VmSight, VmWorld } from './world.ts';

const fit = fitTo(virtualMachine.status);

export type MachineReport = PassReport<VmWorld, VmSight, MachineStep, VirtualMachineStatus>;

export interface MachineController {
  readonly controller: Controller<string>;
  readonly allocations: Allocations;
}

/** What of a host decides over machines. */
const placementView = (host: Host | undefined): unknown =>
  host && [
    host.spec,
    host.metadata.deletionTimestamp,
    host.status?.conditions?.find(({ type }) => type === 'Schedulable')?.status,
  ];

/** Readiness per host, and the spec: free space and counts change all the time. */
const readinessView = (
  object:
    | {
        readonly metadata: { readonly generation: number; readonly deletionTimestamp?: string };
        readonly status?: { readonly hosts?: readonly { readonly name: string; readonly ready: boolean }[] };
      }
    | undefined,
): unknown =>
  object && [object.metadata.generation, object.status?.hosts?.map((host) => [host.name, host.ready])];

/** Machines whose lot depends on another object are looked at when it changes. */
const follow = ({ context }: ControllerDeps, enqueue: (key: string, priority?: number) => void): void => {
  const { kinds } = context;
  const machines = kinds.machines.store;
  const wake = (index: string, value: string): void => {
    for (const vm of machines.byIndex(index, value)) enqueue(`${vm.metadata.namespace}/${vm.metadata.name}`);
  };
  machines.subscribe(({ key, old, new: now }) => {
    // What it was promised is free for those that wait for room.
    if (now === undefined && old?.status?.host !== undefined) wake('unplaced', old.spec.hostPoolRef.name);
    if (now === undefined) return;
    // Our own status writes change neither generation nor metadata that matters: nothing new to do.
    const same =
      old !== undefined &&
      old.metadata.uid === now.metadata.uid &&
      old.metadata.generation === now.metadata.generation &&
      old.metadata.deletionTimestamp === now.metadata.deletionTimestamp &&
      JSON.stringify([old.metadata.annotations, old.metadata.finalizers, old.metadata.labels]) ===
        JSON.stringify([now.metadata.annotations, now.metadata.finalizers, now.metadata.labels]) &&
      now.status?.observedGeneration === old.status?.observedGeneration &&
      now.status?.host === old.status?.host;
    if (!same) enqueue(key, old === undefined ? priorities.resync : priorities.userChange);
  });
  kinds.disks.store.subscribe(({ key }) => wake('disk', key));
  kinds.images.store.subscribe(({ key }) => wake('image', key));
  kinds.storagePools.store.subscribe(({ key, old, new: now }) => {
    const same = statusEqual(readinessView(old), readinessView(now));
    if (!same) wake('storagePool', key);
    // Disks that machines only name are in the pool too, and another secret is another way to each of them.
    if (same && old?.status?.login?.version === now?.status?.login?.version) return;
    const { uid = '' } = (now ?? old)?.metadata ?? {};
    for (const { metadata } of kinds.disks.store.byIndex('poolUid', uid))
      wake('disk', `${metadata.namespace}/${metadata.name}`);
  });
  kinds.networks.store.subscribe(({ key, old, new: now }) => {
    if (!statusEqual(readinessView(old), readinessView(now))) wake('network', key);
  });
  kinds.sizes.store.subscribe(({ key }) => wake('size', key));
  kinds.hostPools.store.subscribe(({ key, old, new: now }) => {
    if (old?.metadata.generation !== now?.metadata.generation) wake('hostPool', key);
  });
  kinds.hosts.store.subscribe(({ old, new: now }) => {
    // Totals and versions change all the time; machines care who may take them and who is gone for good.
    const pool = (now ?? old)?.spec.hostPoolRef.name;
    if (pool !== undefined && !statusEqual(placementView(old), placementView(now))) wake('hostPool', pool);
  });
  context.fleet.subscribe((pool, change) => {
    switch (change.kind) {
      case 'vm':
        wake('uuid', change.uuid);
        break;
      // A host that came, went or lost events: machines on it, and those that look for a host or may be there.
      case 'host':
      case 'resync':
        wake('hostPool', pool);
        break;
      case 'storage':
      case 'network':
        break;
      default:
        change satisfies never;
    }
  });
};

export const createMachineController = (deps: ControllerDeps): MachineController => {
  const { context, events } = deps;
  const allocations = createAllocations(context.kinds.machines.store);
  const gathering: GatherDeps = { context, allocations, ledger: createLedger() };
  const controller: Controller<string> = createKindController<
    VmWorld,
    VmSight,
    MachineStep,
    VirtualMachineStatus
  >(deps, 'virtualmachine', {
    gather: (key) => gather(gathering, key),
    see: (world, signal) => see(context, world, signal),
    plan: (world, seen) => decide(world, seen).plan,
    take: (world, seen, step, signal) => take(gathering, world, seen, step, signal),
    statusOf: (...given) => fit(statusOf(...given)),
    current: ({ vm }) => vm.status,
    write: ({ vm }, status, signal) => writeStatus(context.kinds.machines.resource, vm, status, signal),
    observe: (report) => {
      for (const happening of eventsOf(report)) events.emit(referenceTo(report.world.vm), happening);
    },
  });
  follow(deps, (key, priority) => controller.enqueue(key, priority));
  return { controller, allocations };
};
