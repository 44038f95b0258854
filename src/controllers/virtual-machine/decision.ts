import type { VmStep } from '../../drivers/hypervisor/contract.ts';
import type { Decision as GenericDecision } from '../decision.ts';

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

export type Decision = GenericDecision<MachineStep>;
