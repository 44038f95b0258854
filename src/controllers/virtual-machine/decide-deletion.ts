/** The end of a machine: stopped as its spec says, undefined, its seed and its own disks removed. Pure. */

import { step, wait } from '../decision.ts';
import { decideStop } from './decide-stop.ts';
import type { Decision } from './decision.ts';
import { hostNameOf, type VmSight, type VmWorld } from './world.ts';

const lostHosts = (world: VmWorld, seen: VmSight): readonly string[] =>
  seen.machine.unseen
    .map((id) => hostNameOf(world, id))
    .filter((name) => world.hosts.find((host) => host.name === name)?.declaredDown === undefined)
    .toSorted();

/** Disks of its own go one by one; each has a finalizer that removes the data. */
const decideDisks = (world: VmWorld): Decision | undefined => {
  const disk = world.ownedDisks.find(({ deleting }) => !deleting);
  return disk === undefined
    ? undefined
    : step(
        { kind: 'deleteDisk', diskName: disk.name, uid: disk.uid },
        'Deleting',
        'Its disks are being deleted.',
      );
};

export const decideDeletion = (world: VmWorld, seen: VmSight): Decision => {
  const { vm } = world;
  const ours = seen.machine.sightings.filter(({ ownership }) => ownership.kind === 'ours');
  const [sighting] = ours;
  const retain = vm.spec.deletionPolicy === 'Retain';
  if (sighting !== undefined) {
    const where = hostNameOf(world, sighting.host);
    if (retain) {
      return step(
        { kind: 'drive', step: { kind: 'release', host: sighting.host } },
        'Deleting',
        `The machine stays on ${where} and is let go of.`,
      );
    }
    return (
      decideStop(world, sighting, 'Deleting') ??
      step(
        { kind: 'drive', step: { kind: 'undefine', host: sighting.host } },
        'Deleting',
        `The machine is being removed from ${where}.`,
      )
    );
  }
  // Until its pool is connected nothing is known of where the machine may be.
  const homeless =
    vm.status?.host === undefined &&
    world.pool.kind === 'lack' &&
    world.pool.lack.reason === 'HostPoolNotFound';
  if (world.pool.kind === 'lack' && !homeless) {
    return wait('trouble', world.pool.lack.reason, `Deleting waits: ${world.pool.lack.message}`);
  }
  const unseen = lostHosts(world, seen);
  if (unseen.length > 0) {
    return wait(
      'unknown',
      'HostUnreachable',
      `Deleting waits for ${unseen.join(', ')}, which cannot be reached and may hold the machine.`,
    );
  }
  if (retain) return step({ kind: 'removeFinalizer' }, 'Deleting', 'The machine was let go of.');
  if (seen.seed.kind === 'keep')
    return step({ kind: 'findSeeds' }, 'Deleting', 'Its cloud-init data is being looked for.');
  if (seen.seed.kind === 'left' && seen.seed.found.length > 0)
    return step({ kind: 'dropSeeds' }, 'Deleting', 'Its cloud-init data is being removed.');
  return (
    decideDisks(world) ?? step({ kind: 'removeFinalizer' }, 'Deleting', 'Everything of the machine is gone.')
  );
};
