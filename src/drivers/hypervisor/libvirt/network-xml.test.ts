import { describe, expect, it } from 'vitest';
import type { NetworkShape } from '../host-networks.ts';
import { networkXml, parseNetwork } from './network-xml.ts';

const network = {
  clusterId: 'c',
  uid: 'u',
  uuid: '5cf4c5a2-0d7e-5b5d-9e57-3f0f6c3b7a11',
  networkName: 'ovcp-lan',
  bridgeName: 'ovcp0123456789',
};

describe('networkXml', () => {
  it.each<[string, NetworkShape]>([
    [
      'NAT with DHCP',
      {
        kind: 'NAT',
        cidr: '192.168.150.0/24',
        dhcp: { start: '192.168.150.10', end: '192.168.150.20' },
      },
    ],
    ['isolated without addresses', { kind: 'Isolated' }],
    ['isolated with an address', { kind: 'Isolated', cidr: '10.1.0.0/16' }],
    ['NAT over IPv6', { kind: 'NAT', cidr: 'fd00:0:0:1:0:0:0:0/64' }],
  ])('reads back %s', (_, shape) => {
    const parsed = parseNetwork(networkXml(network, shape));
    expect(parsed).toEqual({ uuid: network.uuid, name: 'ovcp-lan', bridge: 'ovcp0123456789', shape });
  });

  it('gives the host the first address', () => {
    expect(networkXml(network, { kind: 'NAT', cidr: '10.9.8.0/23' })).toContain(
      '<ip family="ipv4" address="10.9.8.1" prefix="23"/>',
    );
  });

  it('reads the netmask that libvirt answers', () => {
    const xml = '<network><name>x</name><ip address="10.0.0.1" netmask="255.255.240.0"/></network>';
    expect(parseNetwork(xml).shape.cidr).toBe('10.0.0.0/20');
  });

  it('refuses what is no network', () => {
    expect(() => networkXml(network, { kind: 'NAT', cidr: '10.0.0.0' })).toThrow(/CIDR/);
  });
});
