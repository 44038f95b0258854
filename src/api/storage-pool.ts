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
  listSet,
  type Output,
  quantity,
  quantityBetween,
  rule,
  text,
} from './kit.ts';
import { allowedNamespaces } from './namespaces.ts';

const hostPoolRef = z.object({ name: dnsSubdomain(63).describe('Name of a HostPool.') });

const PATH_SHAPE = /^(\/[A-Za-z0-9._-]+)+$/;

const common = {
  hostPoolRefs: listMap(hostPoolRef, 'name', 64)
    .refine((refs) => refs.length > 0, { message: 'at least one HostPool' })
    .meta({ minItems: 1 })
    .describe('HostPools whose hosts reach this storage.'),
  topology: immutable(z.enum(['HostLocal', 'Shared']), 'topology').describe(
    'HostLocal: each host has its own, and a disk is bound to one. Shared: all hosts see the same files.',
  ),
  roles: listSet(z.enum(['Disks', 'Images', 'ISO']), 3)
    .refine((roles) => roles.length > 0, { message: 'at least one role' })
    .meta({ minItems: 1 })
    .describe('What may be kept here.'),
  allowedNamespaces: allowedNamespaces(),
  maxImageSize: quantityBetween('1Mi', '64Ti', 'maxImageSize')
    .default('100Gi')
    .describe('Images whose virtual size is larger are refused.'),
};

const path = () =>
  rule(text(512), {
    cel: `self.matches(r'${PATH_SHAPE.source}') && !self.split('/').exists(part, part == '.' || part == '..')`,
    message: "path must be absolute, of plain letters and free of '.' and '..', such as /var/lib/ovcp/disks",
    js: (value) => PATH_SHAPE.test(value) && !value.split('/').some((part) => part === '.' || part === '..'),
  });

const driver = <Name extends string>(name: Name) =>
  immutable(z.literal(name), 'driver').describe('How the storage is driven.');

export const storagePoolSpec = z.discriminatedUnion('driver', [
  z.object({
    driver: driver('dir'),
    dir: z
      .object({
        path: immutable(path(), 'dir.path').describe(
          'Folder on the hosts; the operator makes it when HostLocal.',
        ),
      })
      .describe('A folder on each host, or one mounted on all of them by the administrator.'),
    ...common,
  }),
  z.object({ driver: driver('simulated'), dir: absent(), ...common }),
]);

const hostState = z.object({
  name: dnsSubdomain().describe('Name of the Host.'),
  ready: z.boolean().describe('Whether the storage can be used there.'),
  capacity: quantity().optional().describe('Size of the storage on this host.'),
  available: quantity().optional().describe('Free space on this host.'),
  reason: text(64).optional().describe('Why it is not ready.'),
  message: text(1024).optional().describe('The same in one sentence.'),
});

export const storagePoolStatus = z.object({
  ...statusBase,
  hosts: listMap(hostState, 'name', 1024).optional().describe('The storage as each host sees it.'),
  capacity: quantity().optional().describe('Size of the storage, over all hosts when HostLocal.'),
  available: quantity().optional().describe('Free space, over all hosts when HostLocal.'),
  sharedMarker: z
    .boolean()
    .optional()
    .describe(
      'The marker file was there once. From then on it must be: without it the folder is another one.',
    ),
  disks: int(0, 10_000_000).optional().describe('Number of disks kept here.'),
  images: int(0, 10_000_000).optional().describe('Number of images kept here.'),
});

/** Where disks and images live. */
export type StoragePoolSpec = Output<typeof storagePoolSpec>;
export type StoragePoolStatus = Output<typeof storagePoolStatus>;
export type StoragePool = ClusterObject<'StoragePool', StoragePoolSpec, StoragePoolStatus>;

export const storagePool = {
  group: GROUP,
  version: VERSION,
  kind: 'StoragePool',
  plural: 'storagepools',
  singular: 'storagepool',
  shortNames: ['osp'],
  scope: 'Cluster',
  description: 'Where disks and images live.',
  printerColumns: [
    { name: 'Driver', type: 'string', jsonPath: '.spec.driver' },
    { name: 'Topology', type: 'string', jsonPath: '.spec.topology' },
    { name: 'Capacity', type: 'string', jsonPath: '.status.capacity' },
    { name: 'Available', type: 'string', jsonPath: '.status.available' },
    { name: 'Disks', type: 'integer', jsonPath: '.status.disks' },
    { name: 'Images', type: 'integer', jsonPath: '.status.images' },
    { name: 'Roles', type: 'string', jsonPath: '.spec.roles', priority: 1 },
    { name: 'Path', type: 'string', jsonPath: '.spec.dir.path', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: storagePoolSpec,
  status: storagePoolStatus,
  rules: [nameIsLabel('StoragePool')],
} as const satisfies KindDefinition;
