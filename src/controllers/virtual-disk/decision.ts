import type { MovePhase } from '../../api/disk-move.ts';
import type { StorageStep, StorageWork } from '../../drivers/hypervisor/host-storage.ts';
import type { ServedStep } from '../../drivers/storage/contract.ts';
import type { Decision as GenericDecision } from '../decision.ts';
import type { Claim } from './claim.ts';
import type { ImageReader } from './world.ts';

/** What a disk of a storage server or a volume group begins with. */
export type ServedSource =
  | { readonly kind: 'blank' }
  | { readonly kind: 'clone'; readonly diskUid: string }
  | { readonly kind: 'image'; readonly reader: ImageReader; readonly file: string };

/** One idempotent step of a disk's life. */
export type DiskStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer' }
  | { readonly kind: 'store'; readonly host: string; readonly step: StorageStep }
  /** Long work in the jobs room. */
  | { readonly kind: 'copy'; readonly host: string; readonly work: Extract<StorageWork, { kind: 'copy' }> }
  /** The same, for a volume of a volume group. */
  | {
      readonly kind: 'fill';
      readonly host: string;
      readonly from: Exclude<ServedSource, { kind: 'clone' }>;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'regrow'; readonly host: string; readonly sizeBytes: number }
  /** The job ended badly: its fault is told, and it may start again. */
  | { readonly kind: 'failCopy' }
  /** Writes the claim: whoever it names may be let in from then on. */
  | { readonly kind: 'grant'; readonly claim: Claim }
  | { readonly kind: 'serve'; readonly step: Extract<ServedStep, { kind: 'grow' | 'publish' | 'delete' }> }
  /** Takes the disk from a host: the secret first, if no other disk there needs it, then the right to log in. */
  | {
      readonly kind: 'withdraw';
      readonly iqn: string;
      readonly secretFrom?: string | undefined;
      /** The host is logged in itself, and out again first. */
      readonly loginFrom?: string | undefined;
    }
  /** Long work on a storage server, in the jobs room. */
  | { readonly kind: 'make'; readonly from: ServedSource; readonly sizeBytes: number }
  /** Gives up the copy or the making of a disk that goes, wherever it is made. */
  | { readonly kind: 'cancelMake' }
  /** Writes down how far a move is, so that whoever comes next knows what was begun. */
  | { readonly kind: 'markMove'; readonly phase: MovePhase }
  | { readonly kind: 'endMove' }
  /** Long work in the jobs room: copies where there is no copy, and compares. */
  | { readonly kind: 'move' }
  | { readonly kind: 'dropCopy' }
  | { readonly kind: 'clearSource' }
  /** The last clone of an image whose object is gone takes the image's file with it. */
  | { readonly kind: 'dropImage'; readonly host: string; readonly file: string };

export type Decision = GenericDecision<DiskStep>;
