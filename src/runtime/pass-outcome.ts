/** How a pass ended, and when the key is looked at again. Pure. */
import type { Outcome } from './controller.ts';
import type { Fault } from './fault.ts';
import type { Plan } from './pass.ts';

export type End =
  | { readonly kind: 'planned' | 'more' | 'gone' }
  | { readonly kind: 'started'; readonly afterMs: number | undefined }
  | { readonly kind: 'fault'; readonly fault: Fault };

export const settled: Outcome = { kind: 'settled' };

/** Throws the fault of a pass that ended with one: the controller's policy decides. */
export const outcomeOf = (end: End, plan: Plan<unknown> | undefined, pollMs: number): Outcome => {
  switch (end.kind) {
    case 'fault':
      throw end.fault;
    case 'gone':
      return settled;
    case 'more':
      return { kind: 'again', afterMs: 0 };
    case 'started':
      return { kind: 'again', afterMs: end.afterMs ?? pollMs };
    case 'planned':
      return plan?.kind === 'wait' ? { kind: 'again', afterMs: plan.afterMs ?? pollMs } : settled;
    default:
      return end satisfies never;
  }
};

/** No later than a status that is held back is due. */
export const sooner = (outcome: Outcome, heldMs: number): Outcome => {
  if (heldMs === 0) {
    return outcome;
  }
  const afterMs = outcome.kind === 'again' ? Math.min(outcome.afterMs, heldMs) : heldMs;
  return { kind: 'again', afterMs };
};
