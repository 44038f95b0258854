import type { Reason } from '../../api/reasons.ts';
import type { Plan } from '../../runtime/pass.ts';
import type { Health } from '../verdict.ts';

/** One idempotent step of an image's life. */
export type ImageStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer' }
  /** Long work in the jobs room, one per host. */
  | { readonly kind: 'import'; readonly hosts: readonly string[] }
  | { readonly kind: 'cancelImports' }
  /** Unless something stands on it by then. */
  | { readonly kind: 'remove'; readonly hosts: readonly string[] };

export interface Decision {
  readonly plan: Plan<ImageStep>;
  readonly health: Health;
  readonly reason: Reason;
  readonly message: string;
}

export const step = (it: ImageStep, reason: Reason, message: string): Decision => ({
  plan: { kind: 'step', step: it },
  health: 'progress',
  reason,
  message,
});

export const wait = (health: Health, reason: Reason, message: string, afterMs?: number): Decision => ({
  plan: afterMs === undefined ? { kind: 'wait' } : { kind: 'wait', afterMs },
  health,
  reason,
  message,
});

export const settled = (health: Health, reason: Reason, message: string): Decision => ({
  plan: { kind: 'settled' },
  health,
  reason,
  message,
});
