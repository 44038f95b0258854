/** The world of one machine, from stores alone: 0 API calls, 0 host calls. */

import type { Host } from '../../api/host.ts';
import type { HostPool } from '../../api/host-pool.ts';
import { domainName, PAUSED_ANNOTATION, vmUuid } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import { vcpusOf } from '../../api/resources.ts';
import type { MachineNetwork, VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualNetwork } from '../../api/virtual-network.ts';
import type { NicBackend, NicModel, NicShape } from '../../drivers/hypervisor/shape.ts';
import type { ControllerContext } from '../context.ts';
import { macKey, macOf } from '../indexes.ts';
import { mayUse } from '../may-use.ts';
import { networkIdentityOf } from '../places.ts';
import type { Allocations } from './allocations.ts';
import { gatherCdrom, gatherDisk, ownedDisks } from './gather-disks.ts';
import type { Ledger } from './ledger.ts';
import type { HostCandidate } from './placement.ts';
import {
  type HostWorld,
  type Lack,
  lack,
  type NicWorld,
  ok,
  type Resolved,
  type Resources,
  type VmWorld,
} from './world.ts';

export interface GatherDeps {
  readonly context: ControllerContext;
  readonly allocations: Allocations;
  readonly ledger: Ledger;
}

const MiB = 1_048_576;

const poolNotFound = (name: string): Lack => ({
  condition: 'Placed',
  reason: 'HostPoolNotFound',
  message: `HostPool ${name} does not exist, or this namespace may not use it.`,
});

/** Whether it is placed already is for its hosts to say: a status may have been written by somebody else. */
const forbiddenOf = ({ context }: GatherDeps, vm: VirtualMachine): Lack | undefined => {
  const { name } = vm.spec.hostPoolRef;
  const pool = context.kinds.hostPools.store.get(name);
  return pool === undefined || mayUse(context, vm.metadata.namespace, pool.spec.allowedNamespaces)
    ? undefined
    : poolNotFound(name);
};

const poolOf = ({ context }: GatherDeps, vm: VirtualMachine): Resolved<string> => {
  const { name } = vm.spec.hostPoolRef;
  if (context.kinds.hostPools.store.get(name) === undefined)
    return { kind: 'lack', lack: poolNotFound(name) };
  return context.fleet.session(name) === undefined
    ? lack('Placed', 'NoHostsReady', `HostPool ${name} is not connected yet.`)
    : ok(name);
};

const resourcesOf = ({ context }: GatherDeps, vm: VirtualMachine): Resolved<Resources> => {
  const { sizeRef, cpu, memory } = vm.spec;
  if (sizeRef === undefined) {
    if (cpu === undefined || memory === undefined)
      return lack('Ready', 'Invalid', 'Give sizeRef, or cpu and memory.');
    const shape = {
      sockets: cpu.sockets ?? 1,
      cores: cpu.cores,
      threads: cpu.threads ?? 1,
      model: cpu.model,
    };
    return ok({ cpu: shape, cpus: vcpusOf(cpu), memoryMiB: Math.ceil(bytesOf(memory) / MiB) });
  }
  const size = context.kinds.sizes.store.get(sizeRef.name);
  if (size === undefined)
    return lack('Ready', 'SizeNotFound', `VirtualMachineSize ${sizeRef.name} does not exist.`);
  const { cpu: topology } = size.spec;
  return ok({
    cpu: { sockets: topology.sockets ?? 1, cores: topology.cores, threads: topology.threads ?? 1 },
    cpus: vcpusOf(topology),
    memoryMiB: Math.ceil(bytesOf(size.spec.memory) / MiB),
    size: { name: sizeRef.name, uid: size.metadata.uid },
  });
};

const backendOf = (
  context: ControllerContext,
  vm: VirtualMachine,
  network: VirtualNetwork,
): NicBackend | undefined => {
  const backend = network.spec.backends.find((it) => it.hostPoolRef.name === vm.spec.hostPoolRef.name);
  if (backend === undefined) return undefined;
  return backend.type === 'Bridge'
    ? { kind: 'bridge', bridge: backend.bridge.name, vlan: backend.bridge.vlan }
    : { kind: 'network', network: networkIdentityOf(context.clusterId, network).networkName };
};

