import ipaddr from 'ipaddr.js';

/** Decides which addresses the operator may connect to on behalf of a tenant. */
export interface AddressPolicy {
  /**
   * The address in the form to connect to (an IPv4-mapped one becomes plain IPv4), or `undefined` when it is
   * forbidden or no address at all.
   */
  permit(address: string): string | undefined;
}

/** Only what IANA hands out as global unicast (RFC 4291, 2.4); everything else is special or unassigned. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

const isPublic = (address: ipaddr.IPv4 | ipaddr.IPv6): boolean => {
  // The library's other ranges are the IANA special-purpose registries: private, loopback, link-local, CGNAT
  // (carrierGradeNat), multicast, unique-local, documentation, 6to4, Teredo, NAT64 (rfc6052) and more.
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(globalUnicast);
};

const matchesCidr = (
  address: ipaddr.IPv4 | ipaddr.IPv6,
  cidr: [ipaddr.IPv4 | ipaddr.IPv6, number],
): boolean => address.kind() === cidr[0].kind() && address.match(cidr);

/**
 * Public addresses are permitted, and those in `allowedCidrs` (the operator's configuration, never a tenant's).
 * @throws Error when a CIDR is malformed: the configuration is checked where it is read
 */
export const createAddressPolicy = (allowedCidrs: readonly string[]): AddressPolicy => {
  const allowed = allowedCidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  return {
    permit: (text) => {
      // A zone ("fe80::1%eth0") picks an interface of ours: nothing a tenant may do.
      if (text.includes('%') || !ipaddr.isValid(text)) return undefined;
      const address = ipaddr.process(text);
      const permitted = allowed.some((cidr) => matchesCidr(address, cidr)) || isPublic(address);
      return permitted ? address.toString() : undefined;
    },
  };
};
