/** Addresses, read as Go's netip does, because the API server's CEL functions stand on it. */

const parseV4 = (text: string): bigint | undefined => {
  const parts = text.split('.');
  if (
    parts.length !== 4 ||
    !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
  ) {
    return undefined;
  }
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
};

const groupsOf = (text: string): bigint[] | undefined => {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
    ? groups.map((group) => BigInt(`0x${group}`))
    : undefined;
};

const parseV6 = (text: string): bigint | undefined => {
  const halves = text.split('::');
  const head = groupsOf(halves[0] ?? '');
  const tail = groupsOf(halves[1] ?? '');
  if (halves.length > 2 || head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 || head.length === 0 : missing < 1) return undefined;
  const value = [...head, ...Array.from({ length: missing }, () => 0n), ...tail].reduce(
    (sum, group) => (sum << 16n) | group,
    0n,
  );
  // Kubernetes refuses IPv4 addresses dressed as IPv6 ones.
  return value >> 32n === 0xffffn ? undefined : value;
};

/** An address as a number, with the number of its bits. */
export interface Address {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** The address, or undefined when the text is none. Zones and IPv4-in-IPv6 are refused. */
export const parseIp = (text: string): Address | undefined => {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { value: v4, bits: 32 };
  const v6 = parseV6(text);
  return v6 === undefined ? undefined : { value: v6, bits: 128 };
};

/** An address with its prefix length, or undefined. */
export const parseCidr = (text: string): (Address & { readonly prefix: number }) | undefined => {
  const [head = '', tail = '', ...rest] = text.split('/');
  const address = parseIp(head);
  if (address === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(tail)) return undefined;
  const prefix = Number(tail);
  return prefix <= address.bits ? { ...address, prefix } : undefined;
};

export const isIp = (text: string): boolean => parseIp(text) !== undefined;

export const isCidr = (text: string): boolean => parseCidr(text) !== undefined;

/** Whether it is a network: no bit set after the prefix. */
export const isNetworkCidr = (text: string): boolean => {
  const cidr = parseCidr(text);
  return cidr !== undefined && cidr.value % (1n << BigInt(cidr.bits - cidr.prefix)) === 0n;
};

/** Whether the address lies in the network; false when either is none. */
export const cidrContains = (cidr: string, ip: string): boolean => {
  const network = parseCidr(cidr);
  const address = parseIp(ip);
  if (network === undefined || address === undefined || network.bits !== address.bits) return false;
  const shift = BigInt(network.bits - network.prefix);
  return network.value >> shift === address.value >> shift;
};
