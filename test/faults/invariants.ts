/**
 * The invariants of reference/reliability.md B4 as pure functions over all there is: hosts, and objects of the API.
 * Each answers one sentence per violation, so that a sound world answers nothing.
 */
import {
  diskTargetIqn,
  diskVolumeName,
  FINALIZER,
  MOVE_ANNOTATION,
  networkUuid,
  vmUuid,
} from '../../src/api/identity.ts';
import { bytesOf } from '../../src/api/quantity.ts';
import { filesOf } from '../../src/drivers/hypervisor/shape.ts';
import type { SimulatedCall } from '../../src/drivers/hypervisor/simulated/gate.ts';
import { violationsOf } from '../../src/drivers/hypervisor/simulated/invariants.ts';
import type { SimulatedHost, SimulatedMachine } from '../../src/drivers/hypervisor/simulated/state.ts';
import type { FabricTarget } from '../../src/drivers/storage/simulated/fabric.ts';
import type { Thing } from './api.ts';
import { isRest, otherCopies } from './copies.ts';

export interface Facts {
  readonly clusterId: string;
  readonly hosts: readonly SimulatedHost[];
  readonly hostPools: readonly Thing[];
  readonly hostObjects: readonly Thing[];
  readonly storagePools: readonly Thing[];
  readonly networks: readonly Thing[];
  readonly images: readonly Thing[];
  readonly disks: readonly Thing[];
  readonly machines: readonly Thing[];
  /** What storage servers serve, by target. */
  readonly targets: ReadonlyMap<string, FabricTarget>;
}

export type Violation = string;

const nameOf = ({ metadata }: Thing): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** I1, I2; a disk of a storage server is open to one host at most. */
export const oneHostOneWriter = ({ hosts, targets }: Facts): Violation[] => [
  ...violationsOf(hosts).map(({ invariant, message }) => `${invariant}: ${message}`),
  ...[...targets].flatMap(([iqn, { admitted }]) =>
    admitted.size > 1 ? [`I2: ${iqn} lets in ${[...admitted].toSorted().join(' and ')}`] : [],
  ),
];

/** Nobody takes a disk from a machine that runs with it. */
const cutOff = ({ clusterId, hosts }: Facts): Violation[] =>
  hosts.flatMap((host) =>
    [...host.machines.values()]
      .filter((machine) => ours(machine, clusterId) && machine.power.kind === 'paused')
      .filter(({ running }) => running?.disks.some(({ attachment }) => attachment.kind === 'network'))
      .map(({ domainName }) => `I2: ${domainName} on ${host.name} lost a disk while it ran`),
  );

/** Disks on storage servers whose object is gone. */
const strayDisks = ({ disks, targets }: Facts): Violation[] => {
  const known = new Set(disks.map(({ metadata }) => diskTargetIqn(metadata.uid)));
  return [...targets.keys()]
    .filter((iqn) => !known.has(iqn))
    .map((iqn) => `I6: target ${iqn} has no VirtualDisk`);
};

const ours = (machine: SimulatedMachine, clusterId: string): boolean =>
  machine.record?.clusterId === clusterId;

const uidInVolume = (volume: string): string | undefined =>
  /^ovcp-(?:disk|seed|image)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/.exec(volume)?.[1];

const strayMachines = ({ clusterId, hosts, machines }: Facts): Violation[] => {
  const known = new Map(machines.map((vm) => [vmUuid(clusterId, vm.metadata.uid), vm]));
  return hosts.flatMap((host) =>
    [...host.machines.values()]
      .filter((machine) => ours(machine, clusterId) && !known.has(machine.uuid))
      .map(({ domainName }) => `I6: ${domainName} on ${host.name} has no VirtualMachine`),
  );
};