const modelOf = (vm: VirtualMachine, nic: MachineNetwork): NicModel => {
  const recorded = vm.status?.networks?.find(({ name }) => name === nic.name)?.model;
  return nic.model ?? (recorded === 'E1000e' ? 'E1000e' : 'Virtio');
};

const networkNotFound = (name: string): Lack => ({
  condition: 'NetworkReady',
  reason: 'NetworkNotFound',
  message: `VirtualNetwork ${name} does not exist, or this namespace may not use it.`,
});

/** A derived address comes before one that somebody chose, then the older machine. */
const precedes = (a: VirtualMachine, b: VirtualMachine, key: string): boolean => {
  const rank = (vm: VirtualMachine): string => {
    const derived = vm.spec.networks.some(
      (nic) => nic.macAddress === undefined && macKey(nic.networkRef.name, macOf(vm, nic)) === key,
    );
    return JSON.stringify([derived ? 0 : 1, vm.metadata.creationTimestamp, vm.metadata.uid]);
  };
  return rank(a) < rank(b);
};

/** Two cards with one address on one network would take each other's traffic (reliability.md S21). */
const isMacTaken = (
  { context }: GatherDeps,
  vm: VirtualMachine,
  nic: MachineNetwork,
  mac: string,
): boolean => {
  if (vm.spec.networks.find((it) => macOf(vm, it) === mac)?.name !== nic.name) return true;
  const key = macKey(nic.networkRef.name, mac);
  return context.kinds.machines.store
    .byIndex('mac', key)
    .some(
      (other) =>
        other.metadata.uid !== vm.metadata.uid &&
        (other.status?.networks?.some((it) => it.mac === mac) === true || precedes(other, vm, key)),
    );
};

const reservedOf = (
  deps: GatherDeps,
  vm: VirtualMachine,
  nic: MachineNetwork,
  mac: string,
): Lack | undefined => {
  const { name } = nic.networkRef;
  const network = deps.context.kinds.networks.store.get(name);
  if (network === undefined) return undefined;
  if (!mayUse(deps.context, vm.metadata.namespace, network.spec.allowedNamespaces))
    return networkNotFound(name);
  const message = `The MAC address ${mac} of card ${nic.name} is in use on VirtualNetwork ${name}.`;
  return isMacTaken(deps, vm, nic, mac)
    ? { condition: 'NetworkReady', reason: 'MacAddressTaken', message }
    : undefined;
};

const nicShape = (
  { context }: GatherDeps,
  vm: VirtualMachine,
  nic: MachineNetwork,
  mac: string,
): Resolved<NicShape> => {
  const { name } = nic.networkRef;
  const network = context.kinds.networks.store.get(name);
  if (network === undefined) return { kind: 'lack', lack: networkNotFound(name) };
  const backend = backendOf(context, vm, network);
  if (backend === undefined) {
    return lack(
      'NetworkReady',
      'NetworkNotInPool',
      `VirtualNetwork ${name} has no backend for HostPool ${vm.spec.hostPoolRef.name}.`,
    );
  }
  const { mac: guardMac, ip } = network.spec.antiSpoofing;
  const ips = (nic.addresses ?? []).map((address) => address.replace(/\/.*$/, ''));
  return ok({
    name: nic.name,
    mac,
    model: modelOf(vm, nic),
    link: nic.linkState,
    backend,
    guard: { mac: guardMac, ip, ips },
    bootOrder: nic.bootOrder,
  });
};

const gatherNic = (deps: GatherDeps, vm: VirtualMachine, nic: MachineNetwork): NicWorld => {
  const mac = macOf(vm, nic);
  return {
    name: nic.name,
    network: nic.networkRef.name,
    mac,
    shape: nicShape(deps, vm, nic, mac),
    reserved: reservedOf(deps, vm, nic, mac),
  };
};

