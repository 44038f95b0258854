/**
 * The next step for a disk of a storage server. The server lets in the host of the claim and nobody else: a host is
 * let in after the claim names it, and let out by the hosts' word before the claim passes on
 * (docs/adr/0012-claims-and-servers.md). Pure.
 */
import type { ServedSight } from '../../drivers/storage/contract.ts';
import { settled, step, wait } from '../decision.ts';
import { claimOf, isLeaving } from './claim.ts';
import type { Decision, DiskStep, ServedSource } from './decision.ts';
import { wantedBytes } from './wanted-bytes.ts';
import type { DiskSight, DiskWorld, HostWorld, ServedWorld } from './world.ts';

type Present = Extract<ServedSight, { readonly kind: 'present' }>;

/** Sessions of a host end a moment after its emulator; nothing tells of it. */
const sessionPollMs = 5_000;

const isLoggedIn = ({ served }: DiskWorld): boolean => served?.loggedIn === true;

const hostNamed = (world: DiskWorld, name: string | undefined): HostWorld | undefined =>
  world.hosts.find((host) => host.name === name);

const make = (world: DiskWorld, from: ServedSource): Decision => {
  const { job } = world;
  const [reason, message] =
    from.kind === 'blank'
      ? (['Creating', 'The disk is being made.'] as const)
      : (['Copying', 'The disk is being filled.'] as const);
  switch (job?.kind) {
    case 'queued':
    case 'running':
      return wait('progress', reason, message, 30_000);
    case 'failed':
      return step({ kind: 'failCopy' }, reason, job.fault.message);
    case 'done':
    case undefined:
      return step({ kind: 'make', from, sizeBytes: wantedBytes(world) }, reason, message);
    default:
      return job satisfies never;
  }
};

const decideServedMake = (world: DiskWorld): Decision => {
  const { source } = world;
  switch (source.kind) {
    case 'lack': {
      const { reason, message } = source.lack;
      return wait(reason.startsWith('WaitingFor') ? 'progress' : 'invalid', reason, message);
    }
    case 'blank':
      return make(world, { kind: 'blank' });
    case 'disk':
      return source.inUseBy === undefined
        ? make(world, { kind: 'clone', diskUid: source.uid })
        : wait(
            'progress',
            'DiskInUse',
            `VirtualDisk ${source.name} is in use by ${source.inUseBy}; it is copied once it is free.`,
          );
    case 'image': {
      const [reader] = source.readers;
      return reader === undefined
        ? wait('progress', 'WaitingForImage', `Image ${source.name} cannot be read on any host yet.`)
        : make(world, { kind: 'image', reader, file: source.file });
    }
    default:
      return source satisfies never;
  }
};

/** The claim of the status, when the hosts' word does not take it away. */
const keptClaim = (world: DiskWorld, seen: DiskSight) => {
  const { claim } = world.disk.status ?? {};
  return claim !== undefined && claimOf(world, seen, undefined) === claim ? claim : undefined;
};

/** The holder is on a host that is not, or no longer, one of the pool. */
const keepsElsewhere = (world: DiskWorld, seen: DiskSight): boolean => {
  const kept = keptClaim(world, seen);
  return kept !== undefined && hostNamed(world, kept.host) === undefined;
};

/**
 * Whether a host may be let out: the claim named it and its hosts said that it let go; or it is gone for good; or
 * nobody is logged in from there and no machine there may have the disk. Else a lost status could cut off a machine.
 */
