import type { StorageStep, StorageWork } from '../../drivers/hypervisor/host-storage.ts';
import type { Decision as GenericDecision } from '../decision.ts';

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

export type Decision = GenericDecision<DiskStep>;
