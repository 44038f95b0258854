/**
 * What this process knows of moves because it did it: no status and no annotation may say that a copy is what its
 * source was (docs/adr/0015-moving-disks.md). Whoever starts anew compares anew.
 */
import type { MoveRecord } from '../../api/disk-move.ts';

export interface MoveMemory {
  compared(uid: string, record: MoveRecord): 'same' | 'differs' | undefined;
  noteCompared(uid: string, record: MoveRecord, result: 'same' | 'differs'): void;
  /** Whether what the phase of the record is to remove was removed. */
  removed(uid: string, record: MoveRecord): boolean;
  noteRemoved(uid: string, record: MoveRecord): void;
  forget(uid: string): void;
}

const waysOf = ({ from, to }: MoveRecord): string => JSON.stringify([from.pool, from.host, to.pool, to.host]);

export const createMoveMemory = (): MoveMemory => {
  const results = new Map<string, { readonly ways: string; readonly result: 'same' | 'differs' }>();
  const removals = new Map<string, string>();
  const removalOf = (record: MoveRecord): string => `${record.phase} ${waysOf(record)}`;
  return {
    compared: (uid, record) => {
      const found = results.get(uid);
      return found?.ways === waysOf(record) ? found.result : undefined;
    },
    noteCompared: (uid, record, result) => void results.set(uid, { ways: waysOf(record), result }),
    removed: (uid, record) => removals.get(uid) === removalOf(record),
    noteRemoved: (uid, record) => void removals.set(uid, removalOf(record)),
    forget: (uid) => {
      results.delete(uid);
      removals.delete(uid);
    },
  };
};
