/** The server side of a pass: what the servers show, and one step there. It never throws what the hosts would suffer from. */
import type { ServerStep } from '../../drivers/storage/contract.ts';
import { deepEqual } from '../../runtime/equal.ts';
import { type Fault, toFault } from '../../runtime/fault.ts';
import type { ControllerContext } from '../context.ts';
import { knownReason, reasonOfFault } from '../standing.ts';
import type { StorageSession } from '../storage-session.ts';
import type { ServerSight, StoragePoolWorld } from './world.ts';

const busyMs = 2_000;

const reasonOf = (fault: Fault) =>
  fault.kind === 'unreachable' ? knownReason(fault.reason, 'ServerUnreachable') : reasonOfFault(fault);

const failed = (fault: Fault, retryMs: number): ServerSight => ({
  kind: 'failed',
  reason: reasonOf(fault),
  message: fault.message,
  busy: fault.kind === 'busy' || fault.kind === 'conflict',
  retryMs,
});

/** Erasing is granted only right after somebody found that nothing of ours is on it. */
const mayErase = (world: StoragePoolWorld, session: StorageSession): boolean => {
  if (world.disks.length > 0 || world.images.length > 0) session.emptied = false;
  return world.erases && session.emptied;
};

export const seeServer = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  how: 'fresh' | 'recent',
  signal: AbortSignal,
): Promise<ServerSight> => {
  const { server, pool } = world;
  const session = context.storage.session(pool.metadata.name);
  if (server.kind === 'none' || server.kind === 'opening') return server;
  if (server.kind === 'lack' || session === undefined) {
    return server.kind === 'lack'
      ? { kind: 'failed', reason: server.reason, message: server.message, busy: false, retryMs: undefined }
      : { kind: 'opening' };
  }
  const removing = pool.metadata.deletionTimestamp !== undefined;
  try {
    const seen = await session.look(removing ? 'fresh' : how, signal);
    const erase = removing && mayErase(world, session);
    const plan = removing ? server.server.planRemoval(seen, erase) : server.server.plan(seen);
    return { kind: 'seen', seen, plan, erase };
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return failed(fault, fault.kind === 'busy' ? busyMs : Math.max(busyMs, session.retryMs()));
  }
};

/** A step that is to be taken again right after it was taken has no effect: it is tried again later, not at once. */
const withoutEffect = (before: ServerStep, after: ServerSight): boolean =>
  after.kind === 'seen' && after.plan.kind === 'step' && deepEqual(before, after.plan.step);

const fruitlessMs = 15_000;

export const takeServerStep = async (
  context: ControllerContext,
  world: StoragePoolWorld,
  step: ServerStep,
  signal: AbortSignal,
): Promise<ServerSight> => {
  const session = context.storage.session(world.pool.metadata.name);
  if (session === undefined) return { kind: 'opening' };
  try {
    await context.effect(`server ${step.what}`, () => session.take(step, signal));
  } catch (error) {
    signal.throwIfAborted();
    const fault = toFault(error);
    return failed(fault, fault.kind === 'busy' || fault.kind === 'conflict' ? busyMs : fruitlessMs);
  }
  const after = await seeServer(context, world, 'fresh', signal);
  if (!withoutEffect(step, after)) return after;
  const message = `The step "${step.what}" was taken and did not last; it is tried again.`;
  return { kind: 'failed', reason: 'RequestFailed', message, busy: false, retryMs: fruitlessMs };
};
