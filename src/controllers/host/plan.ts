/** The next step for a Host. Pure. */
import type { Plan } from '../../runtime/pass.ts';
import { claimOf, type HostSight, type HostStep, type HostWorld, isEmpty, isLeaving } from './world.ts';

const step = (kind: HostStep['kind']): Plan<HostStep> => ({ kind: 'step', step: { kind } });

/** Nothing is polled: machines, disks, pools and hosts that matter wake the Host when they change. */
const settled: Plan<HostStep> = { kind: 'settled' };

export const plan = (world: HostWorld, sight: HostSight): Plan<HostStep> => {
  const { host, seen, duplicateOf } = world;
  if (host.metadata.deletionTimestamp !== undefined) {
    return isEmpty(world) ? step('removeFinalizer') : settled;
  }
  if (isLeaving(world)) return isEmpty(world) ? step('deleteHost') : settled;
  const toClaim =
    seen?.kind === 'reachable' &&
    duplicateOf === undefined &&
    host.spec.declaredDown === undefined &&
    sight.claim === undefined &&
    claimOf(world, sight) === undefined;
  return toClaim ? step('claim') : settled;
};
