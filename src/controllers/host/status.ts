/** The status of a Host: what it tells of itself, what is promised on it, and whether machines may be placed. Pure. */
import type { HostStatus } from '../../api/host.ts';
import { formatQuantity } from '../../api/quantity.ts';
import type { Reason } from '../../api/reasons.ts';
import type { HostFacts } from '../../drivers/hypervisor/contract.ts';
import { rfc3339 } from '../../runtime/clock.ts';
import { type ConditionInput, setConditions } from '../../runtime/conditions.ts';
import { statusEqual } from '../../runtime/equal.ts';
import type { Fault } from '../../runtime/fault.ts';
import {
  condition,
  knownReason,
  namesOf,
  reasonOfFault,
  type Standing,
  standingConditions,
} from '../standing.ts';
import { claimOf, type HostSight, type HostWorld, isEmpty, isLeaving } from './world.ts';

interface Word {
  readonly reason: Reason;
  readonly message: string;
}

const MiB = 1_048_576n;

/** What drivers call the refusal of credentials. */
const unreachableReason = (reason: string): Reason =>
  reason === 'AuthenticationFailed' ? 'CredentialsRefused' : knownReason(reason, 'HostUnreachable');

/** Why the host cannot be worked with; undefined when it answers. */
const silenceOf = ({ seen, pool, host }: HostWorld): Word | undefined => {
  if (seen === undefined) {
    return pool === undefined
      ? {
          reason: 'HostPoolNotFound',
          message: `HostPool ${host.spec.hostPoolRef.name} does not exist any more.`,
        }
      : { reason: 'Connecting', message: 'The host is being connected.' };
  }
  return seen.kind === 'reachable'
    ? undefined
    : { reason: unreachableReason(seen.reason), message: seen.message };
};

const leavingWord = (world: HostWorld): Word => {
  const what = world.machines > 0 ? 'machines' : `disks (${namesOf(world.disks)})`;
  const why =
    world.host.metadata.deletionTimestamp === undefined || isLeaving(world)
      ? 'The host was taken out of its pool'
      : 'The host is being deleted';
  return isEmpty(world)
    ? { reason: 'Leaving', message: `${why}.` }
    : { reason: 'Leaving', message: `${why} and still holds ${what}.` };
};

const isOnItsWayOut = (world: HostWorld): boolean =>
  isLeaving(world) || world.host.metadata.deletionTimestamp !== undefined;

const downWord = ({ host }: HostWorld): Word | undefined =>
  host.spec.declaredDown && {
    reason: 'DeclaredDown',
    message: `The administrator declared the host to be gone for good: ${host.spec.declaredDown.reason}`,
  };

const foreignWord = (world: HostWorld, sight: HostSight | undefined): Word | undefined => {
  if (world.duplicateOf !== undefined) {
    return { reason: 'DuplicateHost', message: `This is the same machine as ${world.duplicateOf}.` };
  }
  const claimedBy = claimOf(world, sight);
  return claimedBy === undefined || claimedBy === world.clusterId
    ? undefined
    : { reason: 'ClaimedByOther', message: `The host belongs to the installation ${claimedBy}.` };
};

/** A host that never answered in this process: what its claim was stays as it was last told. */
const claimedOf = (world: HostWorld, sight: HostSight | undefined): ConditionInput => {
  const foreign = foreignWord(world, sight);
  if (foreign !== undefined) return condition('Claimed', 'False', foreign.reason, foreign.message);
  const told = world.host.status?.conditions?.find(({ type }) => type === 'Claimed');
  if (world.seen?.facts !== undefined) {
    return condition('Claimed', 'True', 'Claimed', 'The host belongs to this installation.');
  }
  if (told !== undefined && told.reason !== 'DuplicateHost') {
    return condition('Claimed', told.status, knownReason(told.reason, 'Claimed'), told.message);
  }
  const silence = silenceOf(world);
  return condition('Claimed', 'Unknown', silence?.reason ?? 'HostUnreachable', 'The host was never reached.');
};

const schedulableOf = (world: HostWorld, sight: HostSight | undefined): ConditionInput => {
  const claimed = claimedOf(world, sight);
  const closed =
    downWord(world) ??
    (isOnItsWayOut(world) ? leavingWord(world) : undefined) ??
    foreignWord(world, sight) ??
    (world.host.spec.unschedulable
      ? ({ reason: 'Unschedulable', message: 'The administrator set unschedulable.' } as const)
      : undefined) ??
    silenceOf(world);
  if (closed !== undefined) return condition('Schedulable', 'False', closed.reason, closed.message);
  return claimed.status === 'True'
    ? condition('Schedulable', 'True', 'Schedulable', 'New machines may be placed on the host.')
    : condition('Schedulable', 'False', knownReason(claimed.reason, 'HostNotReady'), claimed.message);
};