const mayWithdraw = (world: DiskWorld, seen: DiskSight, sight: Present, iqn: string): boolean => {
  const host = world.hosts.find(({ initiator }) => initiator === iqn);
  const { claim } = world.disk.status ?? {};
  if (host?.declaredDown !== undefined) return true;
  if (claim !== undefined && hostNamed(world, claim.host)?.initiator === iqn)
    return keptClaim(world, seen) === undefined;
  // A host whose HostPool was taken out of the pool is known by no initiator: it may be this one.
  if (host === undefined && keepsElsewhere(world, seen)) return false;
  const mayBeThere = (name: string | undefined): boolean =>
    name === undefined || (host === undefined ? hostNamed(world, name) === undefined : name === host.name);
  const mayHave = world.users.some((user) => (user.plugged || user.unknown) && mayBeThere(user.host));
  // A session of the host itself says nothing of machines: it ends when the host is logged out, which it refuses in use.
  return (isLoggedIn(world) || !sight.sessions.includes(iqn)) && !mayHave;
};

/** Everybody who may log in besides the host of the claim. */
const decideWithdraw = (world: DiskWorld, seen: DiskSight, sight: Present): Decision | undefined => {
  // A claim that was lost goes back to the machine that has the disk: its host stays let in.
  const lost = world.disk.status?.claim === undefined;
  const right = keptClaim(world, seen) ?? (lost ? claimOf(world, seen, undefined) : undefined);
  const wanted = hostNamed(world, right?.host)?.initiator;
  const others = sight.published.filter((iqn) => iqn !== wanted);
  const [other] = others.filter((iqn) => mayWithdraw(world, seen, sight, iqn));
  if (other !== undefined) {
    const host = world.hosts.find(({ initiator }) => initiator === other);
    const leaves = host !== undefined && host.name === world.disk.status?.claim?.host;
    const secretFrom = leaves && host.usable ? host.name : undefined;
    const loginFrom = isLoggedIn(world) && host?.declaredDown === undefined ? host?.name : undefined;
    const it: DiskStep = {
      kind: 'withdraw',
      iqn: other,
      ...(secretFrom === undefined ? {} : { secretFrom }),
      ...(loginFrom === undefined ? {} : { loginFrom }),
    };
    return step(it, 'Publishing', `The storage server lets ${host?.name ?? 'another host'} out.`);
  }
  const [stranger] = others;
  if (keepsElsewhere(world, seen)) return undefined;
  if (stranger === undefined || (wanted !== undefined && sight.published.includes(wanted))) return undefined;
  const name = world.hosts.find(({ initiator }) => initiator === stranger)?.name ?? stranger;
  const message = `${name} has the disk open although no machine there holds it; nothing is taken from it.`;
  return wait('trouble', 'DiskInUse', message, sessionPollMs);
};

/** Undefined when there is nothing to grow now. */
const decideServedGrow = (world: DiskWorld, seen: DiskSight, sight: Present): Decision | undefined => {
  const sizeBytes = wantedBytes(world);
  if (sight.sizeBytes >= sizeBytes) return undefined;
  // Without a claim the host of the machine that has the disk stays let in: it runs, and gets its claim back first.
  const free = keptClaim(world, seen) === undefined && sight.published.length === 0;
  // It may be on its way because there is no room to grow.
  if (world.noRoom !== undefined || (free && isLeaving(world))) return undefined;
  if (!free && world.served?.growsOnline !== true) return undefined;
  return step({ kind: 'serve', step: { kind: 'grow', sizeBytes } }, 'Growing', 'The disk is being grown.');
};

const decideClaimed = (world: DiskWorld, seen: DiskSight, sight: Present): Decision => {
  const kept = keptClaim(world, seen);
  if (kept === undefined) {
    const next = claimOf(world, seen, undefined);
    if (next === undefined) return settled('ok', 'Available', 'The disk exists and nobody uses it.');
    const iqn = hostNamed(world, next.host)?.initiator;
    return iqn === undefined || sight.published.includes(iqn)
      ? settled('ok', 'Attached', `Machine ${next.vmName} uses the disk.`)
      : step({ kind: 'grant', claim: next }, 'Publishing', `The disk is given to machine ${next.vmName}.`);
  }
  const host = hostNamed(world, kept.host);
  if (host === undefined) {
    const message = `Host ${kept.host} of machine ${kept.vmName} is not one of the pool.`;
    return wait('trouble', 'NotInPool', message);
  }
  if (!sight.published.includes(host.initiator)) {
    // Everybody else is out: the server makes sure that this is still so.
    const it = { kind: 'publish', initiator: { iqn: host.initiator }, alone: true } as const;
    return step({ kind: 'serve', step: it }, 'Publishing', `The storage server lets ${host.name} in.`);
  }
  return sight.sizeBytes < wantedBytes(world)
    ? settled(
        'ok',
        'GrowsAtPowerCycle',
        `Machine ${kept.vmName} uses the disk, which grows when it is next stopped.`,
      )
    : settled('ok', 'Attached', `Machine ${kept.vmName} uses the disk.`);
};

