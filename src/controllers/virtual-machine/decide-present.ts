/** A machine that has a home: made, started, changed, restarted and healed there. Pure. */
import { type Comparison, compare, type Delta } from '../../drivers/hypervisor/compare.ts';
import type { Sighting, VmRecord } from '../../drivers/hypervisor/contract.ts';
import { settled, step, wait, withChore } from '../decision.ts';
import {
  capabilitiesOf,
  decideLacks,
  decideUnclaimed,
  enforces,
  lookAgainMs,
  recordOf,
  redefine,
  restartDue,
  sweep,
} from './decide-kit.ts';
import { decideOff } from './decide-off.ts';
import { decideStop } from './decide-stop.ts';
import type { Decision, MachineStep } from './decision.ts';
import type { Desire } from './desire.ts';
import { hostIdOf, hostNameOf, type VmSight, type VmWorld } from './world.ts';

const newRecord = (world: VmWorld): VmRecord => ({
  clusterId: world.clusterId,
  uid: world.identity.uid,
  namespace: world.identity.namespace,
  name: world.identity.name,
  // A token that is there at creation counts as handled; without one, any later token is newer than the beginning.
  restartHandledAt: world.vm.spec.restartRequestedAt ?? world.vm.metadata.creationTimestamp,
  startDue: true,
});

/** This very spec was told to be fulfilled, its seed with it. */
const wasReady = ({ vm: { status, metadata } }: VmWorld): boolean =>
  status?.conditions?.some(
    ({ type, status: told, observedGeneration }) =>
      type === 'Ready' && told === 'True' && observedGeneration === metadata.generation,
  ) === true;

/**
 * The seed is looked at when it may matter: before the machine is made or started, and after a change of the spec until
 * all of it was told to be as wished. `observedGeneration` is not enough: a status that was written for another reason
 * has it too, and what the seed lacks would never be told, or be forgotten at the next look.
 */
const seedIsDue = (world: VmWorld, seen: VmSight, off: boolean): boolean =>
  world.vm.spec.cloudInit !== undefined && seen.seed.kind === 'keep' && (off || !wasReady(world));

const decideDevices = (world: VmWorld, seen: VmSight, off: boolean): Decision | undefined => {
  const disk = world.disks.find(({ state }) => state.kind === 'toCreate');
  if (disk !== undefined)
    return step({ kind: 'createDisk', disk: disk.name }, 'WaitingForDisk', 'Its disks are being made.');
  if (seedIsDue(world, seen, off) && world.disks.every(({ state }) => state.kind === 'ready')) {
    return step({ kind: 'renderSeed' }, 'Creating', 'Its cloud-init data is being prepared.');
  }
  if (seen.seed.kind === 'wanted' && !seen.seed.present) {
    return step({ kind: 'putSeed' }, 'Creating', 'Its cloud-init data is being written.');
  }
  return undefined;
};

const decideAbsent = (world: VmWorld, desire: Desire): Decision => {
  const home = world.vm.status?.host;
  const host = hostIdOf(world, home);
  const candidate = world.hosts.find(({ name }) => name === home)?.candidate;
  if (host === undefined || candidate?.reachable !== true) {
    return wait(
      'unknown',
      'HostUnreachable',
      `${home} cannot be reached; whether the machine runs is unknown.`,
    );
  }
  const wasThere = world.vm.status?.powerState !== undefined;
  if (wasThere && !enforces(world)) {
    return settled(
      'trouble',
      'MissingOnHost',
      `The machine was removed on ${home}; driftPolicy ${world.vm.spec.driftPolicy} leaves it so.`,
    );
  }
  const lacks = decideLacks(desire);
  if (lacks !== undefined) return lacks;
  return step(
    { kind: 'drive', step: { kind: 'define', host, shape: desire.shape, record: newRecord(world) } },
    'Creating',
    `The machine is being made on ${home}.`,
  );
};

/** Differences that wait for a power cycle or cannot be had, in one sentence. */
export const pendingOf = (comparison: Comparison): readonly Delta[] =>
  comparison.running.filter(({ impact }) => impact !== 'Live');

