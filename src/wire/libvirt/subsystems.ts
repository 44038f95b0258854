import type { ProcedureName } from './codec.ts';
import type { LibvirtEventKind } from './events.ts';

/** The daemons of a split installation, by what they serve (docs/daemons.rst). */
export const subsystems = [
  'hypervisor',
  'network',
  'storage',
  'nodedev',
  'nwfilter',
  'secret',
  'interface',
] as const;
export type Subsystem = (typeof subsystems)[number];

const patterns: readonly (readonly [RegExp, Subsystem])[] = [
  [/^(DOMAIN|QEMU)_/, 'hypervisor'],
  [/STORAGE_/, 'storage'],
  [/NWFILTER/, 'nwfilter'],
  [/NETWORK/, 'network'],
  [/INTERFACE/, 'interface'],
  [/SECRET/, 'secret'],
  [/NODE_(DEVICE|LIST_DEVICES|NUM_OF_DEVICES)/, 'nodedev'],
];

/** Which daemon of a split installation answers a procedure. Node information comes from the hypervisor's. */
export const subsystemOf = (name: ProcedureName): Subsystem =>
  patterns.find(([pattern]) => pattern.test(name))?.[1] ?? 'hypervisor';

export const subsystemOfEvent = (kind: LibvirtEventKind): Subsystem => {
  if (kind.startsWith('network')) return 'network';
  if (kind.startsWith('storagePool')) return 'storage';
  return kind.startsWith('nodeDevice') ? 'nodedev' : 'hypervisor';
};

const hypervisorDaemons: Readonly<Record<string, string>> = { qemu: 'virtqemud', xen: 'virtxend' };

/** File name of a split daemon's socket. The test driver lives in any daemon; virtqemud is asked. */
export const splitSocket = (subsystem: Subsystem, driver: string): string =>
  `${subsystem === 'hypervisor' ? (hypervisorDaemons[driver] ?? 'virtqemud') : `virt${subsystem}d`}-sock`;

/** What a split daemon opens: the drivers of networks, storage and so on have URIs of their own. */
export const splitUri = (subsystem: Subsystem, driver: string, path: string): string =>
  subsystem === 'hypervisor' || driver === 'test' ? `${driver}://${path}` : `${subsystem}:///system`;
