import { describe, expect, it } from 'vitest';
import type { Condition } from '../api/conditions.ts';
import { isEarly, type KstatusView } from './early.ts';

const condition = (type: string, reason: string, generation: number): Condition => ({
  type,
  status: 'True',
  reason,
  message: 'so it is.',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  observedGeneration: generation,
});

const view = (generation: number | undefined, ...conditions: Condition[]): KstatusView => ({
  ...(generation === undefined ? {} : { observedGeneration: generation }),
  conditions,
});

const lacking = view(2, condition('Stalled', 'SizeNotFound', 2));

describe('a missing reference', () => {
  it('is early for an object that nobody has judged yet, or whose spec is new', () => {
    expect(isEarly(undefined, lacking)).toBe(true);
    expect(isEarly(view(undefined, condition('Reconciling', 'Pending', 2)), lacking)).toBe(true);
    expect(isEarly(view(1, condition('Ready', 'Running', 1)), lacking)).toBe(true);
    expect(isEarly(view(1, condition('Stalled', 'SizeNotFound', 1)), lacking)).toBe(true);
    expect(isEarly(view(2, condition('Reconciling', 'WaitingForDisk', 2)), lacking)).toBe(true);
  });

  it('is told at once when it went missing later, or was told before', () => {
    expect(isEarly(view(2, condition('Ready', 'Running', 2)), lacking)).toBe(false);
    expect(isEarly(view(2, condition('Stalled', 'SizeNotFound', 2)), lacking)).toBe(false);
  });

  it('is not what keeps a wrong spec from being told, or work from being shown', () => {
    expect(isEarly(undefined, view(2, condition('Stalled', 'ImageFormatUnsuitable', 2)))).toBe(false);
    expect(isEarly(undefined, view(2, condition('Reconciling', 'SizeNotFound', 2)))).toBe(false);
  });
});