const closedBecause = (host: Host): string | undefined => {
  if (host.spec.declaredDown !== undefined)
    return `the host was declared gone: ${host.spec.declaredDown.reason}`;
  if (host.spec.unschedulable) return 'the administrator set unschedulable';
  if (host.metadata.deletionTimestamp !== undefined) return 'the host is being removed from its pool';
  const told = host.status?.conditions?.find(({ type }) => type === 'Schedulable');
  // Whose it is has to be known first: it may be listed in another pool as well, or belong to another installation.
  if (told === undefined) return 'the host has not been looked at yet';
  return told.status === 'True' ? undefined : told.message;
};

/** Objects that are ready on a host, by name: the status of pools and networks names Host objects. */
const readyOn = (
  host: string,
  objects: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: {
      readonly hosts?: readonly { readonly name: string; readonly ready: boolean }[] | undefined;
    };
  }[],
): ReadonlySet<string> =>
  new Set(
    objects
      .filter(({ status }) => status?.hosts?.some((it) => it.name === host && it.ready) ?? false)
      .map(({ metadata }) => metadata.name),
  );

/** Capacity after overcommit against what is promised, and what is ready there. */
export const candidateOf = (
  { context, allocations }: GatherDeps,
  pool: HostPool,
  host: Host,
): HostCandidate => {
  const { name } = host.metadata;
  const seen = context.fleet.session(pool.metadata.name)?.hosts().get(host.spec.hostName);
  const facts = seen?.facts;
  const usage = allocations.usage(name);
  const closed = closedBecause(host);
  return {
    host: name,
    reachable: seen?.kind === 'reachable',
    schedulable: closed === undefined,
    closedBecause: closed,
    capabilities: facts?.capabilities ?? [],
    attachmentKinds: facts?.attachmentKinds ?? [],
    cpus: Math.floor(((facts?.cpus ?? 0) * pool.spec.overcommit.cpuPercent) / 100),
    memoryMiB: Math.floor(((facts?.memoryMiB ?? 0) * pool.spec.overcommit.memoryPercent) / 100),
    allocatedCpus: usage.cpus,
    allocatedMemoryMiB: usage.memoryMiB,
    storagePools: readyOn(name, context.kinds.storagePools.store.byIndex('hostPool', pool.metadata.name)),
    networks: readyOn(name, context.kinds.networks.store.byIndex('hostPool', pool.metadata.name)),
  };
};

export const gatherHosts = (deps: GatherDeps, vm: VirtualMachine): readonly HostWorld[] => {
  const pool = deps.context.kinds.hostPools.store.get(vm.spec.hostPoolRef.name);
  if (pool === undefined) return [];
  return deps.context.kinds.hosts.store.byIndex('hostPool', pool.metadata.name).map((host) => ({
    name: host.metadata.name,
    id: host.spec.hostName,
    declaredDown: host.spec.declaredDown?.reason,
    candidate: candidateOf(deps, pool, host),
  }));
};

export const gather = (deps: GatherDeps, key: string): VmWorld | undefined => {
  const { context, ledger } = deps;
  const vm = context.kinds.machines.store.get(key);
  if (vm === undefined) return undefined;
  const { uid, namespace, name } = vm.metadata;
  const { clusterId } = context;
  return {
    clusterId,
    vm,
    identity: {
      clusterId,
      uid,
      uuid: vmUuid(clusterId, uid),
      namespace,
      name,
      domainName: domainName(namespace, name, uid),
    },
    pausedBy: vm.metadata.annotations?.[PAUSED_ANNOTATION],
    pool: poolOf(deps, vm),
    forbidden: forbiddenOf(deps, vm),
    resources: resourcesOf(deps, vm),
    disks: vm.spec.disks.map((disk) => gatherDisk(context, vm, disk)),
    nics: vm.spec.networks.map((nic) => gatherNic(deps, vm, nic)),
    cdroms: vm.spec.cdroms.map((cdrom) => gatherCdrom(context, vm, cdrom)),
    hosts: gatherHosts(deps, vm),
    ownedDisks: ownedDisks(context, vm),
    asked: ledger.asked(uid),
    relapses: ledger.relapses(uid),
    fresh: ledger.isFresh(uid),
    monotonicMs: context.clock.monotonicMs(),
  };
};