/** Volumes on hosts whose object is gone; an image's stays while a clone stands on it. */
const strayVolumes = ({ hosts, machines, disks, images }: Facts): Violation[] => {
  const known = new Set([...machines, ...disks, ...images].map(({ metadata }) => metadata.uid));
  const backing = new Set(disks.map(({ status }) => text(record(status?.['image'])['uid'])));
  return hosts.flatMap((host) =>
    [...host.directories.values()].flatMap(({ volumes }) =>
      [...volumes.keys()]
        .filter((name) => {
          const uid = uidInVolume(name);
          return uid !== undefined && !known.has(uid) && !backing.has(uid);
        })
        .map((name) => `I6: volume ${name} on ${host.name} has no object`),
    ),
  );
};

const strayNetworks = ({ clusterId, hosts, networks }: Facts): Violation[] => {
  const known = new Set(networks.map(({ metadata }) => networkUuid(clusterId, metadata.uid)));
  return hosts.flatMap((host) =>
    [...host.networks.values()]
      .filter(({ uuid, name }) => name.startsWith('ovcp-') && !known.has(uuid))
      .map(({ name }) => `I6: network ${name} on ${host.name} has no VirtualNetwork`),
  );
};

/** I6, at quiescence. */
export const noOrphans = (facts: Facts): Violation[] => [
  ...strayMachines(facts),
  ...strayVolumes(facts),
  ...strayNetworks(facts),
  ...strayDisks(facts),
  ...cutOff(facts),
];

/** I15: what is promised on a host, and what is defined there, fits what it has. */
export const fits = ({ clusterId, hosts, hostPools, hostObjects, machines }: Facts): Violation[] =>
  hostObjects.flatMap((object) => {
    const pool = hostPools.find(
      ({ metadata }) => metadata.name === record(object.spec?.['hostPoolRef'])['name'],
    );
    const host = hosts.find(({ name }) => name === object.spec?.['hostName']);
    if (pool === undefined || host === undefined) return [];
    const percent = record(pool.spec?.['overcommit'])['memoryPercent'];
    const room = Math.floor((host.settings.memoryMiB * (typeof percent === 'number' ? percent : 100)) / 100);
    const promised = machines
      .filter(({ status }) => status?.host === object.metadata.name)
      .reduce((sum, { status }) => {
        const memory = text(record(status?.['resources'])['memory']);
        return sum + (memory === undefined ? 0 : bytesOf(memory) / 1_048_576);
      }, 0);
    const running = [...host.machines.values()]
      .filter((machine) => ours(machine, clusterId))
      .reduce((sum, { running: shape }) => sum + (shape?.memoryMiB ?? 0), 0);
    return [
      ...(promised > room ? [`I15: ${promised} MiB are promised on ${host.name}, which has ${room}`] : []),
      ...(running > room ? [`I15: ${running} MiB run on ${host.name}, which has ${room}`] : []),
    ];
  });

/** I12 at quiescence: who says Ready speaks of the present spec, and the machine really is as it says. */
export const readyIsTrue = ({ clusterId, hosts, machines, disks, images }: Facts): Violation[] => {
  const ready = (it: Thing): boolean =>
    it.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  const stale = [...machines, ...disks, ...images]
    .filter((it) => ready(it) && it.status?.observedGeneration !== it.metadata.generation)
    .map((it) => `I12: ${it.kind} ${nameOf(it)} is Ready for generation ${it.status?.observedGeneration}`);
  const idle = machines.flatMap((vm) => {
    const reason = vm.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    if (!ready(vm) || reason !== 'Running') return [];
    const uuid = vmUuid(clusterId, vm.metadata.uid);
    const runs = hosts.some((host) => host.machines.get(uuid)?.running !== undefined);
    return runs ? [] : [`I12: ${nameOf(vm)} says Running and does not run`];
  });
  return [...stale, ...idle];
};

/** I12 between two states of one object. */
export const generationGrows = (old: Thing | undefined, now: Thing | undefined): Violation[] => {
  const [before, after] = [old?.status?.observedGeneration, now?.status?.observedGeneration];
  return now !== undefined &&
    old?.metadata.uid === now.metadata.uid &&
    before !== undefined &&
    after !== undefined &&
    after < before
    ? [`I12: observedGeneration of ${nameOf(now)} fell from ${before} to ${after}`]
    : [];
};

