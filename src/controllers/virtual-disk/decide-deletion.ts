/** The end of a disk: only once nobody uses it, and its data only when the policy says so. Pure. */

import { step, wait } from '../decision.ts';
import { claimOf } from './claim.ts';
import { decideMove } from './decide-move.ts';
import { decideServedRemoval } from './decide-served.ts';
import type { Decision } from './decision.ts';
import type { DiskSight, DiskWorld } from './world.ts';

/** Who still needs the disk; undefined when nobody does. */
const neededBy = (world: DiskWorld, seen: DiskSight): Decision | undefined => {
  const claim = claimOf(world, seen, world.disk.status?.host);
  if (claim !== undefined) {
    return wait(
      'progress',
      'WaitingForDetach',
      `Deleting waits until machine ${claim.vmName} lets go of the disk.`,
    );
  }
  const user = world.users.find(
    ({ deleting, wantsToRun, released }) => !deleting && (wantsToRun || !released),
  );
  if (user !== undefined) {
    return wait(
      'progress',
      'WaitingForDetach',
      `Deleting waits until machine ${user.name} no longer names the disk.`,
    );
  }
  const [copy] = world.copiedBy;
  return copy === undefined
    ? undefined
    : wait(
        'progress',
        'WaitingForDependents',
        `Deleting waits until VirtualDisk ${copy} has been copied from it.`,
      );
};

export const decideDeletion = (world: DiskWorld, seen: DiskSight): Decision => {
  const { disk } = world;
  const needed = neededBy(world, seen);
  if (needed !== undefined) return needed;
  // A job that goes on would make a volume that no object names any more.
  if (world.job?.kind === 'queued' || world.job?.kind === 'running')
    return step({ kind: 'cancelMake' }, 'Deleting', 'The work on the disk is being given up.');
  // Where the disk is has to be sure before anything of it goes.
  if (world.move?.record !== undefined && world.place !== undefined) {
    const end = decideMove(world, seen, () =>
      wait('unknown', 'StorageNotReady', 'Deleting waits for the storage pool where the disk is.'),
    );
    return end.health === 'progress' ? { ...end, reason: 'Deleting' } : end;
  }
  if (world.served !== undefined) return decideServedRemoval(world, seen);
  if (disk.spec.reclaimPolicy === 'Retain' || world.place === undefined) {
    return step({ kind: 'removeFinalizer' }, 'Deleting', 'The data stays on the storage.');
  }
  if (seen.unseen.length > 0) {
    return wait(
      'unknown',
      'HostUnreachable',
      `Deleting waits for ${seen.unseen.join(', ')}, which cannot be reached and may hold the data.`,
    );
  }
  const found = seen.volumes.find(({ sight }) => sight.kind === 'present');
  if (found !== undefined) {
    return step(
      { kind: 'store', host: found.host, step: { kind: 'delete', volume: world.volume } },
      'Deleting',
      'The data is being removed.',
    );
  }
  const home = disk.status?.host ?? seen.volumes[0]?.host;
  if (
    world.orphanedImage !== undefined &&
    home !== undefined &&
    seen.volumes.some(({ host }) => host === home)
  ) {
    return step(
      { kind: 'dropImage', host: home, file: world.orphanedImage },
      'Deleting',
      'The data is being removed.',
    );
  }
  return step({ kind: 'removeFinalizer' }, 'Deleting', 'The data is gone.');
};
