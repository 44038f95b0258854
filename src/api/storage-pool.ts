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
  listAtomic,
  listMap,
  listSet,
  type Output,
  quantity,
  quantityBetween,
  rule,
  text,
} from './kit.ts';
import { allowedNamespaces } from './namespaces.ts';
import { absolutePath, glusterSpec, machineAddress, serverDeletionPolicy } from './storage-pool-gluster.ts';
import { iscsiSpec, loginStatus } from './storage-pool-iscsi.ts';
import { lvmSpec } from './storage-pool-lvm.ts';

const hostPoolRef = z.object({ name: dnsSubdomain(63).describe('Name of a HostPool.') });

const common = {
  hostPoolRefs: listMap(hostPoolRef, 'name', 64)
    .refine((refs) => refs.length > 0, { message: 'at least one HostPool' })
    .meta({ minItems: 1 })
    .describe('HostPools whose hosts reach this storage.'),
  roles: listSet(z.enum(['Disks', 'Images', 'ISO']), 3)
    .refine((roles) => roles.length > 0, { message: 'at least one role' })
    .meta({ minItems: 1 })
    .describe('What may be kept here.'),
  allowedNamespaces: allowedNamespaces(),
  overProvisionPercent: int(1, 100_000)
    .optional()
    .describe(
      'How much may be promised to disks, in percent of the capacity: the sum of their sizes, whatever they take of it. Absent means no limit.',
    ),
  maxImageSize: quantityBetween('1Mi', '64Ti', 'maxImageSize')
    .default('100Gi')
    .describe('Images whose virtual size is larger are refused.'),
};

const topology = () =>
  immutable(z.enum(['HostLocal', 'Shared']), 'topology').describe(
    'HostLocal: each host has its own, and a disk is bound to one. Shared: all hosts see the same files. Only of dir and simulated; gluster and nfs are Shared, lvm is HostLocal.',
  );

const driver = <Name extends string>(name: Name) =>
  immutable(z.literal(name), 'driver').describe('How the storage is driven.');

const nfs = z
  .object({
    server: immutable(machineAddress(), 'nfs.server').describe('IP address or DNS name of the server.'),
    export: immutable(absolutePath('export', '/srv/ovcp'), 'nfs.export').describe('What the server exports.'),
  })
  .describe('An export that exists; every host mounts it, and nothing is changed on the server.');

const simulatedServer = z
  .object({
    serves: immutable(z.enum(['Files', 'Disks']), 'simulated.server.serves').describe(
      'Files: hosts mount a file system. Disks: they take single disks.',
    ),
    attach: immutable(z.enum(['QEMU', 'Host']), 'simulated.server.attach')
      .optional()
      .describe('Of Disks: how hosts open them, as with iscsi.attach; absent means QEMU.'),
    latencyMs: int(0, 60_000)
      .optional()
      .describe('How long each call takes, in milliseconds; absent means 0.'),
    deletionPolicy: serverDeletionPolicy().optional(),
  })
  .describe('A storage server in the memory of the operator.');

/** Hosts take single disks from a server; else they open files in a folder. */
export const servesDisks = (
  spec: Pick<z.output<typeof union>, 'driver'> & {
    readonly simulated?: { readonly server?: { readonly serves: string } | undefined } | undefined;
  },
): boolean => spec.driver === 'iscsi' || spec.simulated?.server?.serves === 'Disks';

/** Disks are all it keeps, each filled by streaming: no images lie in it, and no other files. */
export const takesDisksAlone = (spec: Parameters<typeof servesDisks>[0]): boolean =>
  spec.driver === 'lvm' || servesDisks(spec);

const union = z.discriminatedUnion('driver', [
  z.object({
    driver: driver('dir'),
    dir: z
      .object({
        path: immutable(absolutePath('path', '/var/lib/ovcp/disks'), 'dir.path').describe(
          'Folder on the hosts; the operator makes it when HostLocal.',
        ),
      })
      .describe('A folder on each host, or one mounted on all of them by the administrator.'),
    topology: topology(),
    gluster: absent(),
    nfs: absent(),
    lvm: absent(),
    iscsi: absent(),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('gluster'),
    gluster: glusterSpec.describe('A Gluster volume that the operator runs or uses.'),
    dir: absent(),
    topology: absent(),
    nfs: absent(),
    lvm: absent(),
    iscsi: absent(),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('nfs'),
    nfs,
    dir: absent(),
    topology: absent(),
    gluster: absent(),
    lvm: absent(),
    iscsi: absent(),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('iscsi'),
    iscsi: iscsiSpec.describe('An iSCSI target that the operator runs: one LUN for each disk.'),
    dir: absent(),
    topology: absent(),
    gluster: absent(),
    nfs: absent(),
    lvm: absent(),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('lvm'),
    lvm: lvmSpec,
    dir: absent(),
    topology: absent(),
    gluster: absent(),
    nfs: absent(),
    iscsi: absent(),
    simulated: absent(),
    ...common,
  }),
  z.object({
    driver: driver('simulated'),
    topology: topology(),
    simulated: z
      .object({ server: simulatedServer.optional() })
      .optional()
      .describe('More about storage in the memory of the operator.'),
    dir: absent(),
    gluster: absent(),
    nfs: absent(),
    lvm: absent(),
    iscsi: absent(),
    ...common,
  }),
]);