const kept = (thing: Thing | undefined): boolean => (thing?.metadata.finalizers ?? []).includes(FINALIZER);

const hostNamed = ({ hostObjects }: Facts, host: string): ReadonlySet<string> =>
  new Set(hostObjects.filter(({ spec }) => spec?.['hostName'] === host).map(({ metadata }) => metadata.name));

const namesDisk = (vm: Thing, disk: Thing): boolean => {
  const disks = vm.spec?.['disks'];
  return (
    vm.metadata.namespace === disk.metadata.namespace &&
    Array.isArray(disks) &&
    disks.some((entry: unknown) => {
      const ref = text(record(record(entry)['diskRef'])['name']);
      return (ref ?? `${vm.metadata.name}.${text(record(entry)['name'])}`) === disk.metadata.name;
    })
  );
};

const subjectIsImage = (volume: string): boolean => volume.startsWith('ovcp-image-');

const volumeRecord = (facts: Facts, call: SimulatedCall, volume: string): Violation[] => {
  const uid = uidInVolume(volume);
  const names = hostNamed(facts, call.host);
  const at = (it: Thing | undefined): boolean => it?.status?.host !== undefined && names.has(it.status.host);
  const what = `I4: ${call.method} of ${volume} on ${call.host}`;
  const owner = [...facts.disks, ...facts.images, ...facts.machines].find(
    ({ metadata }) => metadata.uid === uid,
  );
  if (owner === undefined) {
    // A disk that goes takes the copy of an image along whose object is gone; its spec leads there again.
    const heir = facts.disks.some(
      (disk) =>
        kept(disk) &&
        disk.metadata.deletionTimestamp !== undefined &&
        record(disk.spec?.['source'])['type'] === 'Image',
    );
    return call.method === 'storage.delete' && subjectIsImage(volume) && heir
      ? []
      : [`${what} without an object`];
  }
  if (!kept(owner)) return [`${what} without our finalizer on ${owner.kind} ${nameOf(owner)}`];
  if (owner.kind === 'VirtualMachineImage' || call.method === 'storage.delete') return [];
  const shared = facts.storagePools.some(
    ({ metadata, spec }) =>
      metadata.name === record(owner.spec?.['storagePoolRef'])['name'] && spec?.['topology'] === 'Shared',
  );
  const move = text(owner.metadata.annotations?.[MOVE_ANNOTATION]);
  const target = move === undefined ? {} : record(record(JSON.parse(move))['to']);
  const going =
    names.has(text(target['host']) ?? '') ||
    facts.storagePools.some(
      ({ metadata, spec }) => metadata.uid === target['pool'] && spec?.['topology'] === 'Shared',
    );
  const recorded =
    shared ||
    going ||
    at(owner) ||
    (owner.kind === 'VirtualDisk' && facts.machines.some((vm) => namesDisk(vm, owner) && at(vm)));
  return recorded ? [] : [`${what} before any status names ${call.host}`];
};

/** I4: before this call, is there a durable record from which a fresh process finds its effect? */
export const durableRecord = (facts: Facts, call: SimulatedCall): Violation[] => {
  const { method, subject = '' } = call;
  if (uidInVolume(subject) !== undefined) return volumeRecord(facts, call, subject);
  if (method === 'claim') {
    return hostNamed(facts, call.host).size > 0 ? [] : [`I4: claim of ${call.host} without a Host`];
  }
  if (method.startsWith('network.')) {
    const owner = facts.networks.find(
      ({ metadata }) => networkUuid(facts.clusterId, metadata.uid) === subject,
    );
    return kept(owner) ? [] : [`I4: ${method} on ${call.host} without a VirtualNetwork that we protect`];
  }
  if (method.startsWith('login.')) {
    const owner = facts.disks.find(({ metadata }) => diskTargetIqn(metadata.uid) === subject);
    return kept(owner) ? [] : [`I4: ${method} on ${call.host} without a VirtualDisk that we protect`];
  }
  if (method.startsWith('storage.')) {
    const owner = facts.storagePools.find(({ metadata }) => metadata.uid === subject);
    return kept(owner) ? [] : [`I4: ${method} on ${call.host} without a StoragePool that we protect`];
  }
  const vm = facts.machines.find(({ metadata }) => vmUuid(facts.clusterId, metadata.uid) === subject);
  if (vm === undefined) return [`I4: ${method} on ${call.host} of a machine without an object`];
  if (!kept(vm)) return [`I4: ${method} of ${nameOf(vm)} without our finalizer`];
  // What is taken away is found by looking; what is made must be written down first.
  const named = vm.status?.host !== undefined && hostNamed(facts, call.host).has(vm.status.host);
  return method !== 'define' || named
    ? []
    : [`I4: define of ${nameOf(vm)} on ${call.host}, which its status does not name`];
};