const decideRunning = (world: VmWorld, seen: VmSight, desire: Desire, sighting: Sighting): Decision => {
  const record = recordOf(sighting);
  const { vm } = world;
  if (restartDue(world, record) !== undefined) {
    const stop = decideStop(world, sighting, 'Restarting');
    if (stop !== undefined) return stop;
  }
  if (vm.spec.powerState === 'PoweredOff' && enforcesPower(world, record)) {
    const stop = decideStop(world, sighting, 'Stopping');
    if (stop !== undefined) return stop;
  }
  if (sighting.power.kind === 'paused') return decidePaused(world, sighting, sighting.power.cause);
  const due = dueAtRest(world, seen, desire, sighting);
  const started = startHappened(world, sighting, record);
  if (started === undefined) return due ?? running(world, sighting);
  // Whoever waits for the machine is told first that it runs. What still has to be done may take long: then it is noted first.
  return due === undefined
    ? withChore(running(world, sighting), started)
    : step(started, 'Starting', 'The machine runs.');
};

const running = (world: VmWorld, sighting: Sighting): ReturnType<typeof settled> =>
  settled('ok', 'Running', `The machine runs on ${hostNameOf(world, sighting.host)}.`);

/** A start that was due is not due any more. */
const startHappened = (
  { vm }: VmWorld,
  { host }: Sighting,
  record: VmRecord | undefined,
): MachineStep | undefined =>
  record?.startDue === true && vm.spec.powerState === 'PoweredOn'
    ? { kind: 'drive', step: { kind: 'setRecord', host, record: { ...record, startDue: false } } }
    : undefined;

/** What is left to be done or waited for on a machine that runs as it shall; undefined when it is as wished. */
const dueAtRest = (
  world: VmWorld,
  seen: VmSight,
  desire: Desire,
  sighting: Sighting,
): Decision | undefined => {
  const comparison = compare(sighting.host, desire.shape, sighting, capabilitiesOf(world, sighting));
  const live = comparison.running.find(({ impact }) => impact === 'Live')?.step;
  if (live !== undefined && enforces(world)) {
    return step(
      { kind: 'drive', step: live },
      'Updating',
      'A change is being applied to the running machine.',
    );
  }
  return (
    redefine(world, desire, sighting, comparison) ??
    sweep(seen, sighting) ??
    decideLacks(desire) ??
    decideUnclaimed(desire)
  );
};

/** Somebody started a machine that shall be off: drift, unless the wish is newer than what was last seen. */
const enforcesPower = (world: VmWorld, record: VmRecord | undefined): boolean =>
  enforces(world) || record?.startDue === false;

const decidePaused = (world: VmWorld, sighting: Sighting, cause: string): Decision => {
  if (cause === 'IoError') {
    return wait(
      'trouble',
      'StorageNotReady',
      'The machine is paused because its storage refused a write; it goes on once there is room.',
      lookAgainMs,
    );
  }
  return enforces(world)
    ? step(
        { kind: 'drive', step: { kind: 'resume', host: sighting.host } },
        'Starting',
        'The machine was paused on its host and goes on.',
      )
    : settled(
        'trouble',
        'DriftDetected',
        `The machine was paused on its host; driftPolicy ${world.vm.spec.driftPolicy} leaves it so.`,
      );
};

export const decidePresent = (world: VmWorld, seen: VmSight, desire: Desire): Decision => {
  const home = hostIdOf(world, world.vm.status?.host);
  const sighting = seen.machine.sightings.find(({ host }) => host === home) ?? seen.machine.sightings[0];
  const off = sighting === undefined || sighting.power.kind === 'off';
  const devices = decideDevices(world, seen, off);
  if (devices !== undefined) return devices;
  if (sighting === undefined) return decideAbsent(world, desire);
  if (sighting.next === undefined && enforces(world)) {
    const record = recordOf(sighting) ?? newRecord(world);
    return step(
      { kind: 'drive', step: { kind: 'define', host: sighting.host, shape: desire.shape, record } },
      'Updating',
      'The machine was undefined on its host and is being defined again.',
    );
  }
  return off ? decideOff(world, seen, desire, sighting) : decideRunning(world, seen, desire, sighting);
};
