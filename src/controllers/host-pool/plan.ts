/** The next step for a HostPool. Pure. */
import { FINALIZER, hostObjectName } from '../../api/identity.ts';
import type { Plan } from '../../runtime/pass.ts';
import type { HostPoolStep, HostPoolWorld } from './world.ts';

const settled: Plan<HostPoolStep> = { kind: 'settled' };
const step = (it: HostPoolStep): Plan<HostPoolStep> => ({ kind: 'step', step: it });

export const plan = ({ pool, listed, hosts, machines }: HostPoolWorld): Plan<HostPoolStep> => {
  const ours = pool.metadata.finalizers?.includes(FINALIZER) === true;
  if (pool.metadata.deletionTimestamp !== undefined) {
    // The Hosts of a pool that is being deleted go by themselves once nothing is on them.
    return ours && machines.length === 0 && hosts.length === 0 ? step({ kind: 'removeFinalizer' }) : settled;
  }
  if (!ours) return step({ kind: 'addFinalizer' });
  const missing = listed.find((id) => {
    const object = hosts.find(({ metadata }) => metadata.name === hostObjectName(pool.metadata.name, id));
    if (object === undefined) return true;
    const { deletionTimestamp, finalizers } = object.metadata;
    return deletionTimestamp === undefined && finalizers?.includes(FINALIZER) !== true;
  });
  return missing === undefined ? settled : step({ kind: 'applyHost', host: missing });
};
