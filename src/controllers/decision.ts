import type { Reason } from '../api/reasons.ts';
import type { Plan } from '../runtime/pass.ts';
import type { Verdict } from './verdict.ts';

/**
 * The plan of a pass, and why: one reason and one sentence for a person. The plan and the status ask the same pure
 * function for it, so that what is done and what is said never disagree.
 */
export interface Decision<Step> extends Verdict {
  readonly plan: Plan<Step>;
}

export const step = <Step>(it: Step, reason: Reason, message: string): Decision<Step> => ({
  plan: { kind: 'step', step: it },
  health: 'progress',
  reason,
  message,
});

/** Something else must happen first: an event, or a poll after `afterMs` (a slow one without it). */
export const wait = (
  health: Verdict['health'],
  reason: Reason,
  message: string,
  afterMs?: number,
): Decision<never> => ({
  plan: afterMs === undefined ? { kind: 'wait' } : { kind: 'wait', afterMs },
  health,
  reason,
  message,
});

export const settled = (health: Verdict['health'], reason: Reason, message: string): Decision<never> => ({
  plan: { kind: 'settled' },
  health,
  reason,
  message,
});

/** The same with a step that is taken once this is told: nobody waits for it. */
export const withChore = <Step>(decision: Decision<never>, chore: Step): Decision<Step> => ({
  ...decision,
  plan: { kind: 'settled', chore },
});
