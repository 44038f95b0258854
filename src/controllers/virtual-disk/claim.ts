/**
 * Who may use a disk: at most one running machine at a time (I2). The disk's own controller is the only writer of the
 * claim, so two machines can never both be told yes (docs/adr/0005-disk-claims.md). Pure.
 */
import type { VirtualDiskStatus } from '../../api/virtual-disk.ts';
import type { DiskSight, DiskWorld, UserWorld } from './world.ts';

export type Claim = NonNullable<VirtualDiskStatus['claim']>;

/** Nobody holds it: the machine is on no host, and every host that could have it answered. */
const ghostIsGone = (seen: DiskSight | undefined): boolean =>
  seen?.ghost !== undefined && seen.ghost.sightings.length === 0 && seen.ghost.unseen.length === 0;

/** Kept until it is known that the holder has let go: an empty status or a missing object is never enough. */
const kept = (world: DiskWorld, seen: DiskSight | undefined, claim: Claim): boolean => {
  const holder = world.users.find(({ uid }) => uid === claim.vmUid);
  if (holder === undefined || holder.deleting) return !ghostIsGone(seen);
  return !holder.released || holder.wantsToRun;
};

const mayHave = (world: DiskWorld, user: UserWorld, home: string | undefined): boolean =>
  user.wantsToRun && !user.deleting && user.host !== undefined && (world.shared || user.host === home);

const byAge = (a: UserWorld, b: UserWorld): number => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1);

/** The claim as it shall be, given where the disk is bound. */
export const claimOf = (
  world: DiskWorld,
  seen: DiskSight | undefined,
  home: string | undefined,
): Claim | undefined => {
  const claim = world.disk.status?.claim;
  if (claim !== undefined && kept(world, seen, claim)) return claim;
  if (world.disk.metadata.deletionTimestamp !== undefined) return undefined;
  const [next] = world.users.filter((user) => mayHave(world, user, home)).toSorted(byAge);
  return next?.host === undefined
    ? undefined
    : { purpose: 'run', vmUid: next.uid, vmName: next.name, host: next.host };
};

/** Where the disk is or shall be: bound already, beside what it is copied from, or where its first machine went. */
export const homeOf = (world: DiskWorld): string | undefined => {
  const bound = world.disk.status?.host;
  if (bound !== undefined) return bound;
  if (world.shared) return world.hosts.find(({ usable }) => usable)?.name;
  if (world.source.kind === 'disk') return world.source.host;
  const [first] = world.users.filter(({ host, deleting }) => host !== undefined && !deleting).toSorted(byAge);
  return first?.host;
};
