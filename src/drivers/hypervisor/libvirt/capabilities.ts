/** What a host can do, from what its daemon says: capabilities XML (formatcaps), versions, filters, interfaces. */
import type { Capability } from '../contract.ts';
import { MAC_AND_IP_FILTER, MAC_FILTER } from './device-xml.ts';
import { at, attribute, childrenOf, parseXml, textAt } from './xml.ts';

/** What the capabilities XML says of the machine. */
export interface HostDescribed {
  readonly uuid: string;
  readonly architecture: string;
  /** Domain types (`kvm`, `qemu`, `test`, `xen`) that run hardware-virtualized guests of the host's architecture. */
  readonly domainTypes: ReadonlySet<string>;
  /** Architecture to write into domains: the host's own, or the first that is offered. */
  readonly guestArchitecture: string;
}

/** Throws Fault `bug` (`MalformedAnswer`). */
export const parseCapabilities = (text: string): HostDescribed => {
  const root = parseXml(text, 'capabilities');
  const architecture = textAt(root, 'host', 'cpu', 'arch') ?? '';
  const guests = childrenOf(root, 'guest')
    .filter((guest) => textAt(guest, 'os_type') === 'hvm')
    .map((guest) => ({
      arch: attribute(at(guest, 'arch'), 'name') ?? '',
      types: childrenOf(at(guest, 'arch'), 'domain').flatMap((domain) => attribute(domain, 'type') ?? []),
    }));
  const guest = guests.find((each) => each.arch === architecture) ?? guests[0];
  return {
    uuid: (textAt(root, 'host', 'uuid') ?? '').toLowerCase(),
    architecture,
    domainTypes: new Set(guest?.types),
    guestArchitecture: guest?.arch ?? architecture,
  };
};

/** libvirt packs versions into one number: major × 1,000,000 + minor × 1,000 + release. */
export const versionText = (packed: number): string =>
  [Math.floor(packed / 1_000_000), Math.floor(packed / 1_000) % 1_000, packed % 1_000].join('.');

/** Linux bridges take `<vlan>` from libvirt 11.0 on (NEWS.rst, v11.0.0). */
export const BRIDGE_VLAN_SINCE = 11_000_000;

/** What placement and the user may count on. */
export const capabilitiesOf = (host: {
  readonly isTest: boolean;
  readonly filters: ReadonlySet<string> | undefined;
  readonly canVlan: boolean;
}): readonly Capability[] => {
  const all: readonly (readonly [Capability, boolean])[] = [
    // The test driver of libvirt 9 knows neither attaching nor streams (reference: src/test/test_driver.c).
    ['DiskHotplug', !host.isTest],
    ['DiskLiveGrow', !host.isTest],
    ['NicHotplug', !host.isTest],
    ['NicLinkState', !host.isTest],
    ['MediaChange', !host.isTest],
    ['GuestAgent', !host.isTest],
    ['SerialConsole', !host.isTest],
    ['VncConsole', !host.isTest],
    ['AntiSpoofing', host.filters?.has(MAC_FILTER) === true && host.filters.has(MAC_AND_IP_FILTER)],
    ['LinkedClone', !host.isTest],
    ['NatNetwork', true],
    ['IsolatedNetwork', true],
    ['BridgeNetwork', true],
    ['BridgeVlan', host.canVlan],
    ['Autostart', true],
  ];
  return all.flatMap(([word, has]) => (has ? [word] : []));
};
