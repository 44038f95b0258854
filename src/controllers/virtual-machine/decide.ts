/**
 * The next step for a machine and the reason a person is told, from what is known and what is seen. Pure: the pass
 * asks it for the plan, the status asks it for the words, so that the two never disagree.
 */

import { FINALIZER } from '../../api/identity.ts';
import type { Sighting } from '../../drivers/hypervisor/contract.ts';
import { settled, step, wait } from '../decision.ts';
import { decideDeletion } from './decide-deletion.ts';
import { decidePresent } from './decide-present.ts';
import type { Decision } from './decision.ts';
import { type Desire, desireOf } from './desire.ts';
import { place } from './placement.ts';
import { requestOf } from './request.ts';
import { hostIdOf, hostNameOf, type VmSight, type VmWorld } from './world.ts';

/** Hosts that may hold the machine, could not be looked at and are not declared gone for good. */
export const unseenHosts = (world: VmWorld, seen: VmSight): readonly string[] =>
  seen.machine.unseen
    .map((id) => hostNameOf(world, id))
    .filter((name) => world.hosts.find((host) => host.name === name)?.declaredDown === undefined)
    .toSorted();

/** The machine itself: where the status says it is, else wherever it was met. */
export const sightingOf = (world: VmWorld, seen: VmSight): Sighting | undefined => {
  const home = hostIdOf(world, world.vm.status?.host);
  const { sightings } = seen.machine;
  return sightings.find(({ host }) => host === home) ?? sightings[0];
};

/** How soon what stands in the way is looked at again: what befalls others' machines is no change of this one. */
const conflictAgainMs = 10_000;

/** Whatever forbids to touch anything: something that is not ours stands where the machine should be. */
const conflictOf = (world: VmWorld, seen: VmSight): Decision | undefined => {
  const [namesake] = seen.machine.namesakes;
  const foreign = seen.machine.sightings.find(({ ownership }) => ownership.kind !== 'ours');
  if (foreign !== undefined) {
    const where = hostNameOf(world, foreign.host);
    return wait(
      'trouble',
      'IdentityConflict',
      `The machine on ${where} under our UUID does not carry our tag; it is left alone.`,
      conflictAgainMs,
    );
  }
  if (seen.machine.sightings.length > 1) {
    const hosts = seen.machine.sightings.map(({ host }) => hostNameOf(world, host)).toSorted();
    return wait(
      'trouble',
      'SplitBrain',
      `The machine was found on ${hosts.join(' and ')}; nothing is done until one of them is removed.`,
      conflictAgainMs,
    );
  }
  if (namesake === undefined || seen.machine.sightings.length > 0) return undefined;
  const where = hostNameOf(world, namesake.host);
  return namesake.ownership.kind === 'none'
    ? wait(
        'trouble',
        'NameTaken',
        `${where} has a machine named ${world.identity.domainName} that is not ours; it is left alone.`,
        conflictAgainMs,
      )
    : wait(
        'trouble',
        'IdentityConflict',
        `${where} has this machine under another uid (${namesake.uuid}); import it or remove it there.`,
        conflictAgainMs,
      );
};

/** A home for a machine that has none: where it was met, else the host that fits best. */
const decideHome = (world: VmWorld, seen: VmSight): Decision => {
  const sighting = sightingOf(world, seen);
  if (sighting !== undefined) {
    return step(
      { kind: 'place', host: hostNameOf(world, sighting.host) },
      'Creating',
      'The machine was found on its host.',
    );
  }
  const request = requestOf(world);
  if (request.kind === 'lack') return wait('invalid', request.lack.reason, request.lack.message);
  const found = place(
    request.value,
    world.hosts.map(({ candidate }) => candidate),
  );
  if (found.kind === 'placed')
    return step({ kind: 'place', host: found.host }, 'Creating', 'A host has been chosen.');
  if (world.hosts.length === 0) return wait('trouble', 'NoHostFits', 'The pool has no hosts.');
  const [first] = found.hosts;
  const more = found.hosts.length > 1 ? ` (and ${found.hosts.length - 1} more, see status.unplaced)` : '';
  return wait('trouble', 'NoHostFits', `No host fits: ${first?.host}: ${first?.message}${more}.`);
};

/** What keeps a machine that is nowhere from being made; undefined when nothing does. */
const hindranceOf = (world: VmWorld, seen: VmSight): Decision | undefined => {
  if (world.pool.kind === 'lack') return wait('invalid', world.pool.lack.reason, world.pool.lack.message);
  const unseen = unseenHosts(world, seen);
  const home = world.vm.status?.host;
  const there = seen.machine.sightings.length > 0;
  // Taking a namespace's right back stops new use only: what is on a host goes on.
  if (world.forbidden !== undefined && !there && (home === undefined || unseen.length === 0))
    return wait('invalid', world.forbidden.reason, world.forbidden.message);
  const lost = world.hosts.find((host) => host.name === home && host.declaredDown !== undefined);
  if (lost !== undefined) {
    return wait(
      'trouble',
      'HostLost',
      `${lost.name}, which held the machine, was declared gone: ${lost.declaredDown}.`,
    );
  }
  // Without a sighting every host that cannot be seen may be running it, whatever the status says or has lost.
  if (unseen.length > 0 && !there && mayExist(world)) {
    return wait(
      'unknown',
      'HostUnreachable',
      `${unseen.join(', ')} cannot be reached and may hold the machine.`,
    );
  }
  return undefined;
};

/** With our finalizer on it and no status, or a host in the status, something may have been made. */
const mayExist = ({ vm, fresh = false }: VmWorld): boolean =>
  !fresh && (vm.metadata.finalizers ?? []).includes(FINALIZER);

/** The desire of a machine whose pool and size are known. */
export const desireFor = (world: VmWorld, seen: VmSight): Desire | undefined =>
  world.resources.kind === 'ok'
    ? desireOf(world, world.resources.value, seen.seed, sightingOf(world, seen))
    : undefined;

export const decide = (world: VmWorld, seen: VmSight): Decision => {
  const { vm } = world;
  const protectedByUs = (vm.metadata.finalizers ?? []).includes(FINALIZER);
  if (vm.metadata.deletionTimestamp !== undefined) {
    return protectedByUs
      ? decideDeletion(world, seen)
      : settled('progress', 'Deleting', 'Others hold the object.');
  }
  if (world.pausedBy !== undefined) return settled('progress', 'Paused', `Paused: ${world.pausedBy}.`);
  if (!protectedByUs) {
    return (
      hindranceOf(world, seen) ?? step({ kind: 'addFinalizer' }, 'Creating', 'The machine is being made.')
    );
  }
  const conflict = conflictOf(world, seen) ?? hindranceOf(world, seen);
  if (conflict !== undefined) return conflict;
  if (world.resources.kind === 'lack') {
    return wait('invalid', world.resources.lack.reason, world.resources.lack.message);
  }
  if (hostIdOf(world, vm.status?.host) === undefined) return decideHome(world, seen);
  return decidePresent(
    world,
    seen,
    desireOf(world, world.resources.value, seen.seed, sightingOf(world, seen)),
  );
};
