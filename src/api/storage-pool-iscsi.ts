import { z } from 'zod';
import { absent, atomic, immutable, listSet, matching, type Output, reference, rule, text } from './kit.ts';
import { absolutePath, sshFields } from './storage-pool-gluster.ts';

const PORTAL = /^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/;

const portal = () =>
  matching(260, PORTAL, 'must be an address and a port such as 192.0.2.31:3260 or [2001:db8::31]:3260');

const LVM_NAME = /^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}$/;
const lvmName = (what: string) => matching(127, LVM_NAME, `must be the name of ${what} such as vg0`);

const backing = immutable(
  atomic(
    z.discriminatedUnion('type', [
      z.object({
        type: z.literal('LVMThin').describe('LVMThin, LVM or Files.'),
        lvmThin: z
          .object({
            volumeGroup: lvmName('a volume group').describe('Volume group that exists on the server.'),
            thinPool: lvmName('a thin pool').describe('Thin pool in it; clones are thin snapshots.'),
          })
          .describe('Thin logical volumes.'),
        lvm: absent(),
        files: absent(),
      }),
      z.object({
        type: z.literal('LVM'),
        lvm: z
          .object({
            volumeGroup: lvmName('a volume group').describe('Volume group that exists on the server.'),
          })
          .describe('Logical volumes that take their whole size at once.'),
        lvmThin: absent(),
        files: absent(),
      }),
      z.object({
        type: z.literal('Files'),
        files: z
          .object({
            path: absolutePath('path of the files', '/srv/ovcp/san').describe('Folder on the server.'),
          })
          .describe('Sparse files.'),
        lvmThin: absent(),
        lvm: absent(),
      }),
    ]),
  ),
  'iscsi.backing',
);

const chap = z.object({
  user: matching(64, /^[A-Za-z0-9._:@+-]+$/, 'must be of letters, digits and the signs . _ : @ + -')
    .optional()
    .describe('Name that hosts log in with; absent means `ovcp-` and the name of the StoragePool.'),
  credentialsSecretRef: reference(
    "Secret in the operator's namespace: chap-password, of 12 to 64 letters, digits and the signs . _ : @ + = / -. With attach Host also chap-mutual-user and chap-mutual-password, with which the target proves itself.",
  ),
});

const fields = z.object({
  target: z
    .object({
      software: immutable(z.enum(['LIO', 'TGT']), 'iscsi.target.software').describe(
        'LIO: the target of the Linux kernel. TGT: tgtd.',
      ),
      ...sshFields(),
      portals: listSet(portal(), 8)
        .refine((portals) => portals.length > 0, { message: 'at least one portal' })
        .meta({ minItems: 1 })
        .describe('Addresses and ports where hosts reach the target; the first is used by QEMU.'),
    })
    .describe('The server, which the operator manages over SSH.'),
  backing: backing.describe('Where the server keeps the disks.'),
  chap: chap
    .optional()
    .describe('Without it hosts are told apart by their initiator name and address alone.'),
  attach: immutable(z.enum(['QEMU', 'Host']), 'iscsi.attach').describe(
    "QEMU: the emulator logs in by itself, at the first portal. Host: the host's own initiator logs in at every portal, with multipathd where there are several.",
  ),
});

/** Names of disks come from their target: tgt makes up the same ones on every server. */
export const iscsiSpec = rule(fields, {
  cel: "self.attach != 'Host' || self.target.software == 'LIO'",
  message: 'attach Host goes with software LIO: disks of tgt have no names of their own',
  js: ({ attach, target }) => attach !== 'Host' || target.software === 'LIO',
});

export type IscsiSpec = Output<typeof iscsiSpec>;

/** How hosts log in: the part that tells one secret from the next, and nothing of the secret. */
export const loginStatus = z.object({
  version: text(64).describe('Changes with the Secret.'),
});

/** Name that hosts log in with. */
export const chapUserOf = (poolName: string, chap: NonNullable<IscsiSpec['chap']>): string =>
  chap.user ?? `ovcp-${poolName}`;

/** The two parts of a portal. */
export const portalOf = (text: string): { readonly address: string; readonly port: number } => {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
};
