import { describe, expect, it } from 'vitest';
import type { PowerSeen } from '../contract.ts';
import { powerOf } from './power.ts';

const due = { clusterId: 'c', uid: 'u', namespace: 'n', name: 'm', startDue: true };

describe('powerOf', () => {
  it.each<[string, number, number, PowerSeen]>([
    ['no state (Xen)', 0, 0, { kind: 'running' }],
    ['running', 1, 1, { kind: 'running' }],
    ['blocked', 2, 0, { kind: 'running' }],
    ['paused by a user', 3, 1, { kind: 'paused', cause: 'User' }],
    ['paused by a full disk', 3, 5, { kind: 'paused', cause: 'IoError' }],
    ['paused by a migration', 3, 2, { kind: 'paused', cause: 'Other' }],
    ['shutting down', 4, 1, { kind: 'stopping' }],
    ['shut down by its guest', 5, 1, { kind: 'off', cause: 'GuestShutdown' }],
    ['destroyed', 5, 2, { kind: 'off', cause: 'Destroyed' }],
    ['crashed', 5, 3, { kind: 'off', cause: 'Crashed' }],
    ['failed to start', 5, 6, { kind: 'off', cause: 'Failed' }],
    ['lost by the daemon', 5, 8, { kind: 'off', cause: 'Unknown' }],
    ['crashed and kept', 6, 1, { kind: 'off', cause: 'Crashed' }],
    ['asleep', 7, 0, { kind: 'paused', cause: 'Other' }],
    ['in a state of the future', 99, 0, { kind: 'paused', cause: 'Other' }],
  ])('%s', (_, state, reason, power) => {
    expect(powerOf(state, reason, undefined)).toEqual(power);
  });

  it('tells a machine that was never started from one whose past is forgotten', () => {
    expect(powerOf(5, 0, due)).toEqual({ kind: 'off', cause: 'NeverStarted' });
    expect(powerOf(5, 0, { ...due, startDue: false })).toEqual({ kind: 'off', cause: 'Unknown' });
    expect(powerOf(5, 1, due)).toEqual({ kind: 'off', cause: 'GuestShutdown' });
  });
});
