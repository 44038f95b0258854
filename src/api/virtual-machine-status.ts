import { z } from 'zod';
import { statusBase } from './conditions.ts';
import {
  dnsLabel,
  dnsSubdomain,
  int,
  listAtomic,
  listMap,
  mac,
  type Output,
  quantity,
  text,
  time,
  uid,
} from './kit.ts';

const pendingChange = z.object({
  path: text(256).describe('Field of the spec, such as spec.memory or spec.disks[data].'),
  from: text(256).optional().describe('What the machine has now; absent when it has nothing.'),
  to: text(256).optional().describe('What it will have; absent when it will have nothing.'),
  impact: z
    .enum(['Live', 'PowerCycle', 'Recreate', 'Unsupported'])
    .describe('What it takes: nothing, a stop and start, making the machine anew, or a different host.'),
});

/** One difference that is not applied yet. */
export type PendingChange = Output<typeof pendingChange>;

const networkStatus = z.object({
  name: dnsLabel().describe('Name of the card.'),
  mac: mac().describe('MAC address.'),
  model: text(32).optional().describe('Model of the card, as recorded when it was first attached.'),
  ipAddresses: listAtomic(text(45), 32).optional().describe('Addresses the guest or the network reports.'),
});

const diskStatus = z.object({
  name: dnsLabel().describe('Name of the disk within the machine.'),
  diskName: dnsSubdomain().describe('Name of the VirtualDisk.'),
  diskUid: uid().optional().describe('UID of the VirtualDisk.'),
  bus: text(32).optional().describe('Bus of the disk, as recorded when it was first attached.'),
  target: text(16).optional().describe('Name of the device on the host side, such as vda.'),
  attached: z.boolean().describe('Whether the machine has it.'),
});

const unplaced = z.object({
  host: dnsSubdomain().describe('Name of the Host.'),
  reason: text(64).describe('Why it does not fit.'),
  message: text(512).describe('The same in one sentence.'),
});

/** Why a host cannot take the machine. */
export type Unplaced = Output<typeof unplaced>;

export const virtualMachineStatus = z.object({
  ...statusBase,
  powerState: z
    .enum(['PoweredOn', 'PoweredOff', 'Paused', 'Unknown'])
    .optional()
    .describe('Whether it runs. Unknown: the host cannot be asked.'),
  lastPowerCause: text(64).optional().describe('Why it last started or stopped.'),
  host: dnsSubdomain()
    .optional()
    .describe('Host the machine is placed on; set before anything is made there.'),
  uuid: text(36).optional().describe('UUID on the host, derived from metadata.uid.'),
  domainName: text(250).optional().describe('Name on the host.'),
  resources: z
    .object({
      cpus: int(1, 512).describe('Number of virtual CPUs.'),
      memory: quantity().describe('Amount of memory.'),
      size: z
        .object({ name: dnsSubdomain().describe('Its name.'), uid: uid().describe('Its UID.') })
        .optional()
        .describe('The VirtualMachineSize this came from.'),
    })
    .optional()
    .describe('What the machine is given.'),
  hardware: z
    .object({
      machineType: text(64).optional().describe('Machine type, such as pc-q35-7.2.'),
      cpuModel: text(64).optional().describe('CPU model.'),
      acceleration: z.enum(['KVM', 'Emulation']).optional().describe('Whether it runs on the hardware.'),
    })
    .optional()
    .describe('What was recorded when the machine was first made.'),
  ipAddress: text(45).optional().describe('First address of the first card that has one.'),
  networks: listMap(networkStatus, 'name', 32).optional().describe('The cards.'),
  guest: z
    .object({
      hostname: text(253).optional().describe('Name the guest calls itself.'),
      os: text(256).optional().describe('Operating system.'),
    })
    .optional()
    .describe('What the guest agent reports. A guest may lie.'),
  disks: listMap(diskStatus, 'name', 32).optional().describe('The disks.'),
  pendingChanges: listAtomic(pendingChange, 64).optional().describe('What is not applied yet.'),
  restartHandledAt: time().optional().describe('The last restartRequestedAt that was acted on.'),
  unplaced: listAtomic(unplaced, 64).optional().describe('Why no host fits, host by host.'),
});
