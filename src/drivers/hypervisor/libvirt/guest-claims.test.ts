import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimedAddresses, claimedHostname, claimedIp, claimedOs } from './guest-claims.ts';

describe('claimedHostname', () => {
  it.each([
    ['web-1', 'web-1'],
    ['WEB.Example.org.', 'web.example.org'],
    ['a'.repeat(63), 'a'.repeat(63)],
  ])('takes %j', (said, name) => {
    expect(claimedHostname(said)).toBe(name);
  });

  it.each(
    [
      ['', '-a', 'a-', 'a..b', '<script>', 'a b', 'a\u001b[2J', 'a\n', 'é', '\u202Ea'],
      ['a'.repeat(64), `${'a.'.repeat(127)}a`, 'x'.repeat(1 << 20), 7, null],
    ].flat(),
  )('drops %#', (said) => {
    expect(claimedHostname(said)).toBeUndefined();
  });
});

describe('claimedIp', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
  ])('takes %j', (said, ip) => {
    expect(claimedIp(said)).toBe(ip);
  });

  it.each([
    '127.0.0.1',
    '::1',
    'fe80::1',
    '169.254.169.254',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '2130706433',
  ])('drops %j', (said) => {
    expect(claimedIp(said)).toBeUndefined();
  });

  it.each(['0x7f.1', '010.0.0.1', '10.1', 'fe80::1%eth0', '1'.repeat(1000), 'x', '', 3])(
    'drops the odd %#',
    (said) => {
      expect(claimedIp(said)).toBeUndefined();
    },
  );
});

describe('claimedOs', () => {
  it('keeps printable text of bounded length', () => {
    expect(claimedOs('Debian GNU/Linux 12 (bookworm)')).toBe('Debian GNU/Linux 12 (bookworm)');
    expect(claimedOs('a\u0000b\u001b[31m\u202E<img>\n c')).toBe('ab[31mimg c');
    expect(claimedOs('x'.repeat(1 << 20))).toHaveLength(128);
    expect(claimedOs('\u0007')).toBeUndefined();
  });
});

describe('claimedAddresses', () => {
  it('speaks of our own cards only and stays bounded whatever a guest says', () => {
    const claim = fc.record({
      mac: fc.oneof(fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:0A'), fc.string(), fc.integer()),
      ips: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constant(null)), { maxLength: 300 }),
    });
    const macs = ['52:54:00:00:00:01', '52:54:00:00:00:0a'];
    fc.assert(
      fc.property(fc.array(claim, { maxLength: 10 }), (claims) => {
        const said = claimedAddresses(macs, claims);
        expect(said.length).toBeLessThanOrEqual(2);
        for (const each of said) {
          expect(macs).toContain(each.mac);
          expect(each.ips.length).toBeLessThanOrEqual(16);
          expect(each.ips.every((ip) => claimedIp(ip) === ip)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});
