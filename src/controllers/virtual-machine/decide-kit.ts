/** What decisions about a machine that is there have in common, whether it runs or not. Pure. */
import type { Comparison } from '../../drivers/hypervisor/compare.ts';
import type { Capability, Sighting, VmRecord } from '../../drivers/hypervisor/contract.ts';
import { step, wait } from '../decision.ts';
import type { Decision } from './decision.ts';
import type { Desire } from './desire.ts';
import type { VmSight, VmWorld } from './world.ts';

/** How soon things that no event announces are looked at again: Secrets, other people's mistakes. */
export const lookAgainMs = 30_000;

export const capabilitiesOf = (world: VmWorld, sighting: Sighting): readonly Capability[] =>
  world.hosts.find(({ id }) => id === sighting.host)?.candidate.capabilities ?? [];

/** The token of the spec, when it is newer than the last one acted on. */
export const restartDue = ({ vm }: VmWorld, record: VmRecord | undefined): string | undefined => {
  const token = vm.spec.restartRequestedAt;
  if (token === undefined || record === undefined) return undefined;
  const handled = record.restartHandledAt;
  return handled === undefined || Date.parse(token) > Date.parse(handled) ? token : undefined;
};

export const recordOf = (sighting: Sighting | undefined): VmRecord | undefined =>
  sighting?.ownership.kind === 'ours' ? sighting.ownership.record : undefined;

/** A spec that this status has not seen yet is applied whatever the drift policy says. */
export const enforces = ({ vm }: VmWorld): boolean =>
  vm.spec.driftPolicy === 'Enforce' || vm.status?.observedGeneration !== vm.metadata.generation;

/** Devices that are waited for, in words; the first lack speaks for all. */
export const decideLacks = (desire: Desire): Decision | undefined => {
  const [first] = desire.lacks;
  if (first === undefined) return undefined;
  const waits = first.reason.startsWith('WaitingFor');
  return wait(waits ? 'progress' : 'invalid', first.reason, first.message, waits ? undefined : lookAgainMs);
};

export const redefine = (
  world: VmWorld,
  desire: Desire,
  sighting: Sighting,
  comparison: Comparison,
): Decision | undefined => {
  const record = recordOf(sighting);
  if (record === undefined || comparison.nextDiffers.length === 0 || !enforces(world)) return undefined;
  return step(
    { kind: 'drive', step: { kind: 'redefine', host: sighting.host, shape: desire.shape, record } },
    'Updating',
    'The definition of the machine is being brought up to date.',
  );
};

/** Seeds that neither the running machine nor its definition refers to any more. */
export const sweep = (seen: VmSight, sighting: Sighting): Decision | undefined => {
  if (seen.seed.kind !== 'wanted') return undefined;
  const used = [...(sighting.running?.cdroms ?? []), ...(sighting.next?.cdroms ?? [])].map(
    ({ path }) => path ?? '',
  );
  const volumes = seen.seed.stale.filter((volume) => !used.some((path) => path.endsWith(`/${volume}`)));
  return volumes.length === 0
    ? undefined
    : step({ kind: 'sweepSeeds', volumes }, 'Updating', 'Outdated cloud-init data is being removed.');
};

/** A disk that is let go of at this moment may come back to the same machine, which is no event. */
const disksAgainMs = 3_000;

/** A disk that is not this machine's yet is given to it by the disk's controller, which is an event as a rule. */
export const decideUnclaimed = ({ unclaimed: [disk] }: Desire): Decision | undefined => {
  if (disk === undefined) return undefined;
  return disk.reason === 'DiskInUse'
    ? wait('trouble', disk.reason, disk.message)
    : wait('progress', disk.reason, disk.message, disksAgainMs);
};
