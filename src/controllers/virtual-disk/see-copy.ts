/** What is in the pool that a disk moves to. Never mutates; what it cannot find out takes nothing from the source. */
import { arrivalMark } from '../../api/identity.ts';
import { toFault } from '../../runtime/fault.ts';
import { within } from '../../runtime/within.ts';
import type { ControllerContext } from '../context.ts';
import { diskServerOf } from '../served.ts';
import { reasonOfFault } from '../standing.ts';
import type { CopySight, DiskWorld, MoveTarget } from './world.ts';

const limitMs = 20_000;

export const lookAtCopy = async (
  context: ControllerContext,
  diskUid: string,
  { pool, place, served, volume, host }: MoveTarget,
  signal: AbortSignal,
): Promise<CopySight> => {
  if (served) {
    const sight = await diskServerOf(context, pool).see({ diskUid }, signal);
    if (sight.kind === 'absent') return sight;
    // The server tells disks of one pool from those of another.
    return { kind: 'present', complete: sight.complete, marked: true, sizeBytes: sight.sizeBytes };
  }
  const session = host && context.fleet.session(host.pool);
  if (host === undefined || session === undefined) {
    const message = `No host is ready that reaches StoragePool ${pool.metadata.name}.`;
    return { kind: 'unseen', reason: 'NoHostsReady', message };
  }
  const sight = await session.pool.hostStorage(host.id).see(place, volume, signal);
  if (sight.kind === 'absent') return sight;
  const { complete, digest, sizeBytes } = sight.volume;
  const marked = digest === arrivalMark(pool.metadata.uid, diskUid);
  return { kind: 'present', complete, marked, sizeBytes };
};

/** Nothing depends on it while a machine has the disk and no move was begun. */
const isIdle = ({ move, disk }: DiskWorld): boolean =>
  move === undefined || (move.record === undefined && disk.status?.claim !== undefined);

export const seeCopy = async (
  context: ControllerContext,
  world: DiskWorld,
  signal: AbortSignal,
): Promise<CopySight | undefined> => {
  const { move, disk } = world;
  if (move === undefined || isIdle(world)) return undefined;
  const { target } = move;
  if (target === undefined)
    return {
      kind: 'unseen',
      reason: 'StoragePoolNotFound',
      message: `StoragePool ${move.to} does not exist.`,
    };
  if (target.lost) return { kind: 'absent' };
  try {
    return await within({ clock: context.clock, limitMs, signal }, (inner) =>
      lookAtCopy(context, disk.metadata.uid, target, inner),
    );
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return { kind: 'unseen', reason: reasonOfFault(fault), message: fault.message };
  }
};
