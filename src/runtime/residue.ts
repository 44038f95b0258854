import { statusEqual } from './equal.ts';

/**
 * What others own of a status. Server-side apply takes out what we owned and leave out, and leaves what somebody else
 * put there: a condition of another version, of another program. Such a status never equals ours, and without this
 * memory each pass would write it once more and change nothing.
 */
export interface Residue<K extends string, Status> {
  /** Whether the status differs from the one wanted by nothing but what our last write of it could not change. */
  explains(key: K, before: Status | undefined, wanted: Status): boolean;
  /** `told` is what the object had right after the write; undefined when that is not known. */
  note(key: K, wanted: Status, told: Status | undefined): void;
  forget(key: K): void;
}

export const createResidue = <K extends string, Status>(): Residue<K, Status> => {
  const entries = new Map<K, { readonly wanted: Status; readonly told: Status }>();
  return {
    explains: (key, before, wanted) => {
      const entry = entries.get(key);
      return entry !== undefined && statusEqual(entry.told, before) && statusEqual(entry.wanted, wanted);
    },
    note: (key, wanted, told) => {
      if (told === undefined || statusEqual(told, wanted)) entries.delete(key);
      else entries.set(key, { wanted, told });
    },
    forget: (key) => {
      entries.delete(key);
    },
  };
};