/** I5: is this deletion of a volume one that its owner asked for, and does nobody else need it? */
export const deletionIsDue = (facts: Facts, call: SimulatedCall): Violation[] => {
  const { method, subject = '' } = call;
  const uid = uidInVolume(subject);
  if (method !== 'storage.delete' || uid === undefined) return [];
  const path = `/${subject}`;
  const host = facts.hosts.find(({ name }) => name === call.host);
  const user = [...(host?.machines.values() ?? [])].find(({ running }) =>
    running?.disks.some(({ attachment }) => filesOf(attachment).some((it) => it.path.endsWith(path))),
  );
  const inUse = user === undefined ? [] : [`I5: ${subject} is deleted while ${user.domainName} uses it`];
  const disk = facts.disks.find(({ metadata }) => metadata.uid === uid);
  if (!subject.startsWith('ovcp-disk-')) return inUse;
  if (disk === undefined)
    return [...inUse, `I5: ${subject} is deleted without a VirtualDisk that asks for it`];
  // Whoever moves it leaves another copy.
  if (call.path !== undefined && (isRest(facts, call) || otherCopies(facts, call, uid) > 0)) return inUse;
  return [
    ...inUse,
    ...(disk.metadata.deletionTimestamp === undefined ? [`I5: ${nameOf(disk)} was not to be deleted`] : []),
    ...(disk.spec?.['reclaimPolicy'] === 'Retain' ? [`I5: ${nameOf(disk)} was to be retained`] : []),
  ];
};

/** I7: a machine that is not ours is as it was. */
export const leftAlone = (
  clusterId: string,
  call: SimulatedCall,
  before: string | undefined,
  wasOurs: boolean,
  after: string | undefined,
): Violation[] =>
  before === undefined || wasOurs || before === after
    ? []
    : [`I7: ${call.method} on ${call.host} changed a machine that does not carry the tag of ${clusterId}`];

/** I8: an object that is gone has left nothing on hosts, unless that was asked for. */
export const nothingLeft = (
  { clusterId, hosts }: Pick<Facts, 'clusterId' | 'hosts'>,
  gone: Thing,
): Violation[] => {
  const { uid } = gone.metadata;
  if (gone.kind === 'VirtualMachine') {
    const uuid = vmUuid(clusterId, uid);
    const left = hosts.filter((host) => {
      const machine = host.machines.get(uuid);
      return machine !== undefined && ours(machine, clusterId);
    });
    return left.map(({ name }) => `I8: ${nameOf(gone)} is gone and its machine still is on ${name}`);
  }
  if (gone.kind !== 'VirtualDisk' || gone.spec?.['reclaimPolicy'] === 'Retain') return [];
  const volume = diskVolumeName(uid, gone.spec?.['format'] === 'raw' ? 'raw' : 'qcow2');
  return hosts
    .filter((host) => [...host.directories.values()].some(({ volumes }) => volumes.has(volume)))
    .map(({ name }) => `I8: ${nameOf(gone)} is gone and its data still is on ${name}`);
};

/** I3, I9 and the rest are what the tests themselves say; these are the ones that hold at any quiet moment. */
export const atQuiescence = (facts: Facts): Violation[] => [
  ...oneHostOneWriter(facts),
  ...noOrphans(facts),
  ...fits(facts),
  ...readyIsTrue(facts),
];
