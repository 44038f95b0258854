/**
 * Who may use a disk: at most one running machine at a time (I2). The disk's own controller is the only writer of the
 * claim, so two machines can never both be told yes (docs/adr/0005-disk-claims.md). Pure.
 */
import { diskSerial, MACHINE_UID_ANNOTATION } from '../../api/identity.ts';
import type { VirtualDiskStatus } from '../../api/virtual-disk.ts';
import type { VmSeen } from '../../drivers/hypervisor/contract.ts';
import type { DiskSight, DiskWorld, UserWorld } from './world.ts';

export type Claim = NonNullable<VirtualDiskStatus['claim']>;

/** Every host that could have the machine answered, and none has it. */
const isGone = ({ sightings, unseen }: VmSeen): boolean => sightings.length === 0 && unseen.length === 0;

/** Every host that could have it answered, and wherever it runs the disk is not in it. */
const isUnplugged = ({ sightings, unseen }: VmSeen, serial: string): boolean =>
  unseen.length === 0 &&
  sightings.every(({ running }) => running?.disks.every((disk) => disk.serial !== serial) ?? true);

/** Its machine, which is going, is about to delete it too: that nobody uses it is not worth a write of its own. */
const goesAlong = ({ disk: { metadata } }: DiskWorld, holder: UserWorld | undefined): boolean =>
  holder?.deleting === true &&
  metadata.annotations?.[MACHINE_UID_ANNOTATION] === holder.uid &&
  metadata.deletionTimestamp === undefined;

/** A machine that was stopped gives its disk back for the moment in which it can grow. */
export const growsNext = ({ served, block }: Pick<DiskWorld, 'served' | 'block'>): boolean =>
  served?.growsNext === true || block?.growsNext === true;

/**
 * Kept until the hosts say that the holder has let go. Its status may start the question and never answers it: a
 * status can be lost, forged, or older than a crash.
 */
const kept = (world: DiskWorld, seen: DiskSight | undefined, claim: Claim): boolean => {
  const holder = world.users.find(({ uid }) => uid === claim.vmUid);
  const ghost = seen?.ghost;
  if (goesAlong(world, holder)) return true;
  if (holder === undefined || holder.deleting) return ghost === undefined || !isGone(ghost);
  if (!holder.released || (holder.wantsToRun && !growsNext(world))) return true;
  return ghost === undefined || !isUnplugged(ghost, diskSerial(world.disk.metadata.uid));
};

/** Where the data is to be copied from, or is no longer sure to be, nobody writes. */
export const isLeaving = ({ move }: DiskWorld): boolean =>
  move !== undefined && (move.wanted || (move.record !== undefined && move.record.phase !== 'Dropping'));

/** A machine that has the disk although no claim says so, or may have it: the claim was lost. */
const inTheWay = (world: DiskWorld, next: UserWorld): boolean =>
  world.users.some((user) => user.uid !== next.uid && (user.plugged || user.unknown));

const mayHave = (world: DiskWorld, user: UserWorld, home: string | undefined): boolean =>
  user.wantsToRun && !user.deleting && user.host !== undefined && (world.shared || user.host === home);

const byAge = (a: UserWorld, b: UserWorld): number => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1);

/** Whoever has the disk already comes before all others. */
const byRight = (a: UserWorld, b: UserWorld): number => Number(b.plugged) - Number(a.plugged) || byAge(a, b);

/** What is left of a claim that somebody else wrote into: no machine ever lets go of it. */
const isNobodys = ({ purpose, vmUid }: Claim): boolean => purpose === 'run' && vmUid === undefined;

/** The claim as it shall be, given where the disk is bound. */
export const claimOf = (
  world: DiskWorld,
  seen: DiskSight | undefined,
  home: string | undefined,
): Claim | undefined => {
  const claim = world.disk.status?.claim;
  if (claim !== undefined && !isNobodys(claim) && kept(world, seen, claim)) return claim;
  if (world.disk.metadata.deletionTimestamp !== undefined || world.copying || isLeaving(world))
    return undefined;
  // A volume is grown before anybody gets it; a machine that runs with it all the same keeps it.
  const candidates = world.users.filter((user) => world.block?.growsNext !== true || user.plugged);
  const [next] = candidates.filter((user) => mayHave(world, user, home)).toSorted(byRight);
  return next?.host === undefined || inTheWay(world, next)
    ? undefined
    : { purpose: 'run', vmUid: next.uid, vmName: next.name, host: next.host };
};

/** Where the disk is or shall be: bound already, beside what it is copied from, or where its first machine went. */
export const homeOf = (world: DiskWorld): string | undefined => {
  const record = world.move?.record;
  const bound = record === undefined ? world.disk.status?.host : record.from.host;
  if (bound !== undefined) return bound;
  if (!world.shared && record === undefined && world.recordedHost !== undefined) return world.recordedHost;
  if (world.shared) return world.hosts.find(({ usable }) => usable)?.name;
  if (world.source.kind === 'disk') return world.source.host;
  const [first] = world.users.filter(({ host, deleting }) => host !== undefined && !deleting).toSorted(byAge);
  return first?.host;
};
