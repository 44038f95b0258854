import { z } from 'zod';
import { statusBase } from './conditions.ts';
import {
  type ClusterObject,
  GROUP,
  type KindDefinition,
  messageColumn,
  readyColumns,
  VERSION,
} from './kind.ts';
import {
  dnsSubdomain,
  immutable,
  int,
  listSet,
  type Output,
  quantity,
  reference,
  text,
  time,
} from './kit.ts';

export const hostSpec = z.object({
  hostPoolRef: immutable(reference('HostPool the host belongs to.'), 'hostPoolRef'),
  hostName: immutable(dnsSubdomain(128), 'hostName').describe('Name of the host in the list of its pool.'),
  unschedulable: z
    .boolean()
    .default(false)
    .describe('No machine is placed here any more; those that run here go on.'),
  declaredDown: z
    .object({ reason: text(1024).min(1).describe('Why; shown in conditions.') })
    .optional()
    .describe('This host is gone for good: what was on it counts as lost, and is no longer waited for.'),
});

const resources = () =>
  z.object({
    cpus: int(0, 1_000_000).describe('Number of CPUs.'),
    memory: quantity().describe('Amount of memory.'),
  });

const name = () => text(64).regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);

export const hostStatus = z.object({
  ...statusBase,
  uri: text(512).optional().describe('How the host is reached, without credentials.'),
  credentialsSecretRef: reference(
    'Secret its credentials were last read from; a host taken out of its pool is still reached with it.',
  ).optional(),
  hostUuid: text(36)
    .optional()
    .describe('UUID the host tells of itself; one host in two pools is found by it.'),
  hypervisor: z
    .object({
      driver: z.enum(['libvirt', 'simulated']).describe('Driver of the pool.'),
      type: text(32).describe('Hypervisor type as the host names it, such as QEMU.'),
      version: text(32).optional().describe('Version of the hypervisor.'),
      libvirtVersion: text(32).optional().describe('Version of libvirt.'),
      architecture: text(32).optional().describe('Architecture of the host, such as x86_64.'),
    })
    .optional()
    .describe('What runs the machines.'),
  acceleration: z
    .enum(['KVM', 'Emulation'])
    .optional()
    .describe('Whether guests really run on the hardware, or are emulated.'),
  capacity: resources().optional().describe('What the host has.'),
  allocated: resources().optional().describe('What has been promised to machines.'),
  machines: int(0, 1_000_000).optional().describe('Number of machines placed here.'),
  capabilities: listSet(name(), 64).optional().describe('What the host can do.'),
  attachmentKinds: listSet(name(), 8).optional().describe('Ways in which a disk can reach the host.'),
  lastSeenTime: time().optional().describe('When the host last answered; kept coarse.'),
});

/** One hypervisor host; made by the controller of its pool. */
export type HostSpec = Output<typeof hostSpec>;
export type HostStatus = Output<typeof hostStatus>;
export type Host = ClusterObject<'Host', HostSpec, HostStatus>;

export const host = {
  group: GROUP,
  version: VERSION,
  kind: 'Host',
  plural: 'hosts',
  singular: 'host',
  shortNames: ['oh'],
  scope: 'Cluster',
  description:
    'One hypervisor host, made by its HostPool and named <pool>.<host>. Its spec belongs to the administrator.',
  printerColumns: [
    { name: 'Pool', type: 'string', jsonPath: '.spec.hostPoolRef.name' },
    { name: 'Machines', type: 'integer', jsonPath: '.status.machines' },
    { name: 'CPUs', type: 'integer', jsonPath: '.status.capacity.cpus' },
    { name: 'Used-CPUs', type: 'integer', jsonPath: '.status.allocated.cpus' },
    { name: 'Memory', type: 'string', jsonPath: '.status.capacity.memory' },
    { name: 'Used-Memory', type: 'string', jsonPath: '.status.allocated.memory' },
    { name: 'Acceleration', type: 'string', jsonPath: '.status.acceleration', priority: 1 },
    { name: 'Version', type: 'string', jsonPath: '.status.hypervisor.version', priority: 1 },
    { name: 'URI', type: 'string', jsonPath: '.status.uri', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: hostSpec,
  status: hostStatus,
  rules: [],
} as const satisfies KindDefinition;
