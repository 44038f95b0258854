import type { Reason } from '../../api/reasons.ts';
import type { StorageStep, StorageWork } from '../../drivers/hypervisor/host-storage.ts';
import type { Plan } from '../../runtime/pass.ts';
import type { Health } from '../verdict.ts';

/** One idempotent step of a disk's life. */
export type DiskStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer' }
  | { readonly kind: 'store'; readonly host: string; readonly step: StorageStep }
  /** Long work in the jobs room. */
  | { readonly kind: 'copy'; readonly host: string; readonly work: Extract<StorageWork, { kind: 'copy' }> }
  /** The job ended badly: its fault is told, and it may start again. */
  | { readonly kind: 'failCopy' }
  /** The last clone of an image whose object is gone takes the image's file with it. */
  | { readonly kind: 'dropImage'; readonly host: string; readonly file: string };

export interface Decision {
  readonly plan: Plan<DiskStep>;
  readonly health: Health;
  readonly reason: Reason;
  readonly message: string;
}

export const step = (it: DiskStep, reason: Reason, message: string): Decision => ({
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
