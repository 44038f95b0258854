import { z } from 'zod';
import { type ClusterObject, GROUP, type KindDefinition, VERSION } from './kind.ts';
import { immutable, type Output, quantityBetween } from './kit.ts';
import { cpuTopology } from './resources.ts';

export const virtualMachineSizeSpec = immutable(
  z.object({
    cpu: cpuTopology().describe('Virtual CPUs.'),
    memory: quantityBetween('1Mi', '64Ti', 'memory').describe('Amount of memory.'),
  }),
  'the spec of a VirtualMachineSize',
);

/** CPU and memory under one name. */
export type VirtualMachineSizeSpec = Output<typeof virtualMachineSizeSpec>;
export type VirtualMachineSize = ClusterObject<'VirtualMachineSize', VirtualMachineSizeSpec, never>;

export const virtualMachineSize = {
  group: GROUP,
  version: VERSION,
  kind: 'VirtualMachineSize',
  plural: 'virtualmachinesizes',
  singular: 'virtualmachinesize',
  shortNames: ['ovs'],
  scope: 'Cluster',
  description: 'CPU and memory under one name. It never changes: make another one instead.',
  printerColumns: [
    { name: 'Cores', type: 'integer', jsonPath: '.spec.cpu.cores' },
    { name: 'Sockets', type: 'integer', jsonPath: '.spec.cpu.sockets', priority: 1 },
    { name: 'Threads', type: 'integer', jsonPath: '.spec.cpu.threads', priority: 1 },
    { name: 'Memory', type: 'string', jsonPath: '.spec.memory' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  spec: virtualMachineSizeSpec,
  rules: [],
} as const satisfies KindDefinition;
