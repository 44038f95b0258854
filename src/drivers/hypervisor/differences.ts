/** What differs between two shapes of one machine, in words of the VirtualMachine's spec. Pure; no host, no step. */
import { cdromDifferences, diskDifferences, nicDifferences } from './device-differences.ts';
import type { CdromShape, CpuShape, DiskShape, NicShape, VmShape } from './shape.ts';

/** One change, with what is needed to carry it out. `seen` is the device as the host has it. */
export type ShapeChange =
  | { readonly kind: 'cpu' }
  | { readonly kind: 'cpuModel' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'hardware' }
  | { readonly kind: 'autostart'; readonly autostart: boolean }
  | { readonly kind: 'bootOrder' }
  | { readonly kind: 'diskAttach'; readonly disk: DiskShape }
  | { readonly kind: 'diskDetach'; readonly seen: DiskShape }
  | { readonly kind: 'diskGrow'; readonly disk: DiskShape }
  | { readonly kind: 'diskShrink' }
  | { readonly kind: 'diskRebuild' }
  | { readonly kind: 'cdromAdd' }
  | { readonly kind: 'cdromRemove' }
  | { readonly kind: 'media'; readonly cdrom: CdromShape }
  | { readonly kind: 'nicAttach'; readonly nic: NicShape }
  | { readonly kind: 'nicDetach'; readonly seen: NicShape }
  | { readonly kind: 'nicLink'; readonly nic: NicShape; readonly seen: NicShape }
  | { readonly kind: 'nicNetwork'; readonly nic: NicShape; readonly seen: NicShape }
  | { readonly kind: 'nicGuard'; readonly nic: NicShape; readonly seen: NicShape }
  | { readonly kind: 'nicModel' };

export interface Difference {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  readonly change: ShapeChange;
}

const topology = (cpu: CpuShape): string =>
  [
    `${cpu.sockets} socket${cpu.sockets === 1 ? '' : 's'}`,
    `${cpu.cores} core${cpu.cores === 1 ? '' : 's'}`,
    `${cpu.threads} thread${cpu.threads === 1 ? '' : 's'}`,
  ].join(', ');

const cpuDifferences = (desired: CpuShape, seen: CpuShape): Difference[] => {
  const found: Difference[] = [];
  if (topology(desired) !== topology(seen)) {
    found.push({ path: 'spec.cpu', from: topology(seen), to: topology(desired), change: { kind: 'cpu' } });
  }
  if (desired.model !== undefined && desired.model !== seen.model) {
    const change = { kind: 'cpuModel' } as const;
    found.push({ path: 'spec.cpu.model', from: seen.model ?? 'default', to: desired.model, change });
  }
  return found;
};

const hardwareDifferences = (desired: VmShape, seen: VmShape): Difference[] =>
  (['machineType', 'cpuModel'] as const).flatMap((key): Difference[] => {
    const wish = desired.hardware[key];
    const sight = seen.hardware[key];
    return wish === undefined || wish === sight
      ? []
      : [
          {
            path: `status.hardware.${key}`,
            from: sight ?? 'default',
            to: wish,
            change: { kind: 'hardware' },
          },
        ];
  });

const machineDifferences = (desired: VmShape, seen: VmShape): Difference[] => {
  const found: Difference[] = [];
  if (desired.memoryMiB !== seen.memoryMiB) {
    const [from, to] = [`${seen.memoryMiB}Mi`, `${desired.memoryMiB}Mi`];
    found.push({ path: 'spec.memory', from, to, change: { kind: 'memory' } });
  }
  if (desired.autostart !== seen.autostart) {
    const [from, to] = [String(seen.autostart), String(desired.autostart)];
    const change = { kind: 'autostart', autostart: desired.autostart } as const;
    found.push({ path: 'autostart', from, to, change });
  }
  return found;
};

const byPath = (a: Difference, b: Difference): number => {
  if (a.path !== b.path) {
    return a.path < b.path ? -1 : 1;
  }
  // A device that is replaced under its name goes before its successor comes.
  return Number(a.to !== 'none') - Number(b.to !== 'none');
};

/**
 * Everything that differs, sorted by path. Devices are matched by what the guest recognises them by: disks by serial,
 * NICs by MAC, drives by name; their order does not matter. A disk whose seen size is 0 has an unknown size.
 */
export const compareShapes = (desired: VmShape, seen: VmShape): readonly Difference[] =>
  [
    ...cpuDifferences(desired.cpu, seen.cpu),
    ...hardwareDifferences(desired, seen),
    ...machineDifferences(desired, seen),
    ...diskDifferences(desired.disks, seen.disks),
    ...cdromDifferences(desired.cdroms, seen.cdroms),
    ...nicDifferences(desired.nics, seen.nics),
  ].toSorted(byPath);
