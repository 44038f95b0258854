import { expect, it } from 'vitest';
import { condition, PENDING_STATUS } from './conditions.ts';
import { ConditionType, categoryOf, conditionTypes, Reason, reasonTable } from './reasons.ts';

it.each(Object.entries(reasonTable))(
  '%s is a reason a condition can hold, with one sentence',
  (reason, info) => {
    expect(condition.shape.reason.safeParse(reason).success).toBe(true);
    expect(info.doc).toMatch(/^[A-Z][^\n]*\.$/);
  },
);

it.each(Object.keys(conditionTypes))('%s is a type a condition can have', (type) => {
  expect(condition.shape.type.safeParse(type).success).toBe(true);
});

it('knows the category of a reason, and none of a word from elsewhere', () => {
  expect(categoryOf(Reason.NoHostFits)).toBe('TransientError');
  expect(categoryOf('toString')).toBeUndefined();
});

it('gives new objects a condition of the words it documents', () => {
  for (const pending of PENDING_STATUS.conditions) {
    expect(condition.safeParse(pending).success).toBe(true);
    expect(pending.type).toBe(ConditionType.Reconciling);
    expect(pending.reason).toBe(Reason.Pending);
  }
});
