/**
 * Whether a status tells of a missing reference too soon. `kubectl apply` of a folder brings a machine a moment before
 * its size or network, and those who read kstatus (Flux, `kubectl wait`) give up on an object that is Stalled. Until
 * the grace is over nothing is written at all: an object that is new is Reconciling by the default of its schema, and
 * one that was changed is in progress for as long as `observedGeneration` is behind. Pure.
 */
import type { Condition } from '../api/conditions.ts';
import { isMissingReference } from '../api/reasons.ts';

/** What kstatus reads. */
export interface KstatusView {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
}

const isTrue = (status: KstatusView | undefined, type: string): boolean =>
  status?.conditions?.some((it) => it.type === type && it.status === 'True') === true;

/** This very spec was told to be ready or stalled before: what is missing now went missing later. */
const wasJudged = (before: KstatusView | undefined, generation: number | undefined): boolean =>
  before?.observedGeneration === generation && (isTrue(before, 'Ready') || isTrue(before, 'Stalled'));

export const isEarly = (before: KstatusView | undefined, after: KstatusView): boolean => {
  const stalled = after.conditions?.find(({ type, status }) => type === 'Stalled' && status === 'True');
  return (
    stalled !== undefined &&
    isMissingReference(stalled.reason) &&
    !wasJudged(before, stalled.observedGeneration)
  );
};
