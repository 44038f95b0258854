/**
 * The next step of a disk on its way to another StoragePool (docs/adr/0015-moving-disks.md). What is removed is
 * removed on these grounds alone: the copy, while its source is seen to be complete; the source, once this process
 * compared the two and a write that nobody crossed says so. Pure.
 */
import type { MoveRecord } from '../../api/disk-move.ts';
import { settled, step, wait } from '../decision.ts';
import { claimOf, homeOf } from './claim.ts';
import type { Decision } from './decision.ts';
import type { CopySight, DiskSight, DiskWorld, MoveWorld } from './world.ts';

/** Servers and hosts that come back wake the disk; this is for what wakes nobody. */
const retryMs = 15_000;

type Ordinary = () => Decision;

interface Scene {
  readonly world: DiskWorld;
  readonly seen: DiskSight;
  readonly move: MoveWorld;
  readonly record: MoveRecord;
  /** What lies where the disk comes from. */
  readonly source: SourceState;
  readonly copy: CopySight;
  /** What the disk would do if it did not move. */
  readonly ordinary: Ordinary;
}

type SourceState = 'complete' | 'unfinished' | 'gone' | 'unknown';

const stateOf = (sight: { readonly kind: string; readonly complete?: boolean } | undefined): SourceState => {
  if (sight === undefined) return 'unknown';
  if (sight.kind === 'absent') return 'gone';
  return sight.complete === true ? 'complete' : 'unfinished';
};

const sourceState = (world: DiskWorld, seen: DiskSight): SourceState => {
  if (world.served !== undefined) return stateOf(seen.served);
  const home = homeOf(world);
  if (world.hosts.find(({ name }) => name === home)?.declaredDown !== undefined) return 'gone';
  const sight = seen.volumes.find(({ host }) => host === home)?.sight;
  return stateOf(sight?.kind === 'present' ? { kind: 'present', complete: sight.volume.complete } : sight);
};

const isComplete = (copy: CopySight | undefined): boolean => copy?.kind === 'present' && copy.complete;

/** The volume itself, seen through another pool that is the same storage: it is no copy. */
const isItself = (copy: CopySight): boolean => copy.kind === 'present' && copy.complete && !copy.marked;

/** Who has the disk, or may have it. */
const holderOf = (world: DiskWorld, seen: DiskSight): string | undefined => {
  const claim = claimOf(world, seen, homeOf(world));
  if (claim !== undefined) return claim.vmName ?? 'that holds it';
  if (world.granting === true) return 'that is being given it';
  return world.users.find(({ plugged, unknown }) => plugged || unknown)?.name;
};

const moving = ({ move, job }: DiskWorld): string => {
  const { from = '', to = '' } = move ?? {};
  const queued = job?.kind === 'queued' ? ', once others are through' : '';
  return `The disk is being moved from StoragePool ${from} to ${to}${queued}.`;
};

const onItsWay = (world: DiskWorld, afterMs?: number): Decision =>
  wait('progress', 'Moving', moving(world), afterMs);

const lost = (message: string): Decision => wait('trouble', 'DiskLost', message);

const unseen = (copy: Extract<CopySight, { kind: 'unseen' }>, { from }: MoveWorld): Decision =>
  wait('unknown', copy.reason, `${copy.message} The data is in StoragePool ${from} still.`, retryMs);

const aliasTrouble = ({ from, to }: MoveWorld): Decision =>
  wait(
    'trouble',
    'NameTaken',
    `StoragePool ${to} has a volume of this disk that no move put there; perhaps it is the same storage as ${from}. Nothing is done to it.`,
  );

const inUse = (holder: string, { to }: MoveWorld): Decision =>
  settled(
    'ok',
    'MovesWhenDetached',
    `Machine ${holder} uses the disk, which moves to StoragePool ${to} once it is free.`,
  );

