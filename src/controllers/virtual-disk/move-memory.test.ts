import { describe, expect, it } from 'vitest';
import { encodeMove, moveOf } from '../../api/disk-move.ts';
import { MOVE_ANNOTATION } from '../../api/identity.ts';
import { createMoveMemory } from './move-memory.ts';
import { movingDisk as disk, moveRecord as record } from './sample-move.ts';

describe('what is known of a move', () => {
  it('is believed of this disk alone, and only where the status says nothing else', () => {
    const of = (value: string, status = disk.status) =>
      moveOf({
        metadata: { ...disk.metadata, annotations: { [MOVE_ANNOTATION]: value } },
        ...(status === undefined ? {} : { status }),
      });
    expect(of(encodeMove(record('Copying')))).toEqual(record('Copying'));
    expect(of(encodeMove({ ...record('Copying'), disk: 'd2' }))).toBeUndefined();
    expect(of(encodeMove({ ...record('Copying'), to: { pool: 'p1' } }))).toBeUndefined();
    expect(of(encodeMove({ ...record('Copying'), from: { pool: 'p3' } }))).toBeUndefined();
    expect(of('no JSON')).toBeUndefined();
    expect(of(JSON.stringify({ ...record('Copying'), phase: 'Done' }))).toBeUndefined();
  });

  it('is of one way alone, and forgotten when another begins', () => {
    const memory = createMoveMemory();
    memory.noteCompared('d1', record('Copying'), 'same');
    expect(memory.compared('d1', record('Removing'))).toBe('same');
    expect(memory.compared('d1', { ...record('Copying'), to: { pool: 'p3' } })).toBeUndefined();
    memory.noteRemoved('d1', record('Dropping'));
    expect(memory.removed('d1', record('Dropping'))).toBe(true);
    expect(memory.removed('d1', record('Removing'))).toBe(false);
    memory.forget('d1');
    expect(memory.compared('d1', record('Removing'))).toBeUndefined();
  });
});
