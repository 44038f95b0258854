/** What a backend of ours looks like on a host. Pure. */
import { parseCidr } from '../../api/ip.ts';
import type { VirtualNetworkBackend } from '../../api/virtual-network.ts';
import type { NetworkShape } from '../../drivers/hypervisor/host-networks.ts';

/** libvirt refuses longer ranges (src/util/virsocketaddr.c, virSocketAddrGetRange). */
const maxRange = 65_535n;

const formatV4 = (value: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');

/** Every group is written, none shortened by zeros: RFC 5952 (the longest run of zeros becomes `::`). */
const formatV6 = (value: bigint): string => {
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  );
  const runs = [...groups.join(':').matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)];
  const longest = runs.toSorted((a, b) => b[0].length - a[0].length)[0];
  if (longest === undefined) return groups.join(':');
  const text = groups.join(':');
  const head = text.slice(0, longest.index).replace(/:$/, '');
  const tail = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${head}::${tail}`;
};

interface Range {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
}

/** From the second address (the host has the first) to the last that is not the broadcast address. */
export const dhcpRange = (
  cidr: string,
  given: Range,
): { readonly start: string; readonly end: string } | undefined => {
  if (given.start !== undefined && given.end !== undefined) return { start: given.start, end: given.end };
  const network = parseCidr(cidr);
  if (network === undefined) return undefined;
  const { value, bits, prefix } = network;
  const format = bits === 32 ? formatV4 : formatV6;
  const first = value + 2n;
  const last = value + (1n << BigInt(bits - prefix)) - (bits === 32 ? 2n : 1n);
  if (last < first) return undefined;
  const bounded = last - first >= maxRange ? first + maxRange - 1n : last;
  return { start: format(first), end: format(bounded) };
};

/** Undefined for a bridge, which is the administrator's. */
export const shapeOf = (backend: VirtualNetworkBackend): NetworkShape | undefined => {
  if (backend.type === 'Bridge') return undefined;
  const { cidr, dhcp } = backend.type === 'NAT' ? backend.nat : backend.isolated;
  const range = cidr === undefined || dhcp === undefined ? undefined : dhcpRange(cidr, dhcp);
  return {
    kind: backend.type,
    ...(cidr === undefined ? {} : { cidr }),
    ...(range === undefined ? {} : { dhcp: range }),
  };
};
