import { isIP } from 'node:net';
import { assert, ipV4, ipV6, oneof, property, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrContains, isCidr, isIp, isNetworkCidr, parseIp } from './ip.ts';

describe('isIp', () => {
  it('agrees with Node, but for IPv4 written inside IPv6, which Kubernetes refuses', () => {
    assert(
      property(oneof(ipV4(), ipV6(), stringMatching(/^[0-9a-f:.]{1,39}$/)), (text) => {
        const embedded = text.includes(':') && (text.includes('.') || parseIp(text) === undefined);
        expect(isIp(text)).toBe(isIP(text) !== 0 && !embedded);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    ':',
    ':::',
    '1::2::3',
    'fe80::1%eth0',
    '::ffff:1.2.3.4',
  ])('refuses %j', (text) => {
    expect(isIp(text)).toBe(false);
  });
});

describe('networks', () => {
  it.each(['10.0.0.0/8', '192.168.150.0/24', '2001:db8::/32', '0.0.0.0/0'])('%s is one', (text) => {
    expect(isNetworkCidr(text)).toBe(true);
  });

  it.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0', '10.0.0.0/8/8'])('%s is none', (text) => {
    expect(isNetworkCidr(text)).toBe(false);
  });

  it('says which addresses lie inside', () => {
    expect(cidrContains('192.168.150.0/24', '192.168.150.255')).toBe(true);
    expect(cidrContains('192.168.150.0/24', '192.168.151.0')).toBe(false);
    expect(cidrContains('192.168.150.0/24', '::1')).toBe(false);
    expect(cidrContains('2001:db8::/32', '2001:db8:ffff::1')).toBe(true);
    expect(isCidr('2001:db8::1/64')).toBe(true);
  });
});
