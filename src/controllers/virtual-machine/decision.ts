import type { Reason } from '../../api/reasons.ts';
import type { VmStep } from '../../drivers/hypervisor/contract.ts';
import type { Plan } from '../../runtime/pass.ts';
import type { Health } from '../verdict.ts';

/** One idempotent step of a machine's life. */
export type MachineStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer' }
  /** Writes the intent: the host, durable before anything is made there. */
  | { readonly kind: 'place'; readonly host: string }
  /** Makes the VirtualDisk of a template. */
  | { readonly kind: 'createDisk'; readonly disk: string }
  | { readonly kind: 'deleteDisk'; readonly diskName: string; readonly uid: string }
  /** Renders the cloud-init seed (reads its Secrets) and looks whether it lies there. */
  | { readonly kind: 'renderSeed' }
  | { readonly kind: 'putSeed' }
  /** Removes seeds that the machine no longer refers to. */
  | { readonly kind: 'sweepSeeds'; readonly volumes: readonly string[] }
  /** On deletion: looks for seeds once the machine itself is gone. */
  | { readonly kind: 'findSeeds' }
  /** On deletion: removes what was found. */
  | { readonly kind: 'dropSeeds' }
  /** Asks the guest to shut down, and notes since when. */
  | { readonly kind: 'askShutdown' }
  | { readonly kind: 'drive'; readonly step: VmStep };

/** The plan of the pass, and why: one reason and one sentence for a person. */
export interface Decision {
  readonly plan: Plan<MachineStep>;
  readonly health: Health;
  readonly reason: Reason;
  readonly message: string;
}

export const step = (it: MachineStep, reason: Reason, message: string): Decision => ({
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
