import { host } from './host.ts';
import { hostPool } from './host-pool.ts';
import type { KindDefinition } from './kind.ts';
import { storagePool } from './storage-pool.ts';
import { virtualDisk } from './virtual-disk.ts';
import { virtualMachine } from './virtual-machine.ts';
import { virtualMachineImage } from './virtual-machine-image.ts';
import { virtualMachineSize } from './virtual-machine-size.ts';
import { virtualNetwork } from './virtual-network.ts';

/** Every kind, administrators' first. */
export const kinds: readonly KindDefinition[] = [
  hostPool,
  host,
  storagePool,
  virtualNetwork,
  virtualMachineSize,
  virtualMachineImage,
  virtualDisk,
  virtualMachine,
];
