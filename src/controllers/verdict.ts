/** From a decision or a fault to Ready, Reconciling and Stalled: the same words for every kind. Pure. */
import { categoryOf, type Reason } from '../api/reasons.ts';
import type { ConditionInput } from '../runtime/conditions.ts';
import type { Fault } from '../runtime/fault.ts';
import { reasonOfFault } from './standing.ts';

/**
 * How an object fares: `ok` as wished; `progress` on its way; `trouble` tried again, or a person must look;
 * `invalid` only a change helps; `unknown` cannot be told.
 */
export type Health = 'ok' | 'progress' | 'trouble' | 'invalid' | 'unknown';

/** One reason and one sentence: what Ready says. */
export interface Verdict {
  readonly health: Health;
  readonly reason: Reason;
  readonly message: string;
}

const healthOfFault = (fault: Fault): Health => {
  if (fault.kind === 'unreachable') return 'unknown';
  return fault.kind === 'invalid' || fault.kind === 'unsupported' ? 'invalid' : 'trouble';
};

export const verdictOfFault = (fault: Fault): Verdict => ({
  health: healthOfFault(fault),
  reason: reasonOfFault(fault),
  message: fault.message,
});

/** kstatus: Reconciling while the operator is at it or tries again, Stalled when only a person can help. */
export const kstatusOf = ({ health, reason, message }: Verdict): ConditionInput[] => {
  const stalled =
    health === 'invalid' || (health === 'trouble' && categoryOf(reason) === 'UnrecoverableError');
  const busy = health !== 'ok' && !stalled && reason !== 'Paused';
  const ready = health === 'ok' ? 'True' : health === 'unknown' ? 'Unknown' : 'False';
  return [
    { type: 'Ready', status: ready, reason, message },
    busy
      ? { type: 'Reconciling', status: 'True', reason, message }
      : { type: 'Reconciling', status: 'False', reason: 'Reconciled', message: 'Nothing is left to do.' },
    stalled
      ? { type: 'Stalled', status: 'True', reason, message }
      : {
          type: 'Stalled',
          status: 'False',
          reason: 'NotStalled',
          message: 'Nothing keeps the operator from going on.',
        },
  ];
};
