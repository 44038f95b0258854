/** One idempotent step for a Host. */
import { Fault } from '../../runtime/fault.ts';
import type { Taken } from '../../runtime/pass.ts';
import type { ControllerContext } from '../context.ts';
import { hasOurFinalizer, removeFinalizer } from '../object-writes.ts';
import type { HostSight, HostStep, HostWorld } from './world.ts';

const claim = async (
  { fleet, clusterId, effect }: ControllerContext,
  { host }: HostWorld,
  signal: AbortSignal,
): Promise<Taken<HostSight>> => {
  const session = fleet.session(host.spec.hostPoolRef.name);
  if (session === undefined)
    throw new Fault('busy', 'The pool is being connected.', { reason: 'Connecting' });
  const answer = await effect('claim host', () => session.pool.claim(host.spec.hostName, clusterId, signal));
  return { kind: 'done', seen: { claim: answer } };
};

export const take = async (
  context: ControllerContext,
  world: HostWorld,
  step: HostStep,
  signal: AbortSignal,
): Promise<Taken<HostSight>> => {
  const { host } = world;
  const { resource } = context.kinds.hosts;
  switch (step.kind) {
    case 'claim':
      return claim(context, world, signal);
    case 'deleteHost': {
      const { name, uid } = host.metadata;
      await context.effect('delete host', () => resource.delete({ name }, { uid }, signal));
      return { kind: 'wrote' };
    }
    case 'removeFinalizer':
      if (!hasOurFinalizer(host)) return { kind: 'gone' };
      await removeFinalizer(resource, host, context.effect, signal);
      return { kind: 'gone' };
    default:
      return step satisfies never;
  }
};
