import type { LibvirtCall } from './connection.ts';
import type { Network, NetworkDhcpLease, Nwfilter } from './protocol.gen.ts';

export const createNetworks = (call: LibvirtCall) => ({
  listAll: async (signal: AbortSignal): Promise<readonly Network[]> =>
    (await call('CONNECT_LIST_ALL_NETWORKS', { need_results: 1, flags: 0 }, signal)).nets,
  byName: async (name: string, signal: AbortSignal): Promise<Network> =>
    (await call('NETWORK_LOOKUP_BY_NAME', { name }, signal)).net,
  byUuid: async (uuid: string, signal: AbortSignal): Promise<Network> =>
    (await call('NETWORK_LOOKUP_BY_UUID', { uuid }, signal)).net,
  defineXml: async (xml: string, signal: AbortSignal): Promise<Network> =>
    (await call('NETWORK_DEFINE_XML', { xml }, signal)).net,
  getXml: async (net: Network, flags: number, signal: AbortSignal): Promise<string> =>
    (await call('NETWORK_GET_XML_DESC', { net, flags }, signal)).xml,
  start: (net: Network, signal: AbortSignal) => call('NETWORK_CREATE', { net }, signal),
  /** Stops the network; its definition stays. */
  destroy: (net: Network, signal: AbortSignal) => call('NETWORK_DESTROY', { net }, signal),
  undefine: (net: Network, signal: AbortSignal) => call('NETWORK_UNDEFINE', { net }, signal),
  isActive: async (net: Network, signal: AbortSignal): Promise<boolean> =>
    (await call('NETWORK_IS_ACTIVE', { net }, signal)).active !== 0,
  setAutostart: (net: Network, autostart: boolean, signal: AbortSignal) =>
    call('NETWORK_SET_AUTOSTART', { net, autostart: autostart ? 1 : 0 }, signal),
  /** All leases, or those of one MAC address. */
  leases: async (
    net: Network,
    mac: string | null,
    signal: AbortSignal,
  ): Promise<readonly NetworkDhcpLease[]> =>
    (await call('NETWORK_GET_DHCP_LEASES', { net, mac, need_results: 1, flags: 0 }, signal)).leases,
});

export const createNwfilters = (call: LibvirtCall) => ({
  listAll: async (signal: AbortSignal): Promise<readonly Nwfilter[]> =>
    (await call('CONNECT_LIST_ALL_NWFILTERS', { need_results: 1, flags: 0 }, signal)).filters,
  byName: async (name: string, signal: AbortSignal): Promise<Nwfilter> =>
    (await call('NWFILTER_LOOKUP_BY_NAME', { name }, signal)).nwfilter,
  defineXml: async (xml: string, signal: AbortSignal): Promise<Nwfilter> =>
    (await call('NWFILTER_DEFINE_XML', { xml }, signal)).nwfilter,
  getXml: async (nwfilter: Nwfilter, signal: AbortSignal): Promise<string> =>
    (await call('NWFILTER_GET_XML_DESC', { nwfilter, flags: 0 }, signal)).xml,
  undefine: (nwfilter: Nwfilter, signal: AbortSignal) => call('NWFILTER_UNDEFINE', { nwfilter }, signal),
});

export type Networks = ReturnType<typeof createNetworks>;
export type Nwfilters = ReturnType<typeof createNwfilters>;