const shared = rule(union, {
  cel: "!has(self.simulated) || !has(self.simulated.server) || !has(self.topology) || self.topology == 'Shared'",
  message: 'what a server serves is Shared: topology HostLocal goes with no simulated.server',
  js: (it) => it.driver !== 'simulated' || it.simulated?.server === undefined || it.topology === 'Shared',
});

/** Where each disk is a LUN or a volume there is no place for files: an image is copied into it from another pool. */
export const storagePoolSpec = rule(shared, {
  cel: "!((self.driver in ['iscsi', 'lvm'] || (has(self.simulated) && has(self.simulated.server) && self.simulated.server.serves == 'Disks'))) || self.roles == ['Disks']",
  message: 'a pool that hands out single disks has the role Disks alone; images are kept in another pool',
  js: (it) => !takesDisksAlone(it) || (it.roles.length === 1 && it.roles[0] === 'Disks'),
});

/** How hosts open the disks of a pool that hands out single ones. */
export const attachOf = (spec: StoragePoolSpec): 'QEMU' | 'Host' => {
  if (spec.driver === 'iscsi') return spec.iscsi.attach;
  return spec.driver === 'simulated' ? (spec.simulated?.server?.attach ?? 'QEMU') : 'QEMU';
};

const path = z.object({
  portal: text(260).describe('Address and port of the target.'),
  state: z
    .enum(['Up', 'Down'])
    .describe('Down: at least one disk that is used on the host has no working path there.'),
  message: text(512).optional().describe('More about it, in one sentence.'),
});

const hostState = z.object({
  name: dnsSubdomain().describe('Name of the Host.'),
  ready: z.boolean().describe('Whether the storage can be used there.'),
  capacity: quantity().optional().describe('Size of the storage on this host.'),
  available: quantity().optional().describe('Free space on this host.'),
  reason: text(64).optional().describe('Why it is not ready.'),
  message: text(1024).optional().describe('The same in one sentence.'),
  paths: listAtomic(path, 8)
    .optional()
    .describe('Where the host itself is logged in to disks of the pool: each portal of the target.'),
});

const component = z.object({
  kind: z
    .enum(['server', 'brick', 'portal', 'thinPool'])
    .describe('What it is: a machine, a brick of a volume, an address of a target, a thin pool.'),
  name: text(160).describe('g1; a/a1 for the brick a1 of the set a.'),
  state: z.enum(['Up', 'Down', 'Unknown']).describe('Unknown: nobody could be asked.'),
  message: text(512).optional().describe('Why it is not up.'),
});

const serverStatus = {
  health: z
    .object({
      state: z
        .enum(['Healthy', 'Degraded', 'Unusable'])
        .describe('Degraded: it can be used, and something is to be looked at.'),
      reason: text(64).describe('Why, as one of the reasons.'),
      message: text(1024).describe('The same in one sentence.'),
    })
    .optional()
    .describe('How the server side stands; absent where there is none, or before it was looked at.'),
  components: listAtomic(component, 512)
    .optional()
    .describe('Parts of the server side that fail by themselves.'),
  heal: z
    .object({
      pending: int(0, 1_000_000_000).describe('Entries that wait for healing.'),
      splitBrain: int(0, 1_000_000_000).describe('Files in split-brain.'),
    })
    .optional()
    .describe('What is to be healed, where copies are kept.'),
  origin: z
    .enum(['Made', 'Adopted'])
    .optional()
    .describe(
      'Whether the operator made what is on the servers; only that can be deleted with the StoragePool.',
    ),
};

export const storagePoolStatus = z.object({
  ...statusBase,
  login: loginStatus.optional().describe('How hosts log in to the target, where they need a secret.'),
  ...serverStatus,
  hosts: listMap(hostState, 'name', 1024).optional().describe('The storage as each host sees it.'),
  hostsReady: int(0, 1024).optional().describe('Number of hosts where it can be used.'),
  capacity: quantity().optional().describe('Size of the storage, over all hosts when HostLocal.'),
  used: quantity().optional().describe('What is used of it.'),
  available: quantity().optional().describe('Free space, over all hosts when HostLocal.'),
  allocated: quantity()
    .optional()
    .describe('What is promised to disks: the sum of their sizes, whatever they take of the storage.'),
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
export type Topology = 'HostLocal' | 'Shared';

/** Whether all hosts see the same; the administrator says so where the driver does not decide it. */
export const topologyOf = (spec: StoragePoolSpec): Topology => {
  switch (spec.driver) {
    case 'dir':
    case 'simulated':
      return spec.topology;
    case 'gluster':
    case 'nfs':
    case 'iscsi':
      return 'Shared';
    case 'lvm':
      return 'HostLocal';
    default:
      return spec satisfies never;
  }
};

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
    { name: 'Capacity', type: 'string', jsonPath: '.status.capacity' },
    { name: 'Used', type: 'string', jsonPath: '.status.used' },
    { name: 'Health', type: 'string', jsonPath: '.status.health.state' },
    { name: 'Hosts', type: 'integer', jsonPath: '.status.hostsReady' },
    { name: 'Disks', type: 'integer', jsonPath: '.status.disks' },
    { name: 'Images', type: 'integer', jsonPath: '.status.images' },
    { name: 'Available', type: 'string', jsonPath: '.status.available', priority: 1 },
    { name: 'Allocated', type: 'string', jsonPath: '.status.allocated', priority: 1 },
    { name: 'Roles', type: 'string', jsonPath: '.spec.roles', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: storagePoolSpec,
  status: storagePoolStatus,
  rules: [nameIsLabel('StoragePool')],
} as const satisfies KindDefinition;
