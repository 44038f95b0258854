import { z } from 'zod';
import {
  addressWithPrefix,
  dnsLabel,
  dnsSubdomain,
  immutableOptional,
  int,
  ip,
  listAtomic,
  mac,
  matching,
  reference,
  rule,
  text,
} from './kit.ts';
import { cloneMode, diskSize, reclaimPolicy } from './virtual-disk.ts';

/** How a disk or network card looks to the guest. */
export const diskBus = () =>
  z.enum(['Virtio', 'SCSI', 'SATA']).describe('Bus of the disk. Absent: chosen when it is first attached.');

export const networkModel = () =>
  z.enum(['Virtio', 'E1000e']).describe('Model of the card. Absent: chosen when it is first attached.');

const bootOrder = () =>
  int(1, 64)
    .optional()
    .describe(
      'Place in the order of boot, 1 first. Absent: the machine does not boot from it, if others say.',
    );

const diskTemplate = z.object({
  size: diskSize(),
  storagePoolRef: reference('StoragePool the disk is made in.'),
  imageRef: reference('VirtualMachineImage it is made from. Absent: blank.').optional(),
  clone: cloneMode().optional(),
  reclaimPolicy: reclaimPolicy().optional().describe('Absent means Delete.'),
});

/** What a disk was made from cannot be changed later. */
const settled = immutableOptional(
  immutableOptional(
    rule(diskTemplate, {
      cel: 'self.storagePoolRef == oldSelf.storagePoolRef',
      message: 'storagePoolRef cannot be changed once it is set',
    }),
    'imageRef',
  ),
  'clone',
);

export const machineDisk = rule(
  z.object({
    name: dnsLabel().describe('Name of the disk within the machine.'),
    bus: diskBus().optional(),
    bootOrder: bootOrder(),
    template: rule(settled, {
      cel: '!has(self.clone) || has(self.imageRef)',
      message: 'clone needs imageRef: a blank disk is cloned from nothing',
      js: (it) => it.clone === undefined || it.imageRef !== undefined,
    })
      .optional()
      .describe('A VirtualDisk named <machine>.<disk> that is made for the machine.'),
    diskRef: reference('A VirtualDisk in the same namespace that has its own life.').optional(),
  }),
  {
    cel: 'has(self.template) != has(self.diskRef)',
    message: 'a disk needs either template or diskRef, not both',
    js: (it) => (it.template === undefined) !== (it.diskRef === undefined),
  },
);

export const machineCdrom = z.object({
  name: dnsLabel().describe('Name of the drive within the machine.'),
  imageRef: reference(
    'VirtualMachineImage of format iso in the same namespace. Absent: the drive is empty.',
  ).optional(),
  bootOrder: bootOrder(),
});

export const machineNetwork = z.object({
  name: dnsLabel().describe('Name of the card within the machine.'),
  networkRef: reference('VirtualNetwork the card is plugged into.'),
  macAddress: mac().optional().describe('MAC address, in lower case. Absent: derived, and always the same.'),
  model: networkModel().optional(),
  linkState: z.enum(['Up', 'Down']).default('Up').describe('Whether the cable is plugged in.'),
  addresses: listAtomic(addressWithPrefix(), 16)
    .optional()
    .describe('Static addresses with their prefix, set by cloud-init. Absent: DHCP.'),
  gateway: ip().optional().describe('Default gateway, set by cloud-init.'),
  nameservers: listAtomic(ip(), 8).optional().describe('Name servers, set by cloud-init.'),
  bootOrder: bootOrder(),
});

const secretReference = (key: string) =>
  reference(`Secret in the same namespace; its key is ${key}.`).optional();

export const cloudInit = rule(
  rule(
    z.object({
      hostname: dnsSubdomain().optional().describe('Name of the guest. Absent: the name of the machine.'),
      sshAuthorizedKeys: listAtomic(
        matching(
          8192,
          /^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\r\n]*)?$/,
          'must be one line of an authorized_keys file, without options',
        ),
        64,
      )
        .optional()
        .describe('Public SSH keys of the default user.'),
      userData: text(65_536).optional().describe('cloud-init user-data.'),
      userDataSecretRef: secretReference('userData'),
      networkData: text(32_768).optional().describe('cloud-init network-config; replaces what is derived.'),
      networkDataSecretRef: secretReference('networkData'),
    }),
    {
      cel: '!(has(self.userData) && has(self.userDataSecretRef))',
      message: 'give userData or userDataSecretRef, not both',
      js: (it) => it.userData === undefined || it.userDataSecretRef === undefined,
    },
  ),
  {
    cel: '!(has(self.networkData) && has(self.networkDataSecretRef))',
    message: 'give networkData or networkDataSecretRef, not both',
    js: (it) => it.networkData === undefined || it.networkDataSecretRef === undefined,
  },
);
