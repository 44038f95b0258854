/**
 * What a guest says of itself, cut down to what it may say (reliability.md S17): a hostname is a hostname, an address
 * an address, and everything has an end.
 */
import ipaddr from 'ipaddr.js';

const MAX_IPS_PER_CARD = 16;
const MAX_OS_CHARS = 128;

/** Lower-case RFC 1123 name of at most 253 characters; undefined for anything else. */
export const claimedHostname = (text: unknown): string | undefined => {
  if (typeof text !== 'string' || text.length > 254) return undefined;
  const name = text.replace(/\.$/, '').toLowerCase();
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
  return name.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(name) ? name : undefined;
};

/** The name of an operating system: printable characters, at most 128. */
export const claimedOs = (text: unknown): string | undefined => {
  if (typeof text !== 'string') return undefined;
  const clean = text
    .slice(0, 4 * MAX_OS_CHARS)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}<>&"'`]/gu, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_OS_CHARS);
  return clean === '' ? undefined : clean;
};

/** The canonical text of an address that others could reach; undefined for loopback, link-local and nonsense. */
export const claimedIp = (text: unknown): string | undefined => {
  if (
    typeof text !== 'string' ||
    text.length > 45 ||
    !/^[0-9a-fA-F.:]+$/.test(text) ||
    !ipaddr.isValid(text)
  ) {
    return undefined;
  }
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4' && !ipaddr.IPv4.isValidFourPartDecimal(text.split(':').at(-1) ?? ''))
    return undefined;
  const range: string = address.range();
  const unusable = ['unspecified', 'loopback', 'linkLocal', 'multicast', 'broadcast'];
  return unusable.includes(range) ? undefined : address.toString();
};

/** Addresses by MAC of our own cards only; each once, in the guest's order, at most 16 to a card. */
export const claimedAddresses = (
  macs: readonly string[],
  claims: readonly { readonly mac: unknown; readonly ips: readonly unknown[] }[],
): readonly { readonly mac: string; readonly ips: readonly string[] }[] =>
  macs.flatMap((mac) => {
    const said = claims.filter((claim) => typeof claim.mac === 'string' && claim.mac.toLowerCase() === mac);
    const ips = [
      ...new Set(said.flatMap((claim) => claim.ips.slice(0, 256).flatMap((ip) => claimedIp(ip) ?? []))),
    ];
    return ips.length === 0 ? [] : [{ mac, ips: ips.slice(0, MAX_IPS_PER_CARD) }];
  });
