/**
 * The next step for a disk in a volume group: a raw volume that is filled as a whole, by a job, and that no host can
 * grow under a machine. Pure.
 */
import { bytesOf } from '../../api/quantity.ts';
import type { VolumeSeen } from '../../drivers/hypervisor/host-storage.ts';
import { settled, step, wait } from '../decision.ts';
import { claimOf } from './claim.ts';
import type { Decision, DiskStep } from './decision.ts';
import type { DiskSight, DiskWorld } from './world.ts';

type Fill = Extract<DiskStep, { kind: 'fill' }>;

/** A job that is at work, or one that is to be begun. */
const work = (world: DiskWorld, reason: 'Creating' | 'Copying' | 'Growing', begin: DiskStep): Decision => {
  const message = {
    Creating: 'The disk is being made, and written over with zeros.',
    Copying: 'The disk is being filled.',
    Growing: 'The disk is being grown: it is copied to a larger volume.',
  }[reason];
  const { job } = world;
  switch (job?.kind) {
    case 'queued':
    case 'running':
      return wait('progress', reason, message, 30_000);
    case 'failed':
      return step({ kind: 'failCopy' }, reason, job.fault.message);
    case 'done':
    case undefined:
      return step(begin, reason, message);
    default:
      return job satisfies never;
  }
};

/** For sources that no host copies by itself. */
export const decideFill = (world: DiskWorld, home: string, sizeBytes: number): Decision => {
  const { source } = world;
  const fill = (from: Fill['from']): Fill => ({ kind: 'fill', host: home, from, sizeBytes });
  if (source.kind !== 'image') return work(world, 'Creating', fill({ kind: 'blank' }));
  const [reader] = source.readers;
  return reader === undefined
    ? wait('progress', 'WaitingForImage', `Image ${source.name} cannot be read on any host yet.`)
    : work(world, 'Copying', fill({ kind: 'image', reader, file: source.file }));
};

const decideInUse = (world: DiskWorld, seen: DiskSight, home: string): Decision | undefined => {
  const claim = claimOf(world, seen, home);
  if (claim !== undefined) {
    const message = `Machine ${claim.vmName} uses the disk, which grows when it is next stopped.`;
    return settled('ok', 'GrowsAtPowerCycle', message);
  }
  const user = world.users.find(({ plugged, unknown }) => plugged || unknown);
  return (
    user &&
    wait('progress', 'Growing', `The disk grows once it is known that machine ${user.name} does not use it.`)
  );
};

/** Undefined when there is nothing to grow. A machine that holds the disk keeps it until it is stopped. */
export const decideRegrow = (
  world: DiskWorld,
  seen: DiskSight,
  home: string,
  volume: VolumeSeen,
): Decision | undefined => {
  const sizeBytes = Math.max(bytesOf(world.disk.spec.size), volume.sizeBytes);
  if (volume.complete && volume.sizeBytes >= sizeBytes) {
    if (volume.growing !== true) return undefined;
    const tidy = { kind: 'grow', volume: volume.name, sizeBytes: volume.sizeBytes } as const;
    return step({ kind: 'store', host: home, step: tidy }, 'Growing', 'What growing left is being removed.');
  }
  // Once it was put aside nobody can have it open.
  const inUse = volume.complete ? decideInUse(world, seen, home) : undefined;
  if (inUse !== undefined) return inUse;
  // The status has to say first that nobody holds it: whoever starts a machine asks that.
  const held = world.disk.status?.claim !== undefined || world.opening === true || world.copying;
  return held
    ? wait('progress', 'Growing', 'The disk grows as soon as nobody uses it.', 2_000)
    : work(world, 'Growing', { kind: 'regrow', host: home, sizeBytes });
};
