/** Libvirt's NAT and isolated networks as XML (formatnetwork). */

import { parseCidr } from '../../../api/ip.ts';
import { Fault } from '../../../runtime/fault.ts';
import type { NetworkIdentity, NetworkShape } from '../host-networks.ts';
import { at, attribute, childrenOf, el, type Piece, parseXml, textAt, toXml, wholeNumber } from './xml.ts';

/** What one network's description says. */
export interface NetworkParsed {
  readonly uuid: string;
  readonly name: string;
  readonly bridge: string | undefined;
  readonly shape: NetworkShape;
}

const v4 = (value: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
const v6 = (value: bigint): string =>
  Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':');

const addressXml = (shape: NetworkShape): Piece | undefined => {
  if (shape.cidr === undefined) return undefined;
  const cidr = parseCidr(shape.cidr);
  if (cidr === undefined) {
    throw new Fault('invalid', `"${shape.cidr}" is not a network in CIDR notation.`, {
      reason: 'InvalidCIDR',
    });
  }
  const host = ((cidr.value >> BigInt(cidr.bits - cidr.prefix)) << BigInt(cidr.bits - cidr.prefix)) + 1n;
  return el(
    'ip',
    {
      family: cidr.bits === 32 ? 'ipv4' : 'ipv6',
      address: cidr.bits === 32 ? v4(host) : v6(host),
      prefix: cidr.prefix,
    },
    shape.dhcp === undefined
      ? undefined
      : el('dhcp', {}, el('range', { start: shape.dhcp.start, end: shape.dhcp.end })),
  );
};

export const networkXml = (network: NetworkIdentity, shape: NetworkShape): string =>
  toXml(
    el(
      'network',
      {},
      el('name', {}, network.networkName),
      el('uuid', {}, network.uuid),
      shape.kind === 'NAT' ? el('forward', { mode: 'nat' }) : undefined,
      el('bridge', { name: network.bridgeName, stp: 'on', delay: 0 }),
      addressXml(shape),
    ),
  );

const prefixOf = (netmask: string | undefined): number | undefined => {
  if (netmask === undefined) return undefined;
  const bits = netmask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) && bits.length === 32
    ? bits.indexOf('0') + (bits.includes('0') ? 0 : 33)
    : undefined;
};

const cidrOf = (address: string | undefined, prefix: number | undefined): string | undefined => {
  const cidr = address === undefined || prefix === undefined ? undefined : parseCidr(`${address}/${prefix}`);
  if (cidr === undefined) return undefined;
  const shift = BigInt(cidr.bits - cidr.prefix);
  const network = (cidr.value >> shift) << shift;
  return `${cidr.bits === 32 ? v4(network) : v6(network)}/${cidr.prefix}`;
};

/** Throws Fault `bug` (`MalformedAnswer`) when the text is no description of a network. */
export const parseNetwork = (text: string): NetworkParsed => {
  const root = parseXml(text, 'network');
  const ip = childrenOf(root, 'ip')[0];
  const range = at(ip, 'dhcp', 'range');
  const start = attribute(range, 'start');
  const end = attribute(range, 'end');
  const cidr = cidrOf(
    attribute(ip, 'address'),
    wholeNumber(attribute(ip, 'prefix')) ?? prefixOf(attribute(ip, 'netmask')),
  );
  return {
    uuid: (textAt(root, 'uuid') ?? '').toLowerCase(),
    name: textAt(root, 'name') ?? '',
    bridge: attribute(at(root, 'bridge'), 'name'),
    shape: {
      kind: attribute(at(root, 'forward'), 'mode') === 'nat' ? 'NAT' : 'Isolated',
      ...(cidr === undefined ? {} : { cidr }),
      ...(start === undefined || end === undefined ? {} : { dhcp: { start, end } }),
    },
  };
};
