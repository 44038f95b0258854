import type { Decision as GenericDecision } from '../decision.ts';
/** One idempotent step of an image's life. */
export type ImageStep =
  | { readonly kind: 'addFinalizer' }
  | { readonly kind: 'removeFinalizer' }
  /** Long work in the jobs room, one per host. */
  | { readonly kind: 'import'; readonly hosts: readonly string[] }
  | { readonly kind: 'cancelImports' }
  /** Unless something stands on it by then. */
  | { readonly kind: 'remove'; readonly hosts: readonly string[] };

export type Decision = GenericDecision<ImageStep>;
