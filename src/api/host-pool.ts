import { z } from 'zod';
import { statusBase } from './conditions.ts';
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
  dnsSubdomain,
  immutable,
  int,
  listMap,
  matching,
  type Output,
  quantityBetween,
  reference,
} from './kit.ts';
import { allowedNamespaces } from './namespaces.ts';
import { machineMemory } from './resources.ts';

const LIBVIRT_URI =
  /^(qemu|test)(\+(unix|ssh|tls))?:\/\/([A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])?(:[0-9]{1,5})?\/[A-Za-z0-9/._-]*(\?[A-Za-z0-9=&/._%-]*)?$/;

const hostName = () =>
  dnsSubdomain(128).describe('Name within the pool; the Host object is named <pool>.<name>.');

const libvirtHost = z.object({
  name: hostName(),
  uri: matching(
    512,
    LIBVIRT_URI,
    'must be a libvirt URI without password such as qemu+ssh://root@192.0.2.11/system',
  ).describe('libvirt connection URI, such as qemu+ssh://root@192.0.2.11/system. It never holds a password.'),
  credentialsSecretRef: reference(
    "Secret in the operator's namespace: ssh-privatekey and known_hosts for SSH; tls.crt, tls.key and ca.crt for TLS.",
  ).optional(),
});

const simulatedHost = z.object({
  name: hostName(),
  cpus: int(1, 4096).describe('Number of CPUs.'),
  memory: quantityBetween('1Mi', '1Pi', 'memory of a host').describe('Amount of memory.'),
  latencyMs: int(0, 60_000).optional().describe('How long each call takes, in milliseconds; absent means 0.'),
});

const common = {
  allowedNamespaces: allowedNamespaces(),
  overcommit: z
    .object({
      cpuPercent: int(10, 10_000).default(100).describe('Virtual CPUs per hundred real ones.'),
      memoryPercent: int(10, 1000).default(100).describe('Promised memory per hundred of what the host has.'),
    })
    .default({ cpuPercent: 100, memoryPercent: 100 })
    .describe('How much more may be promised than a host has; 100 is no more.'),
  auditPeriodSeconds: int(30, 3600)
    .default(120)
    .describe('How often each host is surveyed as a whole, besides the events it sends.'),
};

const driver = <Name extends string>(name: Name) =>
  immutable(z.literal(name), 'driver').describe('What the hosts are driven by.');

export const hostPoolSpec = z.discriminatedUnion('driver', [
  z.object({
    driver: driver('libvirt'),
    libvirt: z
      .object({ hosts: listMap(libvirtHost, 'name', 256).describe('The hosts of the pool.') })
      .describe('Hosts that run libvirt.'),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('simulated'),
    simulated: z
      .object({ hosts: listMap(simulatedHost, 'name', 256).describe('The hosts of the pool.') })
      .describe('Hosts that exist in the memory of the operator alone.'),
    libvirt: absent(),
    ...common,
  }),
]);

const resources = () =>
  z.object({
    cpus: int(0, 10_000_000).describe('Number of CPUs.'),
    memory: machineMemory().describe('Amount of memory.'),
  });

export const hostPoolStatus = z.object({
  ...statusBase,
  hosts: z
    .object({
      total: int(0, 100_000).describe('Hosts the pool lists, and those taken out that still hold machines.'),
      ready: int(0, 100_000).describe('Hosts that answer and take machines.'),
    })
    .optional()
    .describe('How many hosts there are.'),
  capacity: resources().optional().describe('What the hosts of the pool have together.'),
  allocated: resources().optional().describe('What has been promised to machines.'),
});

/** Hosts of one driver that share placement and overcommit. */
export type HostPoolSpec = Output<typeof hostPoolSpec>;
export type HostPoolStatus = Output<typeof hostPoolStatus>;
export type HostPool = ClusterObject<'HostPool', HostPoolSpec, HostPoolStatus>;

export const hostPool = {
  group: GROUP,
  version: VERSION,
  kind: 'HostPool',
  plural: 'hostpools',
  singular: 'hostpool',
  shortNames: ['ohp'],
  scope: 'Cluster',
  description: 'Hosts of one hypervisor driver that share placement and overcommit.',
  printerColumns: [
    { name: 'Driver', type: 'string', jsonPath: '.spec.driver' },
    { name: 'Hosts', type: 'integer', jsonPath: '.status.hosts.total' },
    { name: 'Up', type: 'integer', jsonPath: '.status.hosts.ready' },
    { name: 'CPUs', type: 'integer', jsonPath: '.status.capacity.cpus' },
    { name: 'Memory', type: 'string', jsonPath: '.status.capacity.memory' },
    { name: 'Used-CPUs', type: 'integer', jsonPath: '.status.allocated.cpus', priority: 1 },
    { name: 'Used-Memory', type: 'string', jsonPath: '.status.allocated.memory', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: hostPoolSpec,
  status: hostPoolStatus,
  rules: [nameIsLabel('HostPool')],
} as const satisfies KindDefinition;
