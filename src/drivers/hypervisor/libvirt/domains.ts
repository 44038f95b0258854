/** Reads of domains: the bulk list, one machine in full, one record. */
import { errorCodes } from '../../../wire/libvirt/errors.ts';
import type { Domain, TypedParam } from '../../../wire/libvirt/protocol.gen.ts';
import type { PowerSeen, VmRecord } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { type DomainParsed, parseDomain } from './domain-parse.ts';
import type { Machine } from './inventory.ts';
import { isActive, powerOf } from './power.ts';
import type { Remote } from './remote.ts';
import { MACHINE_NAMESPACE, recordOfElement } from './tag.ts';
import { saidNo } from './to-fault.ts';
import { attribute, parseXml } from './xml.ts';

/** virDomainStatsTypes. */
const STATS = { state: 1, block: 32 } as const;
/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT: a busy domain answers what needs no waiting. */
const NOWAIT = 1 << 29;
/** VIR_DOMAIN_XML_INACTIVE. */
const XML_INACTIVE = 2;
/** VIR_DOMAIN_METADATA_ELEMENT. */
export const METADATA_ELEMENT = 2;

/** libvirt finds a domain by uuid alone; name and id of the handle only fill its messages. */
export const handle = (uuid: string, name = uuid): Domain => ({ uuid, name, id: -1 });

const numberParam = (params: readonly TypedParam[], field: string): number | undefined => {
  const value = params.find((param) => param.field === field)?.value;
  return value === undefined || value.type === 7 ? undefined : Number(value.value);
};

const textParam = (params: readonly TypedParam[], field: string): string | undefined => {
  const value = params.find((param) => param.field === field)?.value;
  return value?.type === 7 ? value.value : undefined;
};
export const param = { number: numberParam, text: textParam };

/** Every domain of a host with its state, in one call. */
export const listDomains = async (
  remote: Remote,
  signal: AbortSignal,
): Promise<readonly Pick<Machine, 'uuid' | 'name' | 'state' | 'reason'>[]> => {
  const { retStats } = await remote.call(
    'CONNECT_GET_ALL_DOMAIN_STATS',
    { doms: [], stats: STATS.state, flags: 0 },
    signal,
  );
  return retStats.map(({ dom, params }) => ({
    uuid: dom.uuid.toLowerCase(),
    name: dom.name,
    state: numberParam(params, 'state.state') ?? 0,
    reason: numberParam(params, 'state.reason') ?? 0,
  }));
};

/** The record of one domain; undefined for a foreign one. Rejects with LibvirtError noDomain when it is gone. */
export const readRecord = async (
  remote: Remote,
  uuid: string,
  signal: AbortSignal,
): Promise<VmRecord | undefined> => {
  try {
    const { metadata } = await remote.call(
      'DOMAIN_GET_METADATA',
      { dom: handle(uuid), type: METADATA_ELEMENT, uri: MACHINE_NAMESPACE, flags: 0 },
      signal,
    );
    return recordOfElement(parseXml(metadata, 'machine'));
  } catch (error) {
    if (saidNo(error, errorCodes.noDomainMetadata)) return undefined;
    throw error;
  }
};

/** One domain as it is now. */
export interface DomainRead {
  readonly uuid: string;
  readonly name: string;
  readonly power: PowerSeen;
  readonly persistent: boolean;
  /** Of the stored definition, or of the running one when nothing is stored. */
  readonly record: VmRecord | undefined;
  readonly running: DomainParsed | undefined;
  readonly next: DomainParsed | undefined;
  readonly autostart: boolean;
  readonly state: number;
  readonly reason: number;
}

const xmlOf = async (
  remote: Remote,
  dom: Domain,
  flags: number,
  signal: AbortSignal,
): Promise<DomainParsed> =>
  parseDomain((await remote.call('DOMAIN_GET_XML_DESC', { dom, flags }, signal)).xml);

const readActive = async (remote: Remote, dom: Domain, signal: AbortSignal) => {
  const [running, { persistent }, { autostart }] = await Promise.all([
    xmlOf(remote, dom, 0, signal),
    remote.call('DOMAIN_IS_PERSISTENT', { dom }, signal),
    remote.call('DOMAIN_GET_AUTOSTART', { dom }, signal),
  ]);
  const next = persistent === 1 ? await xmlOf(remote, dom, XML_INACTIVE, signal) : undefined;
  return { running, persistent: persistent === 1, next, autostart: autostart === 1 };
};

const readInactive = async (remote: Remote, dom: Domain, signal: AbortSignal) => {
  const [next, { autostart }] = await Promise.all([
    xmlOf(remote, dom, XML_INACTIVE, signal),
    remote.call('DOMAIN_GET_AUTOSTART', { dom }, signal),
  ]);
  return { running: undefined, persistent: true, next, autostart: autostart === 1 };
};

/** The live description of one domain; undefined when it does not run, or is not there. */
export const readRunning = async (
  remote: Remote,
  uuid: string,
  signal: AbortSignal,
): Promise<DomainParsed | undefined> => {
  try {
    const read = await xmlOf(remote, handle(uuid), 0, signal);
    // Only what runs has a number.
    return attribute(read.root, 'id') === undefined ? undefined : read;
  } catch (error) {
    if (saidNo(error, errorCodes.noDomain)) return undefined;
    throw error;
  }
};

/** Everything about one domain; undefined when the host has none of that uuid. */
export const readDomain = async (
  remote: Remote,
  uuid: string,
  signal: AbortSignal,
): Promise<DomainRead | undefined> => {
  const dom = handle(uuid);
  try {
    const { state, reason } = await remote.call('DOMAIN_GET_STATE', { dom, flags: 0 }, signal);
    const active = isActive(powerOf(state, reason, undefined));
    const read = await (active ? readActive : readInactive)(remote, dom, signal);
    const described = read.next ?? read.running;
    const record = described?.record;
    return {
      uuid,
      name: described?.name ?? uuid,
      ...read,
      record,
      power: powerOf(state, reason, record),
      state,
      reason,
    };
  } catch (error) {
    if (saidNo(error, errorCodes.noDomain)) return undefined;
    throw error;
  }
};

/** True sizes of a running machine's disks by target name: a disk may have grown since it was defined. */
export const readDiskSizes = async (
  remote: Remote,
  uuid: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> => {
  const sizes = new Map<string, number>();
  try {
    const { retStats } = await remote.call(
      'CONNECT_GET_ALL_DOMAIN_STATS',
      { doms: [handle(uuid)], stats: STATS.block, flags: NOWAIT },
      signal,
    );
    const params = retStats[0]?.params ?? [];
    for (let at = 0; at < (numberParam(params, 'block.count') ?? 0); at += 1) {
      const name = textParam(params, `block.${at}.name`);
      const capacity = numberParam(params, `block.${at}.capacity`);
      if (name !== undefined && capacity !== undefined) sizes.set(name, capacity);
    }
  } catch (error) {
    if (!saidNo(error, errorCodes.noDomain, errorCodes.operationInvalid, errorCodes.operationUnsupported))
      throw error;
  }
  return sizes;
};

/** The shape with sizes from the host where it has them. */
export const withSizes = (
  shape: VmShape,
  parsed: DomainParsed,
  sizes: ReadonlyMap<string, number>,
): VmShape => ({
  ...shape,
  disks: shape.disks.map((disk) => {
    const target = parsed.targets.get(disk.serial);
    const size = target === undefined ? undefined : sizes.get(target);
    return size === undefined ? disk : { ...disk, sizeBytes: size };
  }),
});
