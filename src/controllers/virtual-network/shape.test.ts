import { describe, expect, it } from 'vitest';
import { dhcpRange, shapeOf } from './shape.ts';

const ref = { hostPoolRef: { name: 'p' } };

describe('dhcpRange', () => {
  it.each([
    ['192.168.150.0/24', '192.168.150.2', '192.168.150.254'],
    ['10.0.0.0/8', '10.0.0.2', '10.1.0.0'],
    ['10.0.0.0/29', '10.0.0.2', '10.0.0.6'],
    ['fd00:1::/64', 'fd00:1::2', 'fd00:1::1:0'],
    ['2001:db8:0:1:1::/80', '2001:db8:0:1:1::2', '2001:db8:0:1:1:0:1:0'],
    ['fd00::/126', 'fd00::2', 'fd00::3'],
  ])('takes all of %s but the addresses of network, host and broadcast', (cidr, start, end) => {
    expect(dhcpRange(cidr, {})).toEqual({ start, end });
  });

  it('takes what is given', () => {
    const given = { start: '10.0.0.100', end: '10.0.0.200' };
    expect(dhcpRange('10.0.0.0/24', given)).toEqual(given);
  });

  it('has nothing to give in a network of two addresses', () => {
    expect(dhcpRange('10.0.0.0/31', {})).toBeUndefined();
  });

  it('is of at most 65,535 addresses, which is what libvirt takes', () => {
    const range = dhcpRange('10.0.0.0/8', {});
    const last = range?.end.split('.').map(Number) ?? [];
    expect((last[1] ?? 0) * 65_536 + (last[2] ?? 0) * 256 + (last[3] ?? 0) - 2 + 1).toBe(65_535);
  });
});

describe('shapeOf', () => {
  it('makes nothing of a bridge', () => {
    expect(shapeOf({ ...ref, name: 'b', type: 'Bridge', bridge: { name: 'br0' } })).toBeUndefined();
  });
  it('keeps addresses of an isolated network away when it has none', () => {
    expect(shapeOf({ ...ref, name: 'i', type: 'Isolated', isolated: {} })).toEqual({ kind: 'Isolated' });
  });
  it('gives out addresses only when dhcp is asked for', () => {
    const nat = { cidr: '10.0.0.0/24' };
    expect(shapeOf({ ...ref, name: 'n', type: 'NAT', nat })).toEqual({ kind: 'NAT', cidr: '10.0.0.0/24' });
    expect(shapeOf({ ...ref, name: 'n', type: 'NAT', nat: { ...nat, dhcp: {} } })).toEqual({
      kind: 'NAT',
      cidr: '10.0.0.0/24',
      dhcp: { start: '10.0.0.2', end: '10.0.0.254' },
    });
  });
});