const standingOf = (world: HostWorld, sight: HostSight | undefined, fault: Fault | undefined): Standing => {
  const trouble =
    downWord(world) ??
    foreignWord(world, sight) ??
    (fault && { reason: reasonOfFault(fault), message: fault.message }) ??
    silenceOf(world);
  if (trouble !== undefined) return { ready: 'False', ...trouble };
  if (isOnItsWayOut(world)) return { ready: 'True', busy: true, ...leavingWord(world) };
  return { ready: 'True', reason: 'Ready', message: 'The host answers.' };
};

const conditionsOf = (
  world: HostWorld,
  sight: HostSight | undefined,
  fault: Fault | undefined,
): readonly ConditionInput[] => {
  const silence = silenceOf(world);
  const leaving = leavingWord(world);
  return [
    ...standingConditions(standingOf(world, sight, fault)),
    silence === undefined
      ? condition('Reachable', 'True', 'Reachable', 'The host answers.')
      : condition('Reachable', 'False', silence.reason, silence.message),
    claimedOf(world, sight),
    schedulableOf(world, sight),
    ...(world.host.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', leaving.reason, leaving.message)]),
  ];
};

type Told = Pick<
  HostStatus,
  'hostUuid' | 'hypervisor' | 'acceleration' | 'capacity' | 'capabilities' | 'attachmentKinds'
>;

const factsStatus = (facts: HostFacts, driver: 'libvirt' | 'simulated'): Told => {
  const { type, version, libvirtVersion, architecture } = facts.hypervisor;
  return {
    hostUuid: facts.hostUuid,
    hypervisor: {
      driver,
      type,
      version,
      ...(libvirtVersion === undefined ? {} : { libvirtVersion }),
      architecture,
    },
    acceleration: facts.acceleration,
    capacity: { cpus: facts.cpus, memory: formatQuantity(BigInt(facts.memoryMiB) * MiB) },
    capabilities: facts.capabilities.toSorted(),
    attachmentKinds: facts.attachmentKinds.toSorted(),
  };
};

/** Of a host that did not answer in this process yet, the last known facts stay. */
const lastTold = (status: HostStatus | undefined): Told => {
  const { hostUuid, hypervisor, acceleration, capacity, capabilities, attachmentKinds } = status ?? {};
  return {
    ...(hostUuid === undefined ? {} : { hostUuid }),
    ...(hypervisor === undefined ? {} : { hypervisor }),
    ...(acceleration === undefined ? {} : { acceleration }),
    ...(capacity === undefined ? {} : { capacity }),
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(attachmentKinds === undefined ? {} : { attachmentKinds }),
  };
};

/** Kept from the list for the time after the host was taken out of it. */
const wayOf = ({ listed, host }: HostWorld): Pick<HostStatus, 'uri' | 'credentialsSecretRef'> => {
  const uri = listed?.uri ?? host.status?.uri;
  const secret = listed === undefined ? host.status?.credentialsSecretRef?.name : listed.secret;
  return {
    ...(uri === undefined ? {} : { uri }),
    ...(secret === undefined ? {} : { credentialsSecretRef: { name: secret } }),
  };
};

/** `lastSeenTime` changes together with something else alone: a settled fleet is written to never. */
const withLastSeen = (world: HostWorld, status: HostStatus, nowMs: number): HostStatus => {
  const { seen, host } = world;
  const before = host.status?.lastSeenTime;
  const kept: HostStatus = before === undefined ? status : { ...status, lastSeenTime: before };
  if (seen === undefined || statusEqual(kept, host.status)) return kept;
  if (seen.kind === 'reachable') return { ...status, lastSeenTime: rfc3339(nowMs) };
  const wasReachable = host.status?.conditions?.some(
    ({ type, status: it }) => type === 'Reachable' && it === 'True',
  );
  return wasReachable === true && seen.facts !== undefined
    ? { ...status, lastSeenTime: rfc3339(seen.sinceMs) }
    : kept;
};

export const statusOf = (
  world: HostWorld,
  sight: HostSight | undefined,
  fault: Fault | undefined,
  nowMs: number,
): HostStatus => {
  const { host, pool, seen, allocated, machines } = world;
  const driver = pool?.spec.driver ?? host.status?.hypervisor?.driver;
  const facts = seen?.facts;
  const stamp = { generation: host.metadata.generation, nowMs };
  const status: HostStatus = {
    observedGeneration: host.metadata.generation,
    ...wayOf(world),
    ...(facts === undefined || driver === undefined ? lastTold(host.status) : factsStatus(facts, driver)),
    allocated: { cpus: allocated.cpus, memory: formatQuantity(BigInt(allocated.memoryMiB) * MiB) },
    machines,
    conditions: [...setConditions(host.status?.conditions ?? [], conditionsOf(world, sight, fault), stamp)],
  };
  return withLastSeen(world, status, nowMs);
};
