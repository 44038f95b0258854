/** One idempotent step for a HostPool. */
import { FINALIZER, hostObjectName } from '../../api/identity.ts';
import { API_VERSION } from '../../api/kind.ts';
import type { HostId } from '../../drivers/hypervisor/contract.ts';
import type { Taken } from '../../runtime/pass.ts';
import { type ControllerContext, FIELD_MANAGER } from '../context.ts';
import { addFinalizer, removeFinalizer } from '../object-writes.ts';
import type { HostPoolStep, HostPoolWorld } from './world.ts';

/** Only what names the host: all else of its spec is the administrator's. */
const applyHost = async (
  { kinds, effect }: ControllerContext,
  { pool }: HostPoolWorld,
  host: HostId,
  signal: AbortSignal,
): Promise<void> => {
  const { name } = pool.metadata;
  const object = {
    apiVersion: API_VERSION,
    kind: 'Host',
    metadata: { name: hostObjectName(name, host), finalizers: [FINALIZER] },
    spec: { hostPoolRef: { name }, hostName: host },
  };
  await effect('apply host', () =>
    kinds.hosts.resource.apply(object, { fieldManager: FIELD_MANAGER, force: true }, signal),
  );
};

export const take = async (
  context: ControllerContext,
  world: HostPoolWorld,
  step: HostPoolStep,
  signal: AbortSignal,
): Promise<Taken<undefined>> => {
  const { resource } = context.kinds.hostPools;
  switch (step.kind) {
    case 'addFinalizer':
      await addFinalizer(resource, world.pool, context.effect, signal);
      return { kind: 'wrote' };
    case 'applyHost':
      await applyHost(context, world, step.host, signal);
      return { kind: 'wrote' };
    case 'removeFinalizer':
      await removeFinalizer(resource, world.pool, context.effect, signal);
      return { kind: 'gone' };
    default:
      return step satisfies never;
  }
};
