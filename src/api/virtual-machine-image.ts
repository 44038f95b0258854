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
  digest,
  dnsSubdomain,
  immutable,
  int,
  listAtomic,
  matching,
  type Output,
  quantity,
  reference,
  text,
} from './kit.ts';

const source = z.object({
  url: matching(
    2048,
    /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[!-"$-?A-~]*)?$/,
    'must be an http or https URL without user, password and fragment',
  ).describe('Where the file is; http or https, without user and password.'),
  checksum: digest().describe('Digest of the file as it is served: sha256:<hex> or sha512:<hex>.'),
  credentialsSecretRef: reference(
    'Secret in the same namespace with username and password, or token, and ca.crt for a private authority.',
  ).optional(),
});

export const virtualMachineImageSpec = immutable(
  z.object({
    storagePoolRef: reference('StoragePool the image is kept in.'),
    source: source.describe('Where the image comes from.'),
    format: z.enum(['raw', 'qcow2', 'iso']).describe('Format of the file, once decompressed.'),
    compression: z
      .enum(['None', 'Gzip', 'Xz', 'Zstd'])
      .default('None')
      .describe('How the file is compressed as it is served.'),
  }),
  'the spec of a VirtualMachineImage',
);

const copy = z.object({
  host: dnsSubdomain().optional().describe('Host the copy is on; absent on a shared pool.'),
  state: z.enum(['Importing', 'Ready', 'Failed']).describe('How far the copy is.'),
  percent: int(0, 100).optional().describe('How much has been fetched.'),
  message: text(1024).optional().describe('What went wrong.'),
});

export const virtualMachineImageStatus = z.object({
  ...statusBase,
  copies: listAtomic(copy, 1024).optional().describe('Where the image is, sorted by host.'),
  virtualSize: quantity().optional().describe('Size a machine sees.'),
  digest: digest().optional().describe('Digest that was verified.'),
});

/** A disk image or ISO fetched from a URL. */
export type VirtualMachineImageSpec = Output<typeof virtualMachineImageSpec>;
export type VirtualMachineImageStatus = Output<typeof virtualMachineImageStatus>;
export type VirtualMachineImage = NamespacedObject<
  'VirtualMachineImage',
  VirtualMachineImageSpec,
  VirtualMachineImageStatus
>;

export const virtualMachineImage = {
  group: GROUP,
  version: VERSION,
  kind: 'VirtualMachineImage',
  plural: 'virtualmachineimages',
  singular: 'virtualmachineimage',
  shortNames: ['oimg'],
  scope: 'Namespaced',
  description:
    'A disk image or ISO that is fetched from a URL and verified. It never changes: make another one.',
  printerColumns: [
    { name: 'Pool', type: 'string', jsonPath: '.spec.storagePoolRef.name' },
    { name: 'Format', type: 'string', jsonPath: '.spec.format' },
    { name: 'Size', type: 'string', jsonPath: '.status.virtualSize' },
    { name: 'Percent', type: 'string', jsonPath: '.status.copies[*].percent' },
    { name: 'URL', type: 'string', jsonPath: '.spec.source.url', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: virtualMachineImageSpec,
  status: virtualMachineImageStatus,
  rules: [],
} as const satisfies KindDefinition;
