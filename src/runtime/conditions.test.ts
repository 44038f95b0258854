import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Condition } from '../kube/types.ts';
import {
  type ConditionInput,
  changedConditions,
  findCondition,
  readySummary,
  setCondition,
  setConditions,
  standingConditions,
} from './conditions.ts';

const t0 = Date.UTC(2026, 0, 1);
const input = fc.record<ConditionInput>({
  type: fc.constantFrom('Ready', 'Placed', 'Running', 'Stalled'),
  status: fc.constantFrom('True', 'False', 'Unknown'),
  reason: fc.constantFrom('One', 'Two'),
  message: fc.string({ maxLength: 40 }),
});

const fold = (inputs: readonly ConditionInput[], nowMs: number): readonly Condition[] =>
  inputs.reduce<readonly Condition[]>((list, one) => setCondition(list, one, { generation: 3, nowMs }), []);

describe('setCondition', () => {
  it('is idempotent, whatever the time', () => {
    const property = fc.property(
      fc.array(input, { maxLength: 8 }),
      input,
      fc.nat(),
      (inputs, one, laterMs) => {
        const once = setCondition(fold(inputs, t0), one, { generation: 3, nowMs: t0 });
        expect(setCondition(once, one, { generation: 3, nowMs: t0 + laterMs })).toEqual(once);
      },
    );
    fc.assert(property);
  });

  it('stays sorted by type and holds each type once', () => {
    const property = fc.property(fc.array(input, { maxLength: 12 }), (inputs) => {
      const types = fold(inputs, t0).map(({ type }) => type);
      expect(types).toEqual([...new Set(types)].sort());
    });
    fc.assert(property);
  });

  it('moves lastTransitionTime with the status alone', () => {
    const property = fc.property(input, input, (first, second) => {
      const before = setCondition([], first, { generation: 1, nowMs: t0 });
      const after = setCondition(
        before,
        { ...second, type: first.type },
        { generation: 2, nowMs: t0 + 5_000 },
      );
      const moved = first.status === second.status ? '2026-01-01T00:00:00Z' : '2026-01-01T00:00:05Z';
      expect(findCondition(after, first.type)).toMatchObject({
        lastTransitionTime: moved,
        observedGeneration: 2,
      });
    });
    fc.assert(property);
  });

  it('never takes observedGeneration back, and bounds the message', () => {
    const long = { type: 'Ready', status: 'True', reason: 'Ok', message: 'é'.repeat(2_000) } as const;
    const list = setCondition([], long, { generation: 7, nowMs: t0 });
    const [condition] = setCondition(list, long, { generation: 6, nowMs: t0 });
    expect(condition?.observedGeneration).toBe(7);
    expect(Buffer.byteLength(condition?.message ?? '')).toBeLessThanOrEqual(1_024);
  });

  it('keeps no condition that is no longer stated', () => {
    const former = fold([{ type: 'Paused', status: 'True', reason: 'Asked', message: '' }], t0);
    const list = setConditions(former, standingConditions({ kind: 'settled' }), { generation: 1, nowMs: t0 });
    expect(list.map(({ type }) => type)).toEqual(['Reconciling', 'Stalled']);
  });
});

describe('readySummary', () => {
  const of = (status: Condition['status'], type: string): ConditionInput => ({
    type,
    status,
    reason: `${type}Reason`,
    message: `${type} says so.`,
  });
  const ready = { reason: 'Ready', message: 'All is well.' };

  it('is true when all are', () => {
    const inputs = [of('True', 'Placed'), of('True', 'Running')];
    expect(readySummary(inputs, ['Placed', 'Running'], ready)).toEqual({
      type: 'Ready',
      status: 'True',
      ...ready,
    });
  });

  it('names the first false one, before an unknown one', () => {
    const inputs = [of('Unknown', 'Placed'), of('False', 'StorageReady'), of('False', 'Running')];
    const summary = readySummary(inputs, ['Placed', 'StorageReady', 'Running'], ready);
    expect(summary).toMatchObject({ status: 'False', reason: 'StorageReadyReason' });
  });

  it('is unknown as long as one is not reported', () => {
    expect(readySummary([of('True', 'Placed')], ['Placed', 'Running'], ready)).toMatchObject({
      status: 'Unknown',
      reason: 'NotReported',
    });
  });
});

describe('standingConditions', () => {
  it.each([
    [{ kind: 'settled' }, 'False', 'False'],
    [{ kind: 'reconciling', reason: 'Creating', message: 'It is being made.' }, 'True', 'False'],
    [{ kind: 'stalled', reason: 'NoHostFits', message: 'No host fits.' }, 'False', 'True'],
  ] as const)('always states both: %j', (standing, reconciling, stalled) => {
    const inputs = standingConditions(standing);
    expect(inputs.map(({ type, status }) => [type, status])).toEqual([
      ['Reconciling', reconciling],
      ['Stalled', stalled],
    ]);
  });
});

describe('changedConditions', () => {
  it('sees a change of status or reason, not of message', () => {
    const before = fold([{ type: 'A', status: 'True', reason: 'One', message: 'x' }], t0);
    const after = fold(
      [
        { type: 'A', status: 'True', reason: 'One', message: 'y' },
        { type: 'B', status: 'False', reason: 'One', message: '' },
      ],
      t0,
    );
    expect(changedConditions(before, after).map(({ type }) => type)).toEqual(['B']);
    expect(changedConditions(after, after)).toEqual([]);
  });
});