/** The spec names another pool, and nothing was begun. */
const decideBegin = (world: DiskWorld, seen: DiskSight, move: MoveWorld, ordinary: Ordinary): Decision => {
  const source = sourceState(world, seen);
  const { copy } = seen;
  // The status is older than the end of the move, or was written by somebody else.
  if (source === 'gone' && isComplete(copy)) return onItsWay(world, 0);
  const base = ordinary();
  if (base.plan.kind !== 'settled' || base.health !== 'ok') return base;
  // On which host it is was lost with its status.
  if (source !== 'complete') return base;
  const { lack, target, from, to } = move;
  if (lack !== undefined)
    return wait(
      lack.reason === 'OverProvisioned' ? 'trouble' : 'invalid',
      lack.reason,
      `${lack.message} The disk stays in StoragePool ${from}.`,
    );
  const holder = holderOf(world, seen);
  if (holder !== undefined) return inUse(holder, move);
  // It is let go of in a status first.
  if (world.disk.status?.claim !== undefined) return onItsWay(world, 0);
  const [dependent] = world.copiedBy;
  if (dependent !== undefined || world.copying) {
    const message = `The disk is moved once VirtualDisk ${dependent ?? 'that is filled from it'} has been copied.`;
    return wait('progress', 'WaitingForDependents', message);
  }
  if (copy === undefined || copy.kind === 'unseen') {
    const why =
      copy ??
      ({
        kind: 'unseen',
        reason: 'StorageNotReady',
        message: `StoragePool ${to} was not looked at.`,
      } as const);
    return unseen(why, move);
  }
  if (target === undefined || isItself(copy)) return aliasTrouble(move);
  return step({ kind: 'markMove', phase: 'Copying' }, 'Moving', moving(world));
};

/** The job that copies, where there is no copy, and compares. */
const work = ({ world, move, copy }: Scene): Decision => {
  const { job } = world;
  switch (job?.kind) {
    case 'queued':
    case 'running':
      return onItsWay(world, 30_000);
    case 'failed':
      return step({ kind: 'failCopy' }, 'Moving', job.fault.message);
    case 'done':
    case undefined:
      if (copy.kind === 'unseen') return unseen(copy, move);
      return isItself(copy) ? aliasTrouble(move) : step({ kind: 'move' }, 'Moving', moving(world));
    default:
      return job satisfies never;
  }
};

const mark = ({ world }: Scene, phase: MoveRecord['phase']): Decision =>
  step({ kind: 'markMove', phase }, 'Moving', moving(world));

/** The copy is the disk: what is left of the source goes, the status says where the disk is, the record ends. */
const arrive = ({ world, move, record }: Scene): Decision => {
  if (!move.removed && !isOutOfReach(world)) return step({ kind: 'clearSource' }, 'Moving', moving(world));
  return world.disk.status?.volume?.pool === record.to.pool
    ? step({ kind: 'endMove' }, 'Moving', moving(world))
    : onItsWay(world, 0);
};

/** On a host that is gone for good nothing is left to remove. */
const isOutOfReach = (world: DiskWorld): boolean => {
  const home = homeOf(world);
  return world.hosts.some(({ name, declaredDown }) => name === home && declaredDown !== undefined);
};

/** A host that is still let in is let out before anybody reads; undefined when there is none. */
const letOut = ({ seen, ordinary }: Scene): Decision | undefined => {
  const open = seen.served?.kind === 'present' && seen.served.published.length > 0;
  const decision = open ? ordinary() : undefined;
  return decision?.plan.kind === 'settled' ? undefined : decision;
};

/** Told before the copy goes, or nobody would know why it takes so long; and tried again in a while, not at once. */
const giveUp = (scene: Scene): Decision => {
  const { job } = scene.world;
  return job?.kind === 'failed'
    ? step({ kind: 'failCopy' }, 'Moving', job.fault.message)
    : mark(scene, 'Dropping');
};

const decideCopying = (scene: Scene): Decision => {
  const { world, seen, move, source, copy, ordinary } = scene;
  // Whatever became of it: what was copied completely is what there is.
  if ((source === 'gone' || source === 'unfinished') && isComplete(copy)) return mark(scene, 'Removing');
  if (!move.wanted || move.target === undefined || move.target.lost) return mark(scene, 'Dropping');
  if (source === 'unknown') return ordinary();
  if (source !== 'complete') return lost(`The data of the disk is gone from StoragePool ${move.from}.`);
  const holder = holderOf(world, seen);
  if (holder !== undefined) return inUse(holder, move);
  if (isItself(copy)) return aliasTrouble(move);
  const open = letOut(scene);
  if (open !== undefined) return open;
  if (isComplete(copy) && move.compared === 'same') return mark(scene, 'Removing');
  if (move.compared === 'differs') return giveUp(scene);
  return work(scene);
};

