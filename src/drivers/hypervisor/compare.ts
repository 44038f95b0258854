/** Wish against sight: what differs, what it takes, and the step that does it live where the host can. Pure. */
import type { Capability, HostId, Sighting, VmStep } from './contract.ts';
import { compareShapes, type ShapeChange } from './differences.ts';
import type { DiskShape, NicShape, VmShape } from './shape.ts';

export type Impact = 'Live' | 'PowerCycle' | 'Recreate' | 'Unsupported';

/** One difference between the wish and the running machine. `path` is that of the VirtualMachine's spec. */
export interface Delta {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  readonly impact: Impact;
  /** Present exactly when the impact is Live. */
  readonly step?: VmStep | undefined;
}

export interface Comparison {
  /** Against the running hardware; empty when the machine is off. Sorted by path. */
  readonly running: readonly Delta[];
  /** The stored definition differs from the wish: a `redefine` is due (what is live stays as it is). */
  readonly nextDiffers: readonly string[];
}

export type Compare = (
  host: HostId,
  desired: VmShape,
  seen: Sighting,
  capabilities: readonly Capability[],
) => Comparison;

interface Context {
  readonly host: HostId;
  readonly live: VmShape;
  readonly can: (capability: Capability) => boolean;
}

type Effect =
  | { readonly impact: Exclude<Impact, 'Live'> }
  | { readonly impact: 'Live'; readonly step: VmStep };
type Rule<K extends ShapeChange['kind']> = (
  change: Extract<ShapeChange, { readonly kind: K }>,
  context: Context,
) => Effect;

const powerCycle = (): Effect => ({ impact: 'PowerCycle' });
const unsupported = (): Effect => ({ impact: 'Unsupported' });
const liveIf = (able: boolean, step: VmStep): Effect =>
  able ? { impact: 'Live', step } : { impact: 'PowerCycle' };

/** SATA has no hot plug in QEMU's AHCI. */
const hotPluggable = (disk: DiskShape, { can }: Context): boolean =>
  can('DiskHotplug') && disk.bus !== 'SATA';

/** Hypervisors refuse a boot order that a running device holds; it then waits for the power cycle on its own. */
const withFreeBootOrder = <T extends { readonly bootOrder?: number | undefined }>(
  device: T,
  live: VmShape,
): T => {
  const taken = [...live.disks, ...live.cdroms, ...live.nics].some(
    (other) => other.bootOrder !== undefined && other.bootOrder === device.bootOrder,
  );
  return taken ? { ...device, bootOrder: undefined } : device;
};

/**
 * The seen NIC with all that this host changes live. Every delta of one NIC carries the same step, so that the second
 * repeats the first and never takes it back.
 */
const liveNic = (nic: NicShape, seen: NicShape, { can }: Context): NicShape => ({
  ...seen,
  name: nic.name,
  link: can('NicLinkState') ? nic.link : seen.link,
  backend: can('NicHotplug') && nic.backend.kind === seen.backend.kind ? nic.backend : seen.backend,
  guard: can('NicHotplug') && can('AntiSpoofing') ? nic.guard : seen.guard,
});

const updateNic = (nic: NicShape, seen: NicShape, context: Context): VmStep => ({
  kind: 'updateNic',
  host: context.host,
  nic: liveNic(nic, seen, context),
});

const rules: { readonly [K in ShapeChange['kind']]: Rule<K> } = {
  cpu: powerCycle,
  cpuModel: powerCycle,
  memory: powerCycle,
  hardware: powerCycle,
  bootOrder: powerCycle,
  diskRebuild: powerCycle,
  diskShrink: unsupported,
  cdromAdd: powerCycle,
  cdromRemove: powerCycle,
  nicModel: powerCycle,
  autostart: ({ autostart }, { host }) => ({
    impact: 'Live',
    step: { kind: 'setAutostart', host, autostart },
  }),
  diskAttach: ({ disk }, context) =>
    liveIf(hotPluggable(disk, context), {
      kind: 'attachDisk',
      host: context.host,
      disk: withFreeBootOrder(disk, context.live),
    }),
  diskDetach: ({ seen }, context) =>
    liveIf(hotPluggable(seen, context) && seen.serial !== '', {
      kind: 'detachDisk',
      host: context.host,
      serial: seen.serial,
    }),
  diskGrow: ({ disk }, { host, can }) =>
    liveIf(can('DiskLiveGrow') && disk.growsOffline !== true, {
      kind: 'growDisk',
      host,
      serial: disk.serial,
      sizeBytes: disk.sizeBytes,
    }),
  media: ({ cdrom }, { host, live, can }) => {
    // Changing the medium is no time to change the order in which the machine boots.
    const bootOrder = live.cdroms.find(({ name }) => name === cdrom.name)?.bootOrder;
    return liveIf(can('MediaChange'), { kind: 'changeMedia', host, cdrom: { ...cdrom, bootOrder } });
  },
  nicAttach: ({ nic }, { host, live, can }) =>
    liveIf(can('NicHotplug'), { kind: 'attachNic', host, nic: withFreeBootOrder(nic, live) }),
  nicDetach: ({ seen }, { host, can }) =>
    liveIf(can('NicHotplug'), { kind: 'detachNic', host, mac: seen.mac }),
  nicLink: ({ nic, seen }, context) => liveIf(context.can('NicLinkState'), updateNic(nic, seen, context)),
  nicNetwork: ({ nic, seen }, context) =>
    liveIf(
      context.can('NicHotplug') && nic.backend.kind === seen.backend.kind,
      updateNic(nic, seen, context),
    ),
  nicGuard: ({ nic, seen }, context) =>
    context.can('AntiSpoofing')
      ? liveIf(context.can('NicHotplug'), updateNic(nic, seen, context))
      : { impact: 'Unsupported' },
};

const effectOf = <K extends ShapeChange['kind']>(
  change: Extract<ShapeChange, { readonly kind: K }>,
  context: Context,
): Effect => rules[change.kind](change, context);

/** Sizes are the volumes' own, and what the host cannot keep would differ for ever: no redefine mends either. */
const isInDefinition = (change: ShapeChange, can: Context['can']): boolean => {
  switch (change.kind) {
    case 'diskGrow':
    case 'diskShrink':
      return false;
    case 'nicGuard':
      return can('AntiSpoofing');
    case 'autostart':
      return can('Autostart');
    default:
      return true;
  }
};

const runningDeltas = (context: Context, desired: VmShape, next: VmShape | undefined): readonly Delta[] => {
  // Autostart belongs to the stored definition, also of a machine that runs.
  const live = { ...context.live, autostart: next?.autostart ?? desired.autostart };
  return compareShapes(desired, live)
    .filter(({ change }) => change.kind !== 'autostart' || context.can('Autostart'))
    .map(({ path, from, to, change }) => ({ path, from, to, ...effectOf(change, context) }));
};

/** `nextDiffers` is `['spec']` for a machine without a stored definition. */
export const compare: Compare = (host, desired, seen, capabilities) => {
  const known = new Set(capabilities);
  const can = (capability: Capability): boolean => known.has(capability);
  return {
    running:
      seen.running === undefined ? [] : runningDeltas({ host, live: seen.running, can }, desired, seen.next),
    nextDiffers:
      seen.next === undefined
        ? ['spec']
        : [
            ...new Set(
              compareShapes(desired, seen.next)
                .filter(({ change }) => isInDefinition(change, can))
                .map(({ path }) => path),
            ),
          ],
  };
};
