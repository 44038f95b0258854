import { z } from 'zod';
import { statusBase } from './conditions.ts';
import { cidrContains, parseIp } from './ip.ts';
import {
  type ClusterObject,
  GROUP,
  type KindDefinition,
  messageColumn,
  nameIsLabel,
  readyColumns,
  VERSION,
} from './kind.ts';
import {
  absent,
  dnsLabel,
  dnsSubdomain,
  int,
  ip,
  listMap,
  matching,
  networkCidr,
  type Output,
  reference,
  rule,
  text,
} from './kit.ts';
import { allowedNamespaces } from './namespaces.ts';

const dhcp = () =>
  rule(
    z.object({
      start: ip()
        .optional()
        .describe('First address given out; absent means the first free one of the network.'),
      end: ip().optional().describe('Last address given out; absent means the last one of the network.'),
    }),
    {
      cel: 'has(self.start) == has(self.end)',
      message: 'dhcp.start and dhcp.end come together',
      js: (it) => (it.start === undefined) === (it.end === undefined),
    },
  ).describe('Addresses given out by the host. Absent: none.');

interface Range {
  readonly cidr?: string | undefined;
  readonly dhcp?: { readonly start?: string | undefined; readonly end?: string | undefined } | undefined;
}

const rangeIsInside = ({ cidr, dhcp: range }: Range): boolean => {
  if (range === undefined) return true;
  if (cidr === undefined) return false;
  const { start, end } = range;
  if (start === undefined || end === undefined) return true;
  const [first, last] = [parseIp(start), parseIp(end)];
  return (
    cidrContains(cidr, start) &&
    cidrContains(cidr, end) &&
    first !== undefined &&
    last !== undefined &&
    first.value <= last.value
  );
};

/** CEL has no order of addresses; IPv4 ones are compared as numbers. */
const asNumber = (field: string): string =>
  [16_777_216, 65_536, 256, 1].map((weight, at) => `int(${field}.split('.')[${at}]) * ${weight}`).join(' + ');

const withRange = <Schema extends z.ZodType<Range>>(schema: Schema): Schema =>
  rule(schema, {
    cel:
      '!has(self.dhcp) || (has(self.cidr) && (!has(self.dhcp.start) || !has(self.dhcp.end) || ' +
      '(isIP(self.dhcp.start) && isIP(self.dhcp.end) && isCIDR(self.cidr) && ' +
      'cidr(self.cidr).containsIP(self.dhcp.start) && cidr(self.cidr).containsIP(self.dhcp.end) && ' +
      `${asNumber('self.dhcp.start')} <= ${asNumber('self.dhcp.end')})))`,
    message: 'dhcp needs a cidr, and its start and end must lie in it, start first',
    js: rangeIsInside,
  });

const nat = withRange(
  z.object({
    cidr: networkCidr().describe('Network of the machines; the host takes its first address.'),
    dhcp: dhcp().optional(),
  }),
);

const isolated = withRange(
  z.object({
    cidr: networkCidr().optional().describe('Network of the machines; absent means the host has no address.'),
    dhcp: dhcp().optional(),
  }),
);

const bridge = z.object({
  name: matching(
    15,
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    'must be the name of a network interface, at most 15 characters',
  ).describe('Bridge that exists on the hosts.'),
  vlan: int(1, 4094)
    .optional()
    .describe('VLAN of the machines, on Open vSwitch or a bridge that filters VLANs.'),
});

const backendCommon = {
  name: dnsLabel().describe('Name of the backend.'),
  hostPoolRef: reference('HostPool whose hosts use this backend.'),
};

const backend = z.discriminatedUnion('type', [
  z.object({
    ...backendCommon,
    type: z.literal('Bridge').describe('Bridge, NAT or Isolated.'),
    bridge: bridge.describe('A bridge that the administrator made.'),
    nat: absent(),
    isolated: absent(),
  }),
  z.object({
    ...backendCommon,
    type: z.literal('NAT'),
    nat: nat.describe('A network of each host, behind its address.'),
    bridge: absent(),
    isolated: absent(),
  }),
  z.object({
    ...backendCommon,
    type: z.literal('Isolated'),
    isolated: isolated.describe('A network of each host that leads nowhere else.'),
    bridge: absent(),
    nat: absent(),
  }),
]);

export const virtualNetworkSpec = z.object({
  allowedNamespaces: allowedNamespaces(),
  backends: rule(listMap(backend, 'name', 64), {
    cel: 'self.all(a, self.exists_one(b, b.hostPoolRef.name == a.hostPoolRef.name))',
    message: 'each HostPool may have one backend only',
    js: (list) => new Set(list.map((it) => it.hostPoolRef.name)).size === list.length,
  }).describe('What the network is in each HostPool.'),
  antiSpoofing: z
    .object({
      mac: z.boolean().default(true).describe('Machines may only send from their own MAC address.'),
      ip: z
        .boolean()
        .default(true)
        .describe(
          'Machines may only send from their own IP addresses. libvirt guards IPv4 alone: a guarded card sends no IPv6.',
        ),
    })
    .default({ mac: true, ip: true })
    .describe('What machines are kept from pretending.'),
});

const hostState = z.object({
  name: dnsSubdomain().describe('Name of the Host.'),
  backend: dnsLabel().describe('Backend used there.'),
  ready: z.boolean().describe('Whether machines can be plugged in there.'),
  bridge: text(15).optional().describe('Name of the bridge on that host.'),
  reason: text(64).optional().describe('Why it is not ready.'),
  message: text(1024).optional().describe('The same in one sentence.'),
});

export const virtualNetworkStatus = z.object({
  ...statusBase,
  hosts: listMap(hostState, 'name', 1024).optional().describe('The network as each host has it.'),
  hostsReady: int(0, 100_000).optional().describe('Number of hosts where machines can be plugged in.'),
});

/** What a machine plugs into. */
export type VirtualNetworkSpec = Output<typeof virtualNetworkSpec>;
export type VirtualNetworkBackend = VirtualNetworkSpec['backends'][number];
export type VirtualNetworkStatus = Output<typeof virtualNetworkStatus>;
export type VirtualNetwork = ClusterObject<'VirtualNetwork', VirtualNetworkSpec, VirtualNetworkStatus>;

export const virtualNetwork = {
  group: GROUP,
  version: VERSION,
  kind: 'VirtualNetwork',
  plural: 'virtualnetworks',
  singular: 'virtualnetwork',
  shortNames: ['ovn'],
  scope: 'Cluster',
  description: 'What a machine plugs into: one name for what may be different things in each HostPool.',
  printerColumns: [
    { name: 'Hosts', type: 'integer', jsonPath: '.status.hostsReady' },
    messageColumn,
    ...readyColumns,
  ],
  spec: virtualNetworkSpec,
  status: virtualNetworkStatus,
  rules: [nameIsLabel('VirtualNetwork')],
} as const satisfies KindDefinition;