const decideRemoving = (scene: Scene): Decision => {
  const { world, move, source, copy, ordinary } = scene;
  if (copy.kind === 'unseen') return unseen(copy, move);
  if (source === 'unknown') return ordinary();
  if (source !== 'complete')
    return isComplete(copy)
      ? arrive(scene)
      : lost(`The data of the disk is gone from StoragePools ${move.from} and ${move.to}.`);
  if (!isComplete(copy)) return mark(scene, 'Copying');
  if (isItself(copy)) return aliasTrouble(move);
  const open = letOut(scene);
  if (open !== undefined) return open;
  switch (move.compared) {
    case 'same':
      return step({ kind: 'clearSource' }, 'Moving', moving(world));
    case 'differs':
      return giveUp(scene);
    case undefined:
      return work(scene);
    default:
      return move.compared satisfies never;
  }
};

/** The disk is used where it is; what is to be removed elsewhere is tried again. */
const meanwhile = (decision: Decision): Decision =>
  decision.plan.kind === 'settled' ? { ...decision, plan: { kind: 'wait', afterMs: retryMs } } : decision;

/** The copy was given up, and the source is not to be seen. */
const decideLostDropping = (scene: Scene): Decision => {
  const { move, copy } = scene;
  if (!isComplete(copy)) return lost(`The data of the disk is gone from StoragePool ${move.from}.`);
  return move.wanted
    ? mark(scene, 'Removing')
    : lost(
        `The data of the disk is gone from StoragePool ${move.from}. A copy is in ${move.to}: name that pool to use it.`,
      );
};

const decideDropping = (scene: Scene): Decision => {
  const { world, move, source, copy, ordinary } = scene;
  const next = (): Decision =>
    move.wanted && move.target?.lost === false && move.lack === undefined
      ? mark(scene, 'Copying')
      : step({ kind: 'endMove' }, 'Moving', moving(world));
  const needed = move.wanted || world.disk.metadata.deletionTimestamp !== undefined;
  if (source === 'gone' || source === 'unfinished') return decideLostDropping(scene);
  if (source === 'unknown') return ordinary();
  if (world.job !== undefined) return step({ kind: 'cancelMake' }, 'Moving', 'The copy is being given up.');
  if (move.target === undefined || move.target.lost || isItself(copy)) return next();
  if (copy.kind === 'unseen') return needed ? unseen(copy, move) : meanwhile(ordinary());
  if (copy.kind === 'absent' && move.removed) return next();
  return step({ kind: 'dropCopy' }, 'Moving', 'The copy is being given up.');
};

export const decideMove = (world: DiskWorld, seen: DiskSight, ordinary: Ordinary): Decision => {
  const { move } = world;
  if (move === undefined) return ordinary();
  const { record } = move;
  if (record === undefined) return decideBegin(world, seen, move, ordinary);
  const copy =
    seen.copy ??
    ({ kind: 'unseen', reason: 'StorageNotReady', message: 'The copy was not looked at.' } as const);
  const scene: Scene = { world, seen, move, record, source: sourceState(world, seen), copy, ordinary };
  switch (record.phase) {
    case 'Copying':
      return decideCopying(scene);
    case 'Removing':
      return decideRemoving(scene);
    case 'Dropping':
      return decideDropping(scene);
    default:
      return record.phase satisfies never;
  }
};

/** Whether the data is at its new place and nowhere else: what the status has to say from now on. */
export const hasArrived = (world: DiskWorld, seen: DiskSight | undefined): boolean => {
  const { move } = world;
  if (move === undefined || seen === undefined || !isComplete(seen.copy)) return false;
  const source = sourceState(world, seen);
  if (move.record === undefined) return source === 'gone';
  return (
    move.record.phase === 'Removing' &&
    (source === 'gone' || source === 'unfinished') &&
    (move.removed || isOutOfReach(world))
  );
};