/** For a disk that is not being deleted. */
export const decideServed = (world: DiskWorld, seen: DiskSight): Decision => {
  const sight = seen.served;
  if (sight === undefined)
    return wait('unknown', 'StorageNotReady', 'The storage server could not be asked.');
  if (sight.kind === 'present' && sight.complete)
    return (
      decideWithdraw(world, seen, sight) ??
      decideServedGrow(world, seen, sight) ??
      decideClaimed(world, seen, sight)
    );
  // What was there once is never made anew: an empty disk in place of lost data helps nobody.
  if (world.disk.status?.volume !== undefined || world.move !== undefined) {
    const message = 'The disk is gone from the storage server; somebody removed it there.';
    return wait('trouble', 'DiskLost', message);
  }
  return decideServedMake(world);
};

/** The data goes: nobody needs the disk any more. */
export const decideServedRemoval = (world: DiskWorld, seen: DiskSight): Decision => {
  const sight = seen.served;
  if (sight === undefined)
    return wait('unknown', 'StorageNotReady', 'Deleting waits for the storage server.');
  const retained = world.disk.spec.reclaimPolicy === 'Retain';
  if (sight.kind === 'absent') return step({ kind: 'removeFinalizer' }, 'Deleting', 'The data is gone.');
  const withdrawn = decideWithdraw(world, seen, sight);
  if (withdrawn !== undefined) return withdrawn;
  return retained
    ? step({ kind: 'removeFinalizer' }, 'Deleting', 'The data stays on the storage.')
    : step({ kind: 'serve', step: { kind: 'delete' } }, 'Deleting', 'The data is being removed.');
};

/**
 * Whether the next step needs no look at the server before it, given what it said last: a disk that nobody had is
 * given to a machine, and the server itself refuses if somebody has it by now; or the host of the claim is let out by
 * the hosts' word, which the server does whatever it finds. Both answer how the disk is after them.
 */
export const actsUnseen = (world: DiskWorld, sight: ServedSight, next: DiskStep | undefined): boolean => {
  if (sight.kind !== 'present' || !sight.complete) return false;
  const known = (name: string | undefined): string | undefined => hostNamed(world, name)?.initiator;
  switch (next?.kind) {
    case 'grant':
      return sight.published.length === 0 && known(next.claim.host) !== undefined;
    case 'serve':
      return next.step.kind === 'publish' && sight.published.length === 0;
    case 'withdraw':
      return known(world.disk.status?.claim?.host) === next.iqn;
    default:
      return false;
  }
};

/** Whether the server lets in the host of that claim. */
export const isPublished = (
  world: DiskWorld,
  seen: DiskSight | undefined,
  host: string | undefined,
): boolean | undefined => {
  const sight = seen?.served;
  if (sight === undefined) return undefined;
  const initiator = hostNamed(world, host)?.initiator;
  return sight.kind === 'present' && initiator !== undefined && sight.published.includes(initiator);
};

/** Whether the disk has yet to grow, and its server cannot do that while a machine has it. */
export const growsOffline = (
  served: Pick<ServedWorld, 'growsOnline'>,
  wanted: number,
  sizeBytes: number | undefined,
): boolean => served.growsOnline === false && sizeBytes !== undefined && sizeBytes < wanted;
