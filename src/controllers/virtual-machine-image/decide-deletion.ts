/** The end of an image: only once nobody counts on it, and its files only where no clone stands on them. Pure. */
import { step, wait } from '../decision.ts';
import type { Decision } from './decision.ts';
import { completeCopies, hiddenCopies, recordedCopies } from './wanted.ts';
import type { HostWorld, ImageSight, ImageWorld } from './world.ts';

/** An image that nobody could ever have used holds nobody up: it is to be replaced by a better one. */
const isNeeded = (world: ImageWorld, seen: ImageSight): boolean =>
  world.dependents.length > 0 && (completeCopies(seen).length > 0 || hiddenCopies(world, seen).length > 0);

/**
 * Hosts that have a copy or had one begun: what an import that was cut off left need not show as a volume. Without
 * any record that is every host that answers.
 */
const toSweep = (world: ImageWorld, seen: ImageSight): readonly string[] => {
  const recorded = recordedCopies(world);
  const known = (host: string): boolean =>
    recorded.length === 0 || recorded.some((copy) => copy.host === undefined || copy.host === host);
  return seen.copies
    .filter(
      ({ host, volume, clones, swept }) => !clones && swept !== true && (volume !== undefined || known(host)),
    )
    .map(({ host }) => host);
};

/** Hosts that must answer first; without any record that is every host. */
const awaited = (world: ImageWorld, seen: ImageSight): readonly string[] => {
  const recorded = recordedCopies(world);
  return recorded.length === 0
    ? seen.unseen
    : seen.unseen.filter((host) => recorded.some((copy) => copy.host === undefined || copy.host === host));
};

export const decideDeletion = (
  world: ImageWorld,
  seen: ImageSight,
  missing: readonly HostWorld[],
): Decision => {
  if (isNeeded(world, seen)) {
    const [dependent] = world.dependents;
    const message = `Deleting waits until ${dependent} no longer needs the image.`;
    // A disk on its way there may wait for a copy on its host.
    return missing.length > 0
      ? {
          ...step(
            { kind: 'import', hosts: missing.map(({ name }) => name) },
            'WaitingForDependents',
            message,
          ),
        }
      : wait('progress', 'WaitingForDependents', message);
  }
  if ([...world.imports.values()].some(({ kind }) => kind === 'running')) {
    return step({ kind: 'cancelImports' }, 'Deleting', 'The image is no longer fetched.');
  }
  if (world.place === undefined) {
    return step({ kind: 'removeFinalizer' }, 'Deleting', 'The storage pool is gone.');
  }
  const hosts = toSweep(world, seen);
  if (hosts.length > 0) {
    return step({ kind: 'remove', hosts }, 'Deleting', 'The copies of the image are being removed.');
  }
  const waitsFor = awaited(world, seen);
  if (waitsFor.length > 0) {
    return wait(
      'unknown',
      'HostUnreachable',
      `Deleting waits for ${waitsFor.join(', ')}, which cannot be asked and may have a copy.`,
    );
  }
  const [leaving] = world.leavingClones;
  if (leaving !== undefined && seen.copies.some(({ volume }) => volume !== undefined)) {
    return wait(
      'progress',
      'WaitingForDependents',
      `Deleting waits until VirtualDisk ${leaving}, which is being deleted, is gone.`,
    );
  }
  return step({ kind: 'removeFinalizer' }, 'Deleting', 'Copies that linked clones stand on stay.');
};
