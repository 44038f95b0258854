/** What a host says of itself when it is connected, gathered in a few calls. */
import { uuidV5 } from '../../../api/identity.ts';
import { errorCodes, LibvirtConnectionError, LibvirtError } from '../../../wire/libvirt/errors.ts';
import type { HostEndpoint, HostFacts } from '../contract.ts';
import {
  BRIDGE_VLAN_SINCE,
  capabilitiesOf,
  type HostDescribed,
  parseCapabilities,
  versionText,
} from './capabilities.ts';
import { readClaim } from './claim.ts';
import type { Wiring } from './device-xml.ts';
import type { Setup } from './domain-xml.ts';
import type { Probed } from './probe.ts';
import type { Remote } from './remote.ts';
import { saidNo } from './to-fault.ts';
import { attribute, parseXml } from './xml.ts';

/** Facts, and what of them goes into a machine's definition. */
export interface HostProfile {
  readonly facts: HostFacts;
  readonly setup: Setup;
}

const TEST_NAMESPACE = '1b0f6a0a-2b0e-5d0f-8a55-3f6d2f0b9a11';
/** Cards of guests and containers: never a bridge. */
const NEVER_A_BRIDGE = /^(lo|vnet\d+|macvtap\d+|tap|veth|cali|ovs-system)/;
const MAX_INTERFACES = 256;

/** Names of the filters that exist; undefined where the host keeps none. */
const readFilters = async (remote: Remote, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> => {
  try {
    const { filters } = await remote.call(
      'CONNECT_LIST_ALL_NWFILTERS',
      { need_results: 1, flags: 0 },
      signal,
    );
    return new Set(filters.map(({ name }) => name));
  } catch (error) {
    if (error instanceof LibvirtError) return undefined;
    throw error;
  }
};

/** No driver of interfaces, or, with split daemons, no daemon for them (virtinterfaced is a package of its own). */
const tellsNoInterfaces = (error: unknown): boolean =>
  error instanceof LibvirtError || (error instanceof LibvirtConnectionError && error.kind === 'refused');

/** Linux bridges, and whether Open vSwitch runs. Hosts without the interface driver tell of none. */
export const readBridges = async (
  remote: Remote,
  signal: AbortSignal,
): Promise<Pick<Wiring, 'bridges' | 'openVswitch'>> => {
  try {
    const { ifaces } = await remote.call(
      'CONNECT_LIST_ALL_INTERFACES',
      { need_results: 1, flags: 0 },
      signal,
    );
    const candidates = ifaces.filter(({ name }) => !NEVER_A_BRIDGE.test(name)).slice(0, MAX_INTERFACES);
    const found = await Promise.all(
      candidates.map(async (iface) => {
        try {
          const { xml } = await remote.call('INTERFACE_GET_XML_DESC', { iface, flags: 0 }, signal);
          return attribute(parseXml(xml, 'interface'), 'type') === 'bridge' ? [iface.name] : [];
        } catch (error) {
          // It went between the list and the look.
          if (error instanceof LibvirtError) return [];
          throw error;
        }
      }),
    );
    return { bridges: new Set(found.flat()), openVswitch: ifaces.some(({ name }) => name === 'ovs-system') };
  } catch (error) {
    if (tellsNoInterfaces(error)) return { bridges: new Set(), openVswitch: false };
    throw error;
  }
};

const described = async (remote: Remote, signal: AbortSignal): Promise<HostDescribed> =>
  parseCapabilities((await remote.call('CONNECT_GET_CAPABILITIES', {}, signal)).capabilities);

const versionOf = async (version: Promise<bigint>): Promise<string> => {
  try {
    return versionText(Number(await version));
  } catch (error) {
    if (saidNo(error, errorCodes.noSupport, errorCodes.internalError)) return 'unknown';
    throw error;
  }
};

type Acceleration = HostFacts['acceleration'];

const domainTypeOf = (type: string, acceleration: Acceleration): Setup['domainType'] => {
  if (type.toLowerCase() === 'test') return 'test';
  return acceleration === 'KVM' ? 'kvm' : 'qemu';
};

/** URIs carry no password (the parser refuses one); parameters name local sockets and are left out. */
const publicUri = (uri: string): string => uri.replace(/\?.*$/s, '');

/** `probe` answers what tries found for the host of that uuid. Wire errors pass through. */
export const readProfile = async (
  remote: Remote,
  endpoint: HostEndpoint,
  probe: (hostUuid: string, host: HostDescribed) => Promise<Probed>,
  signal: AbortSignal,
): Promise<HostProfile> => {
  const [{ type }, host, version, { lib_ver }, info, filters, bridges, claimedBy] = await Promise.all([
    remote.call('CONNECT_GET_TYPE', {}, signal),
    described(remote, signal),
    versionOf(remote.call('CONNECT_GET_VERSION', {}, signal).then(({ hv_ver }) => hv_ver)),
    remote.call('CONNECT_GET_LIB_VERSION', {}, signal),
    remote.call('NODE_GET_INFO', {}, signal),
    readFilters(remote, signal),
    readBridges(remote, signal),
    readClaim(remote, signal),
  ]);
  const hostUuid = host.uuid === '' ? uuidV5(TEST_NAMESPACE, endpoint.uri) : host.uuid;
  const { acceleration, iscsi } = await probe(hostUuid, host);
  const bridgeVlan = Number(lib_ver) >= BRIDGE_VLAN_SINCE;
  const domainType = domainTypeOf(type, acceleration);
  const facts: HostFacts = {
    hostUuid,
    uri: publicUri(endpoint.uri),
    hypervisor: {
      type,
      version,
      libvirtVersion: versionText(Number(lib_ver)),
      architecture: host.architecture === '' ? host.guestArchitecture : host.architecture,
    },
    acceleration,
    cpus: info.cpus,
    memoryMiB: Math.floor(Number(info.memory) / 1024),
    capabilities: capabilitiesOf({
      isTest: domainType === 'test',
      filters,
      canVlan: bridgeVlan || bridges.openVswitch,
    }),
    attachmentKinds: iscsi ? ['file', 'block', 'network'] : ['file', 'block'],
    claimedBy,
    bridges: [...bridges.bridges].sort(),
  };
  return {
    facts,
    setup: { domainType, arch: host.guestArchitecture, wiring: { ...bridges, bridgeVlan, filters } },
  };
};
