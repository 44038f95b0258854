/** What is worth an Event: a transition, told once, after the status that shows it was written. Pure. */
import { categoryOf } from '../../api/reasons.ts';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import type { Happening } from '../../runtime/events.ts';
import type { PassReport } from '../../runtime/pass.ts';
import type { MachineStep } from './decision.ts';
import type { VmSight, VmWorld } from './world.ts';

type Conditions = VirtualMachineStatus['conditions'];

const find = (conditions: Conditions, type: string) =>
  conditions?.find((condition) => condition.type === type);

const powerEvent = (before: Conditions, after: Conditions): readonly Happening[] => {
  const was = find(before, 'Running')?.status;
  const is = find(after, 'Running');
  if (is?.status === 'True' && was !== 'True') {
    return [{ type: 'Normal', reason: 'Started', action: 'Starting', note: is.message }];
  }
  return is?.status === 'False' && was === 'True'
    ? [{ type: 'Normal', reason: 'Stopped', action: 'Stopping', note: is.message }]
    : [];
};

/** Trouble is told when its reason changes, not when its words do. */
const troubleEvent = (before: Conditions, after: Conditions): readonly Happening[] => {
  const was = find(before, 'Ready');
  const is = find(after, 'Ready');
  if (is === undefined || is.status === 'True' || is.reason === was?.reason) return [];
  const category = categoryOf(is.reason);
  return category === undefined || category === 'Healthy' || category === 'Progressing'
    ? []
    : [{ type: 'Warning', reason: is.reason, action: 'Reconciling', note: is.message }];
};

export const eventsOf = (
  report: PassReport<VmWorld, VmSight, MachineStep, VirtualMachineStatus>,
): readonly Happening[] => {
  const { before, after, steps } = report;
  const placed = steps.find((step) => step.kind === 'place');
  const placedEvent: readonly Happening[] =
    placed?.kind === 'place'
      ? [
          {
            type: 'Normal',
            reason: 'Placed',
            action: 'Placing',
            note: `The machine is placed on ${placed.host}.`,
          },
        ]
      : [];
  if (after === undefined) return placedEvent;
  return [
    ...placedEvent,
    ...powerEvent(before?.conditions, after.conditions),
    ...troubleEvent(before?.conditions, after.conditions),
  ];
};
