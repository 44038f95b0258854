/** Ready and the kstatus pair of an object, from one verdict; and the event that a change of it is worth. Pure. */
import type { Condition } from '../api/conditions.ts';
import { type ConditionType, categoryOf, Reason } from '../api/reasons.ts';
import type { ConditionInput } from '../runtime/conditions.ts';
import type { Happening } from '../runtime/events.ts';
import type { Fault } from '../runtime/fault.ts';

/** How an object fares. `busy`: work is going on although the object is ready. */
export interface Standing {
  readonly ready: ConditionInput['status'];
  readonly reason: Reason;
  readonly message: string;
  readonly busy?: boolean | undefined;
}

export const condition = (
  type: ConditionType,
  status: ConditionInput['status'],
  reason: Reason,
  message: string,
): ConditionInput => ({ type, status, reason, message });

/** A reason that is one of ours, else the one to be shown instead. */
export const knownReason = (reason: string | undefined, otherwise: Reason): Reason =>
  reason !== undefined && Object.hasOwn(Reason, reason) ? (reason as Reason) : otherwise;

export const reasonOfFault = (fault: Fault): Reason => {
  switch (fault.kind) {
    case 'unreachable':
      return knownReason(fault.reason, 'HostUnreachable');
    case 'busy':
    case 'conflict':
      return knownReason(fault.reason, 'Updating');
    case 'invalid':
      return knownReason(fault.reason, 'Invalid');
    case 'denied':
      return knownReason(fault.reason, 'CredentialsRefused');
    case 'unsupported':
      return knownReason(fault.reason, 'Unsupported');
    case 'bug':
      return knownReason(fault.reason, 'InternalError');
    default:
      return fault.kind satisfies never;
  }
};

/** Nothing but a change by a person helps. */
const isStalled = ({ ready, reason }: Standing): boolean => {
  const category = categoryOf(reason);
  return ready !== 'True' && (category === 'InvalidConfiguration' || category === 'UnrecoverableError');
};

export const standingConditions = (standing: Standing): readonly ConditionInput[] => {
  const { ready, reason, message, busy = false } = standing;
  const stalled = isStalled(standing);
  const reconciling = !stalled && (busy || ready !== 'True');
  return [
    condition('Ready', ready, reason, message),
    reconciling
      ? condition('Reconciling', 'True', reason, message)
      : condition('Reconciling', 'False', 'Reconciled', 'Nothing is left to do.'),
    stalled
      ? condition('Stalled', 'True', reason, message)
      : condition('Stalled', 'False', 'NotStalled', 'Nothing keeps the operator from going on.'),
  ];
};

const readyOf = (conditions: readonly Condition[] | undefined): Condition | undefined =>
  conditions?.find(({ type }) => type === 'Ready');

/** Told when Ready becomes True and when the reason of a trouble changes, not when its words do. */
export const standingEvents = (
  before: readonly Condition[] | undefined,
  after: readonly Condition[] | undefined,
): readonly Happening[] => {
  const was = readyOf(before);
  const is = readyOf(after);
  if (is === undefined || (is.status === was?.status && is.reason === was.reason)) return [];
  const { reason, message: note } = is;
  if (is.status === 'True' && was?.status !== 'True') {
    return [{ type: 'Normal', reason, action: 'Reconciling', note }];
  }
  const category = categoryOf(reason);
  const quiet = category === undefined || category === 'Healthy' || category === 'Progressing';
  return quiet ? [] : [{ type: 'Warning', reason, action: 'Reconciling', note }];
};

/** Up to three names, and how many more there are; in order, so that the sentence stays the same. */
export const namesOf = (names: readonly string[]): string => {
  const sorted = names.toSorted();
  const shown = sorted.slice(0, 3).join(', ');
  return sorted.length > 3 ? `${shown} and ${sorted.length - 3} more` : shown;
};
