import type { Condition } from '../kube/types.ts';
import { rfc3339 } from './clock.ts';
import { safeText } from './text.ts';

export type ConditionStatus = Condition['status'];

/** A condition as its author states it. */
export interface ConditionInput {
  readonly type: string;
  readonly status: ConditionStatus;
  /** CamelCase. */
  readonly reason: string;
  /** One sentence for a person; no time stamps or counters, or it flaps. */
  readonly message: string;
}

export interface Stamp {
  /** metadata.generation that was looked at. */
  readonly generation: number;
  readonly nowMs: number;
}

/** The API allows 32,768; a person reads less. Bytes of UTF-8. */
export const maxConditionMessage = 1_024;

/**
 * The list with this condition set, sorted by type. `lastTransitionTime` stays unless the status changes;
 * setting the same twice gives an equal list. The given list is not touched.
 */
export const setCondition = (
  list: readonly Condition[],
  input: ConditionInput,
  stamp: Stamp,
): readonly Condition[] => {
  const others = list.filter(({ type }) => type !== input.type);
  return [...others, successor(findCondition(list, input.type), input, stamp)].sort(byType);
};

const byType = (a: Condition, b: Condition): number => (a.type < b.type ? -1 : 1);

const successor = (
  old: Condition | undefined,
  { type, status, reason, message }: ConditionInput,
  { generation, nowMs }: Stamp,
): Condition => {
  const lastTransitionTime = old?.status === status ? old.lastTransitionTime : rfc3339(nowMs);
  return {
    type,
    status,
    reason,
    message: safeText(message, maxConditionMessage),
    lastTransitionTime,
    observedGeneration: Math.max(generation, old?.observedGeneration ?? 0),
  };
};

/** All of them at once, and none but them: a status recomputes every condition on every pass. */
export const setConditions = (
  former: readonly Condition[],
  inputs: readonly ConditionInput[],
  stamp: Stamp,
): readonly Condition[] => {
  const next = new Map<string, Condition>();
  for (const input of inputs) {
    const old = next.get(input.type) ?? findCondition(former, input.type);
    next.set(input.type, successor(old, input, stamp));
  }
  return [...next.values()].sort(byType);
};

/** The list without this condition. */
export const removeCondition = (list: readonly Condition[], type: string): readonly Condition[] =>
  list.filter((condition) => condition.type !== type);

export const findCondition = <C extends { readonly type: string }>(
  list: readonly C[],
  type: string,
): C | undefined => list.find((condition) => condition.type === type);

/** Conditions whose status or reason differ between two lists: what an event is worth. Removed ones are left out. */
export const changedConditions = (
  before: readonly Condition[],
  after: readonly Condition[],
): readonly Condition[] =>
  after.filter((condition) => {
    const old = findCondition(before, condition.type);
    return old?.status !== condition.status || old.reason !== condition.reason;
  });

/**
 * `Ready` from the conditions it depends on, in order of importance: True when all are; else the first False, else
 * the first Unknown or missing one gives reason and message.
 */
export const readySummary = (
  inputs: readonly ConditionInput[],
  dependsOn: readonly string[],
  whenReady: { readonly reason: string; readonly message: string },
): ConditionInput => {
  const all = dependsOn.map((type) => findCondition(inputs, type) ?? notReported(type));
  const worst =
    all.find(({ status }) => status === 'False') ?? all.find(({ status }) => status === 'Unknown');
  return worst === undefined
    ? { type: 'Ready', status: 'True', ...whenReady }
    : { type: 'Ready', status: worst.status, reason: worst.reason, message: worst.message };
};

const notReported = (type: string): ConditionInput => ({
  type,
  status: 'Unknown',
  reason: 'NotReported',
  message: `${type} is not known yet.`,
});

/**
 * Where an object stands, in kstatus' terms: `settled` is Current, `reconciling` InProgress, `stalled` Failed (only
 * a change by a person helps).
 */
export type Standing =
  | { readonly kind: 'settled' }
  | { readonly kind: 'reconciling' | 'stalled'; readonly reason: string; readonly message: string };

/**
 * The kstatus pair. Both are always stated, True or False: the CRD's default of `status` holds Reconciling=True,
 * and a server-side apply that left the condition out would let that default stand for ever.
 */
export const standingConditions = (standing: Standing): readonly ConditionInput[] => {
  switch (standing.kind) {
    case 'settled':
      return [no('Reconciling', 'Settled', 'All is as the spec asks.'), no('Stalled', 'Settled', '')];
    case 'reconciling':
      return [yes('Reconciling', standing), no('Stalled', 'Progressing', '')];
    case 'stalled':
      return [
        no('Reconciling', 'Stalled', 'A change is needed before work can go on.'),
        yes('Stalled', standing),
      ];
    default:
      return standing satisfies never;
  }
};

const no = (type: string, reason: string, message: string): ConditionInput => ({
  type,
  status: 'False',
  reason,
  message,
});

const yes = (type: string, { reason, message }: { reason: string; message: string }): ConditionInput => ({
  type,
  status: 'True',
  reason,
  message,
});
