/** A machine that is on its host and off: kept so, prepared, or started. Pure. */
import { compare } from '../../drivers/hypervisor/compare.ts';
import type { OffCause, Sighting, VmRecord } from '../../drivers/hypervisor/contract.ts';
import { settled, step, wait } from '../decision.ts';
import {
  capabilitiesOf,
  decideLacks,
  decideUnclaimed,
  recordOf,
  redefine,
  restartDue,
  sweep,
} from './decide-kit.ts';
import type { Decision } from './decision.ts';
import type { Desire } from './desire.ts';
import { relapseDelayMs } from './ledger.ts';
import { decidePower } from './power-table.ts';
import { hostNameOf, type VmSight, type VmWorld } from './world.ts';

export const decideOff = (world: VmWorld, seen: VmSight, desire: Desire, sighting: Sighting): Decision => {
  const { vm } = world;
  const record = recordOf(sighting);
  if (record === undefined || sighting.power.kind !== 'off')
    return wait('progress', 'Stopping', 'The machine is going down.');
  const set = (change: Partial<VmRecord>, message: string): Decision =>
    step(
      { kind: 'drive', step: { kind: 'setRecord', host: sighting.host, record: { ...record, ...change } } },
      'Restarting',
      message,
    );
  const token = restartDue(world, record);
  if (token !== undefined)
    return set({ restartHandledAt: token, startDue: true }, 'The restart was acted on.');
  const comparison = compare(sighting.host, desire.shape, sighting, capabilitiesOf(world, sighting));
  const prepared = redefine(world, desire, sighting, comparison) ?? sweep(seen, sighting);
  if (vm.spec.powerState === 'PoweredOff') {
    if (!record.startDue) return set({ startDue: true }, 'The machine was stopped as asked.');
    return (
      prepared ??
      decideLacks(desire) ??
      settled('ok', 'PoweredOff', 'The machine is stopped, as its spec asks.')
    );
  }
  const decision = decidePower(
    sighting.power.cause,
    { restart: vm.spec.restartPolicy, drift: vm.spec.driftPolicy },
    record.startDue,
  );
  if (decision.kind === 'stay') return prepared ?? stayOff(world, decision.because, sighting.power.cause);
  return (
    prepared ??
    decideLacks(desire) ??
    decideRelapse(world, record, sighting.power.cause) ??
    decideStart(world, desire, sighting)
  );
};

const stayOff = (
  world: VmWorld,
  because: 'RestartPolicy' | 'DriftReported' | 'DriftIgnored',
  cause: string,
): Decision => {
  switch (because) {
    case 'RestartPolicy':
      return settled(
        'ok',
        'GuestPoweredOff',
        `The machine went down by itself (${cause}); restartPolicy ${world.vm.spec.restartPolicy} leaves it off.`,
      );
    case 'DriftReported':
      return settled(
        'trouble',
        'DriftDetected',
        'The machine was switched off on its host; driftPolicy Report leaves it so.',
      );
    case 'DriftIgnored':
      return settled(
        'ok',
        'DriftIgnored',
        'The machine was switched off on its host; driftPolicy Ignore leaves it so.',
      );
    default:
      return because satisfies never;
  }
};

/** Whether the guest went down by itself: somebody's `virsh destroy` is undone at once, however often. */
export const isRelapse = (cause: OffCause): boolean => ['GuestShutdown', 'Crashed', 'Failed'].includes(cause);

/** A guest that goes down again and again is started less and less often. */
const decideRelapse = (world: VmWorld, record: VmRecord, cause: OffCause): Decision | undefined => {
  if (record.startDue || world.relapses === undefined || !isRelapse(cause)) return undefined;
  const dueMs = world.relapses.lastMs + relapseDelayMs(world.relapses.count);
  return world.monotonicMs >= dueMs
    ? undefined
    : wait(
        'trouble',
        'CrashLoop',
        'The guest keeps going down; it is started again after a while.',
        dueMs - world.monotonicMs,
      );
};

/** What could not grow under the running machine grows before the next start; the disk's controller tells of it. */
const decideGrowing = ({ disks }: VmWorld): Decision | undefined => {
  const disk = disks.find(({ state }) => state.kind === 'ready' && state.growing === true);
  return disk && wait('progress', 'Growing', `Disk ${disk.diskName} is being grown.`);
};

const decideStart = (world: VmWorld, desire: Desire, sighting: Sighting): Decision =>
  decideGrowing(world) ??
  decideUnclaimed(desire) ??
  step(
    { kind: 'drive', step: { kind: 'start', host: sighting.host } },
    'Starting',
    `The machine is being started on ${hostNameOf(world, sighting.host)}.`,
  );
