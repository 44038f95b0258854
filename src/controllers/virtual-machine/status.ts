/** The status of a machine: recomputed as a whole from what is known, seen and decided. Pure. */
import type { ConditionType, Reason } from '../../api/reasons.ts';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import { compare } from '../../drivers/hypervisor/compare.ts';
import type { Sighting } from '../../drivers/hypervisor/contract.ts';
import { type ConditionInput, setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import type { Plan } from '../../runtime/pass.ts';
import { kstatusOf, type Verdict, verdictOfFault } from '../verdict.ts';
import { decide, desireFor, sightingOf, unseenHosts } from './decide.ts';
import { capabilitiesOf, recordOf } from './decide-kit.ts';
import { pendingOf } from './decide-present.ts';
import type { MachineStep } from './decision.ts';
import { resourcesStatus } from './intent.ts';
import { place } from './placement.ts';
import { requestOf } from './request.ts';
import { reportOf } from './status-report.ts';
import type { Lack, VmSight, VmWorld } from './world.ts';

export const verdictOf = (world: VmWorld, seen: VmSight | undefined, fault: Fault | undefined): Verdict => {
  if (fault !== undefined) return verdictOfFault(fault);
  if (seen === undefined)
    return { health: 'unknown', reason: 'PowerStateUnknown', message: 'The machine could not be looked at.' };
  const { health, reason, message } = decide(world, seen);
  return { health, reason, message };
};

const condition = (
  type: ConditionType,
  status: ConditionInput['status'],
  reason: Reason,
  message: string,
): ConditionInput => ({ type, status, reason, message });

const lacksCondition = (
  type: ConditionType,
  lacks: readonly Lack[],
  needed: boolean,
  good: string,
): ConditionInput => {
  const found = lacks.find((it) => it.condition === type);
  if (found !== undefined) return condition(type, 'False', found.reason, found.message);
  return needed
    ? condition(type, 'True', 'Ready', good)
    : condition(type, 'True', 'NotNeeded', 'The machine needs none.');
};

const devicesOf = (world: VmWorld, seen: VmSight | undefined): ConditionInput[] => {
  const desire = seen && desireFor(world, seen);
  const lacks: readonly Lack[] =
    desire?.lacks ?? world.disks.flatMap(({ state }) => (state.kind === 'lacking' ? [state.lack] : []));
  // A machine that shall be off has no use of its disks, and gets them when it shall run.
  const unclaimed = world.vm.spec.powerState === 'PoweredOn' ? (desire?.unclaimed ?? []) : [];
  const making = world.disks.filter(({ state }) => state.kind === 'toCreate');
  const storage: readonly Lack[] = making.map(({ diskName }) => ({
    condition: 'StorageReady',
    reason: 'WaitingForDisk',
    message: `Disk ${diskName} is being made.`,
  }));
  const images =
    world.cdroms.length > 0 || world.vm.spec.disks.some(({ template }) => template?.imageRef !== undefined);
  return [
    lacksCondition(
      'StorageReady',
      [...lacks, ...storage, ...unclaimed],
      world.disks.length > 0,
      'All disks are there.',
    ),
    lacksCondition('ImageReady', lacks, images, 'All images are there.'),
    lacksCondition('NetworkReady', lacks, world.nics.length > 0, 'All networks are there.'),
  ];
};

const runningOf = (
  world: VmWorld,
  sighting: Sighting | undefined,
  verdict: Verdict,
  blind: boolean,
): ConditionInput => {
  if (blind) return condition('Running', 'Unknown', 'PowerStateUnknown', verdict.message);
  const { kind } = sighting?.power ?? { kind: 'off' };
  if (kind === 'running' || kind === 'stopping') {
    return condition(
      'Running',
      'True',
      'Running',
      `The machine runs on ${world.vm.status?.host ?? 'its host'}.`,
    );
  }
  const reason = verdict.health === 'ok' ? verdict.reason : 'PoweredOff';
  return condition(
    'Running',
    'False',
    kind === 'paused' ? 'DriftDetected' : reason,
    kind === 'paused' ? 'The machine is paused.' : 'The machine does not run.',
  );
};

const placedOf = (world: VmWorld, verdict: Verdict): ConditionInput => {
  const { host } = world.vm.status ?? {};
  return host === undefined
    ? condition('Placed', 'False', verdict.reason, verdict.message)
    : condition('Placed', 'True', 'Placed', `The machine is placed on ${host}.`);
};

type Pending = NonNullable<VirtualMachineStatus['pendingChanges']>;

const upToDateOf = (world: VmWorld, pending: Pending, drifted: boolean): ConditionInput => {
  const policy = world.vm.spec.driftPolicy;
  if (drifted && policy === 'Ignore')
    return condition(
      'UpToDate',
      'True',
      'DriftIgnored',
      'The machine was changed on its host; driftPolicy Ignore leaves it so.',
    );
  if (drifted)
    return condition(
      'UpToDate',
      'False',
      'DriftDetected',
      'The machine was changed on its host; driftPolicy Report only tells.',
    );
  const worst = (['Unsupported', 'Recreate', 'PowerCycle'] as const).find((impact) =>
    pending.some((it) => it.impact === impact),
  );
  const paths = pending.map(({ path }) => path).join(', ');
  switch (worst) {
    case 'Unsupported':
      return condition('UpToDate', 'False', 'UnsupportedByHost', `The host cannot change ${paths}.`);
    case 'Recreate':
      return condition(
        'UpToDate',
        'False',
        'RequiresRecreate',
        `The machine has to be made anew for ${paths}.`,
      );
    case 'PowerCycle':
      return condition(
        'UpToDate',
        'False',
        'RequiresPowerCycle',
        `Stop and start the machine to apply ${paths}.`,
      );
    case undefined:
      return condition('UpToDate', 'True', 'Synced', 'The machine is what its spec says.');
    default:
      return worst satisfies never;
  }
};

/** What differs from the wish: pending changes of ours, or drift that the policy leaves alone. */
const differencesOf = (world: VmWorld, seen: VmSight | undefined, sighting: Sighting | undefined) => {
  const desire = seen === undefined ? undefined : desireFor(world, seen);
  if (desire === undefined || sighting === undefined) return { pending: [] as Pending, drifted: false };
  const comparison = compare(sighting.host, desire.shape, sighting, capabilitiesOf(world, sighting));
  const left = world.vm.spec.driftPolicy === 'Enforce' ? pendingOf(comparison) : comparison.running;
  const live = comparison.running.some(({ impact }) => impact === 'Live');
  const drifted = world.vm.spec.driftPolicy !== 'Enforce' && (live || comparison.nextDiffers.length > 0);
  const pending: Pending = left
    .slice(0, 64)
    .map(({ path, from, to, impact }) => ({ path, from: from.slice(0, 256), to: to.slice(0, 256), impact }));
  return { pending, drifted };
};

const agentOf = (sighting: Sighting | undefined): ConditionInput =>
  sighting?.guest?.agent === 'Connected'
    ? condition('GuestAgentConnected', 'True', 'AgentConnected', 'The guest agent answers.')
    : condition(
        'GuestAgentConnected',
        'False',
        'AgentNotConnected',
        'The guest agent has not answered; it may not be installed.',
      );

const pausedOf = ({ pausedBy }: VmWorld): ConditionInput =>
  pausedBy === undefined
    ? condition('Paused', 'False', 'NotPaused', 'The operator acts on the machine.')
    : condition('Paused', 'True', 'Paused', `Paused: ${pausedBy}.`);

const unplacedOf = (world: VmWorld): VirtualMachineStatus['unplaced'] => {
  const request = requestOf(world);
  // The hosts of a pool are shown to those alone who may use it.
  const hidden = world.pool.kind === 'lack' || world.forbidden !== undefined;
  if (hidden || world.vm.status?.host !== undefined || request.kind === 'lack') return undefined;
  const found = place(
    request.value,
    world.hosts.map(({ candidate }) => candidate),
  );
  return found.kind === 'placed' ? undefined : found.hosts.slice(0, 64).map((it) => ({ ...it }));
};

/**
 * A spec counts as observed once it was acted on: under Report and Ignore, whatever still differs later is drift, so
 * the number must not run ahead of the deed.
 */
const observedOf = (
  world: VmWorld,
  plan: Plan<MachineStep> | undefined,
  fault: Fault | undefined,
): number | undefined => {
  const acted = world.vm.spec.driftPolicy === 'Enforce' || (plan?.kind === 'settled' && fault === undefined);
  return acted ? world.vm.metadata.generation : world.vm.status?.observedGeneration;
};

export const statusOf = (
  world: VmWorld,
  seen: VmSight | undefined,
  plan: Plan<MachineStep> | undefined,
  fault: Fault | undefined,
  nowMs: number,
): VirtualMachineStatus => {
  const { vm } = world;
  const verdict = verdictOf(world, seen, fault);
  const sighting = seen === undefined ? undefined : sightingOf(world, seen);
  const blind =
    seen === undefined ||
    (sighting === undefined && (verdict.health === 'unknown' || unseenHosts(world, seen).length > 0));
  const { pending, drifted } = differencesOf(world, seen, sighting);
  const observed = observedOf(world, plan, fault);
  const inputs: ConditionInput[] = [
    ...kstatusOf(verdict),
    runningOf(world, sighting, verdict, blind),
    placedOf(world, verdict),
    ...devicesOf(world, seen),
    upToDateOf(world, pending, drifted),
    agentOf(sighting),
    pausedOf(world),
    ...(vm.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', verdict.reason, verdict.message)]),
  ];
  const stamp = { generation: vm.metadata.generation, nowMs };
  const resources =
    world.resources.kind === 'ok' ? resourcesStatus(world.resources.value) : vm.status?.resources;
  const unplaced = unplacedOf(world);
  const handled = recordOf(sighting)?.restartHandledAt ?? vm.status?.restartHandledAt;
  return {
    ...reportOf(world, sighting, blind),
    ...(observed === undefined ? {} : { observedGeneration: observed }),
    ...(vm.status?.host === undefined
      ? {}
      : { host: vm.status.host, uuid: world.identity.uuid, domainName: world.identity.domainName }),
    ...(vm.status?.host === undefined || resources === undefined ? {} : { resources }),
    ...(pending.length === 0 ? {} : { pendingChanges: pending }),
    ...(handled === undefined || vm.spec.restartRequestedAt === undefined
      ? {}
      : { restartHandledAt: handled }),
    ...(unplaced === undefined ? {} : { unplaced }),
    conditions: [...setConditions(vm.status?.conditions ?? [], inputs, stamp)],
  };
};
