/**
 * Our mark on a domain, kept in its `<metadata>`: who it belongs to (`machine`), and what of the wish the hypervisor
 * has no place for (`hardware`: the CPU model as it was asked for, declared sizes of disks).
 */
import type { Element } from '@xmldom/xmldom';
import type { Ownership, VmIdentity, VmRecord } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { at, attribute, childrenOf, el, elNs, type Piece, wholeNumber } from './xml.ts';

export const MACHINE_NAMESPACE = 'https://ovcp.dev/xmlns/machine/1';
export const HARDWARE_NAMESPACE = 'https://ovcp.dev/xmlns/hardware/1';
export const MACHINE_PREFIX = 'ovcp';
export const HARDWARE_PREFIX = 'ovcphw';

/** The machine element. */
export const machineTag = (record: VmRecord): Piece =>
  elNs(MACHINE_NAMESPACE, `${MACHINE_PREFIX}:machine`, {
    cluster: record.clusterId,
    uid: record.uid,
    namespace: record.namespace,
    name: record.name,
    'restart-handled-at': record.restartHandledAt,
    'start-due': String(record.startDue),
  });

/**
 * The element as SET_METADATA wants it: without prefix and namespace of its own, because libvirt adds both
 * (virDomainObjSetMetadata in src/conf/domain_conf.c).
 */
export const bareMachineTag = (record: VmRecord): Piece => el('machine', machineTag(record).attributes);

/** What of a shape the hardware tag keeps. */
export interface TaggedShape {
  readonly cpu: Pick<VmShape['cpu'], 'model'>;
  readonly disks: readonly Pick<VmShape['disks'][number], 'serial' | 'sizeBytes'>[];
}

/** The hardware element; `cpuModel` is what the machine really gets on this host. */
export const hardwareTag = (shape: TaggedShape, cpuModel: string | undefined): Piece =>
  elNs(
    HARDWARE_NAMESPACE,
    `${HARDWARE_PREFIX}:hardware`,
    { 'cpu-asked': shape.cpu.model, 'cpu-model': cpuModel },
    ...shape.disks.map(({ serial, sizeBytes }) =>
      elNs(HARDWARE_NAMESPACE, `${HARDWARE_PREFIX}:disk`, { serial, 'size-bytes': sizeBytes }),
    ),
  );

/** The same as SET_METADATA wants it; see bareMachineTag. */
export const bareHardwareTag = (shape: TaggedShape, cpuModel: string | undefined): Piece =>
  el(
    'hardware',
    { 'cpu-asked': shape.cpu.model, 'cpu-model': cpuModel },
    ...shape.disks.map(({ serial, sizeBytes }) => el('disk', { serial, 'size-bytes': sizeBytes })),
  );

/** What the hardware element says. */
export interface HardwareTag {
  readonly cpuAsked?: string | undefined;
  readonly cpuModel?: string | undefined;
  readonly sizes: ReadonlyMap<string, number>;
}

const ours = (domain: Element, name: string, namespace: string): Element | undefined =>
  childrenOf(at(domain, 'metadata'), name).find((element) => element.namespaceURI === namespace);

export const readHardwareTag = (domain: Element): HardwareTag => {
  const element = ours(domain, 'hardware', HARDWARE_NAMESPACE);
  const sizes = new Map<string, number>();
  for (const disk of childrenOf(element, 'disk')) {
    const size = wholeNumber(attribute(disk, 'size-bytes'));
    const serial = attribute(disk, 'serial');
    if (size !== undefined && serial !== undefined) sizes.set(serial, size);
  }
  return { cpuAsked: attribute(element, 'cpu-asked'), cpuModel: attribute(element, 'cpu-model'), sizes };
};

const readRecord = (element: Element): VmRecord | undefined => {
  const [clusterId, uid, namespace, name] = ['cluster', 'uid', 'namespace', 'name'].map((key) =>
    attribute(element, key),
  );
  if (clusterId === undefined || uid === undefined || namespace === undefined || name === undefined)
    return undefined;
  return {
    clusterId,
    uid,
    namespace,
    name,
    restartHandledAt: attribute(element, 'restart-handled-at'),
    startDue: attribute(element, 'start-due') === 'true',
  };
};

/** The record of whoever made the domain with this product; undefined for a foreign one. */
export const recordOf = (domain: Element): VmRecord | undefined => {
  const element = ours(domain, 'machine', MACHINE_NAMESPACE);
  return element === undefined ? undefined : readRecord(element);
};

/** The same from the bare element that GET_METADATA answers. */
export const recordOfElement = (element: Element): VmRecord | undefined => readRecord(element);

/** Whose it is, as seen from one machine of ours. */
export const ownershipFor = (
  record: VmRecord | undefined,
  vm: Pick<VmIdentity, 'clusterId' | 'uid'>,
): Ownership => {
  if (record === undefined) return { kind: 'none' };
  return record.clusterId === vm.clusterId && record.uid === vm.uid
    ? { kind: 'ours', record }
    : { kind: 'other', clusterId: record.clusterId, uid: record.uid };
};
