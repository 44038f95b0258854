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

const byPrefix: readonly (readonly [RegExp, Subsystem])[] = [
  [/^(CONNECT_)?(LIST_ALL_|LIST_DEFINED_|LIST_|NUM_OF_DEFINED_|NUM_OF_)?STORAGE_/, 'storage'],
  [/^CONNECT_FIND_STORAGE_/, 'storage'],
  [/^(CONNECT_)?(LIST_ALL_|LIST_|NUM_OF_)?NWFILTER/, 'nwfilter'],
  [/^(CONNECT_)?(LIST_ALL_|LIST_DEFINED_|LIST_|NUM_OF_DEFINED_|NUM_OF_)?NETWORK/, 'network'],
  [/^(CONNECT_)?(LIST_ALL_|LIST_DEFINED_|LIST_|NUM_OF_DEFINED_|NUM_OF_)?INTERFACE/, 'interface'],
  [
    /^(CONNECT_LIST_ALL_|CONNECT_)?NODE_DEVICE|^NODE_(LIST|NUM_OF)_?DEVICES$|^NODE_NUM_OF_DEVICES$/,
    'nodedev',
  ],
  [/^(CONNECT_)?(LIST_ALL_|LIST_|NUM_OF_)?SECRET/, 'secret'],
];

/** Which daemon of a split installation answers a procedure. Node information comes from the hypervisor's. */
export const subsystemOf = (name: ProcedureName): Subsystem =>
  byPrefix.find(([pattern]) => pattern.test(name))?.[1] ?? 'hypervisor';

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
