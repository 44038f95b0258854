import { z } from 'zod';
import { statusBase } from './conditions.ts';
import {
  GROUP,
  type KindDefinition,
  messageColumn,
  type NamespacedObject,
  readyColumns,
  VERSION,
} from './kind.ts';
import {
  absent,
  atomic,
  digest,
  dnsSubdomain,
  growOnly,
  immutable,
  int,
  type Output,
  quantity,
  quantityBetween,
  reference,
  text,
  uid,
} from './kit.ts';

/** Size of a disk; no storage takes back what it gave. */
export const diskSize = () =>
  growOnly(
    quantityBetween('1Mi', '64Ti', 'size'),
    'a disk can only grow: size must not become smaller',
  ).describe('Size of the disk, such as 20Gi.');

/** How a disk is made from an image. */
export const cloneMode = () =>
  z
    .enum(['Linked', 'Full'])
    .describe('Linked: shares what is unchanged with the image. Full: a copy. Absent means Linked.');

/** What becomes of the data when the object is deleted. */
export const reclaimPolicy = () =>
  z
    .enum(['Delete', 'Retain'])
    .describe('Delete: the data goes with the object. Retain: it stays on the storage.');

const source = immutable(
  atomic(
    z.discriminatedUnion('type', [
      z.object({
        type: z.literal('Blank').describe('Blank, Image or Disk.'),
        imageRef: absent(),
        clone: absent(),
        diskRef: absent(),
      }),
      z.object({
        type: z.literal('Image'),
        imageRef: reference('VirtualMachineImage in the same namespace.'),
        clone: cloneMode().optional(),
        diskRef: absent(),
      }),
      z.object({
        type: z.literal('Disk'),
        diskRef: reference('VirtualDisk in the same namespace; it must not be in use while it is copied.'),
        imageRef: absent(),
        clone: absent(),
      }),
    ]),
  ),
  'source',
);

export const virtualDiskSpec = z.object({
  size: diskSize(),
  storagePoolRef: reference(
    'StoragePool the disk lives in. Another one moves it there, once no machine uses it.',
  ),
  source: source.default({ type: 'Blank' }).describe('What the disk begins with.'),
  format: immutable(z.enum(['qcow2', 'raw']), 'format')
    .default('qcow2')
    .describe('How the disk is kept on the storage.'),
  reclaimPolicy: reclaimPolicy().default('Delete'),
  deletionProtection: z.boolean().default(false).describe('While true, deleting the object is refused.'),
});

const claim = z.object({
  purpose: z
    .enum(['run', 'populate', 'handover'])
    .describe('run: a machine uses it. populate: it is being written. handover: it passes to another host.'),
  vmUid: uid().optional().describe('The machine that holds it.'),
  vmName: dnsSubdomain().optional().describe('Name of that machine.'),
  host: dnsSubdomain().optional().describe('Host it is used on.'),
  published: z
    .boolean()
    .optional()
    .describe('The storage server lets that host in; of disks of a storage server alone.'),
});

export const virtualDiskStatus = z.object({
  ...statusBase,
  host: dnsSubdomain().optional().describe('Host the disk is bound to; absent on shared storage.'),
  volume: z
    .object({
      pool: uid().describe('UID of the StoragePool.'),
      name: text(128).describe('Name of the volume on the storage.'),
      format: z.enum(['qcow2', 'raw']).describe('Format of the volume.'),
      standalone: z
        .boolean()
        .optional()
        .describe('It was made as a linked clone, and stands on no image since it was moved.'),
    })
    .optional()
    .describe('Where the data is.'),
  size: quantity().optional().describe('Size the disk has now.'),
  allocated: quantity().optional().describe('Space it takes on the storage.'),
  claim: claim.optional().describe('Who uses the disk now.'),
  move: z
    .object({
      from: dnsSubdomain().describe('Name of the StoragePool where its data is.'),
      to: dnsSubdomain().describe('Name of the StoragePool it is copied to.'),
      percent: int(0, 100).optional().describe('How much of it is copied and compared.'),
    })
    .optional()
    .describe('Absent unless the disk is on its way to another StoragePool.'),
  image: z
    .object({
      uid: uid().describe('UID of the image.'),
      name: dnsSubdomain().describe('Name of the image.'),
      digest: digest().optional().describe('Digest of the image.'),
    })
    .optional()
    .describe('The image it was made from.'),
});

/** A disk with its own life. */
export type VirtualDiskSpec = Output<typeof virtualDiskSpec>;
export type VirtualDiskStatus = Output<typeof virtualDiskStatus>;
export type VirtualDisk = NamespacedObject<'VirtualDisk', VirtualDiskSpec, VirtualDiskStatus>;

export const virtualDisk = {
  group: GROUP,
  version: VERSION,
  kind: 'VirtualDisk',
  plural: 'virtualdisks',
  singular: 'virtualdisk',
  shortNames: ['odisk'],
  scope: 'Namespaced',
  description: 'A disk with its own life: it outlives the machines it is attached to.',
  printerColumns: [
    { name: 'Size', type: 'string', jsonPath: '.spec.size' },
    { name: 'Pool', type: 'string', jsonPath: '.spec.storagePoolRef.name' },
    { name: 'Host', type: 'string', jsonPath: '.status.host' },
    { name: 'Used-By', type: 'string', jsonPath: '.status.claim.vmName' },
    { name: 'Reclaim', type: 'string', jsonPath: '.spec.reclaimPolicy', priority: 1 },
    { name: 'Volume', type: 'string', jsonPath: '.status.volume.name', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: virtualDiskSpec,
  status: virtualDiskStatus,
  rules: [
    {
      cel: 'self.spec.storagePoolRef == oldSelf.spec.storagePoolRef || (has(self.status) && has(self.status.volume))',
      message:
        'storagePoolRef can be changed once the disk is made: before that, delete it and make another one',
    },
  ],
} as const satisfies KindDefinition;
