import type { Unreadable } from './contract.ts';
import type { RawObject } from './raw-object.ts';
import { keyOf } from './types.ts';

const MAX_ERROR_CHARS = 1_000;

/** The note about an object that `parse` threw at. */
export const unreadableOf = (raw: RawObject, error: unknown): Unreadable => ({
  kind: 'unreadable',
  key: keyOf(raw),
  uid: raw.metadata.uid,
  resourceVersion: raw.metadata.resourceVersion,
  error: (error instanceof Error ? error.message : String(error)).slice(0, MAX_ERROR_CHARS),
});
