import { z } from 'zod';
import {
  GROUP,
  type KindDefinition,
  messageColumn,
  type NamespacedObject,
  nameIsLabel,
  readyColumns,
  VERSION,
} from './kind.ts';
import {
  immutable,
  int,
  listMap,
  matching,
  type Output,
  quantityBetween,
  reference,
  rule,
  time,
} from './kit.ts';
import { cpuShape, withinVcpuLimit } from './resources.ts';
import { cloudInit, machineCdrom, machineDisk, machineNetwork } from './virtual-machine-devices.ts';
import { virtualMachineStatus } from './virtual-machine-status.ts';

export { virtualMachineStatus };

const cpu = withinVcpuLimit(
  z.object({
    ...cpuShape,
    model: matching(
      64,
      /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      'must be the name of a CPU model such as HostModel or Skylake-Client',
    )
      .optional()
      .describe(
        'HostModel, HostPassthrough, or the name of a model. Absent: chosen at first create and kept.',
      ),
  }),
);

const fields = z.object({
  hostPoolRef: immutable(reference('HostPool the machine runs in.'), 'hostPoolRef'),
  sizeRef: reference('VirtualMachineSize; instead of cpu and memory.').optional(),
  cpu: cpu.optional().describe('Virtual CPUs.'),
  memory: quantityBetween('1Mi', '64Ti', 'memory').optional().describe('Amount of memory.'),
  powerState: z.enum(['PoweredOn', 'PoweredOff']).default('PoweredOn').describe('Whether it shall run.'),
  shutdown: z
    .object({
      mode: z
        .enum(['Graceful', 'GracefulThenHard', 'Hard'])
        .default('GracefulThenHard')
        .describe('Ask the guest; ask and then pull the plug; pull the plug.'),
      timeoutSeconds: int(1, 86_400).default(120).describe('How long the guest may take.'),
    })
    .default({ mode: 'GracefulThenHard', timeoutSeconds: 120 })
    .describe('How the machine is stopped.'),
  restartPolicy: z
    .enum(['Always', 'OnFailure', 'Never'])
    .default('Always')
    .describe('What to do when the guest goes down by itself.'),
  restartRequestedAt: time()
    .optional()
    .describe(
      'A newer time than the last one handled restarts the machine once. One there at creation counts as handled.',
    ),
  driftPolicy: z
    .enum(['Enforce', 'Report', 'Ignore'])
    .default('Enforce')
    .describe('What to do when someone changes the machine on its host.'),
  deletionPolicy: z
    .enum(['Delete', 'Retain'])
    .default('Delete')
    .describe('Retain: the machine stays on its host, with its disks, and is only let go of.'),
  deletionProtection: z.boolean().default(false).describe('While true, deleting the object is refused.'),
  disks: listMap(machineDisk, 'name', 16)
    .default([])
    .describe('Disks. Taking one out of the list detaches it and deletes nothing.'),
  cdroms: listMap(machineCdrom, 'name', 4).default([]).describe('CD-ROM drives.'),
  networks: listMap(machineNetwork, 'name', 8).default([]).describe('Network cards.'),
  cloudInit: cloudInit.optional().describe('What the guest is told at its first boot.'),
});

type Fields = z.output<typeof fields>;

const sized = rule(fields, {
  cel: 'has(self.sizeRef) ? !has(self.cpu) && !has(self.memory) : has(self.cpu) && has(self.memory)',
  message: 'give sizeRef, or cpu and memory, not both',
  js: (it) =>
    it.sizeRef === undefined
      ? it.cpu !== undefined && it.memory !== undefined
      : it.cpu === undefined && it.memory === undefined,
});

const bootOrdersAreUnique = (it: Fields): boolean => {
  const orders = [...it.disks, ...it.cdroms, ...it.networks].flatMap((device) => device.bootOrder ?? []);
  return new Set(orders).size === orders.length;
};

const ordersOf = (list: string): string => `self.${list}.filter(x, has(x.bootOrder)).map(x, x.bootOrder)`;

const ordered = rule(sized, {
  cel: `[${['disks', 'cdroms', 'networks'].map(ordersOf).join(' + ')}].all(o, o.all(a, o.exists_one(b, a == b)))`,
  message: 'two devices have the same bootOrder: it must be unique over disks, cdroms and networks',
  js: bootOrdersAreUnique,
});

const namesAreUnique = (it: Fields): boolean => {
  const names = [...it.disks, ...it.cdroms].map((device) => device.name);
  return new Set(names).size === names.length;
};

const named = rule(ordered, {
  cel: '!self.cdroms.exists(c, self.disks.exists(d, d.name == c.name))',
  message: 'a disk and a cdrom have the same name',
  js: namesAreUnique,
});

export const virtualMachineSpec = rule(named, {
  cel:
    'self.disks.filter(d, has(d.diskRef)).all(a, ' +
    'self.disks.exists_one(b, has(b.diskRef) && b.diskRef.name == a.diskRef.name))',
  message: 'a disk is attached twice: each diskRef may appear once',
  js: (it) => {
    const names = it.disks.flatMap((disk) => disk.diskRef?.name ?? []);
    return new Set(names).size === names.length;
  },
});

/** A machine. */
export type VirtualMachineSpec = Output<typeof virtualMachineSpec>;
export type VirtualMachineStatus = Output<typeof virtualMachineStatus>;
export type VirtualMachine = NamespacedObject<'VirtualMachine', VirtualMachineSpec, VirtualMachineStatus>;
/** One entry of each list. */
export type MachineDisk = VirtualMachineSpec['disks'][number];
export type MachineCdrom = VirtualMachineSpec['cdroms'][number];
export type MachineNetwork = VirtualMachineSpec['networks'][number];
export type CloudInit = NonNullable<VirtualMachineSpec['cloudInit']>;

export const virtualMachine = {
  group: GROUP,
  version: VERSION,
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  singular: 'virtualmachine',
  shortNames: ['ovm'],
  scope: 'Namespaced',
  description: 'A machine that is kept as its spec says.',
  printerColumns: [
    { name: 'Power', type: 'string', jsonPath: '.status.powerState' },
    { name: 'Host', type: 'string', jsonPath: '.status.host' },
    { name: 'IP', type: 'string', jsonPath: '.status.ipAddress' },
    { name: 'CPU', type: 'integer', jsonPath: '.status.resources.cpus', priority: 1 },
    { name: 'Memory', type: 'string', jsonPath: '.status.resources.memory', priority: 1 },
    { name: 'UUID', type: 'string', jsonPath: '.status.uuid', priority: 1 },
    messageColumn,
    ...readyColumns,
  ],
  spec: virtualMachineSpec,
  status: virtualMachineStatus,
  rules: [nameIsLabel('VirtualMachine')],
} as const satisfies KindDefinition;
