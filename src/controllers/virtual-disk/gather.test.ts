import { describe, expect, it } from 'vitest';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import { sampleMachine } from '../virtual-machine/sample-world.ts';
import { userOf } from './gather.ts';
import { sampleDisk } from './sample-world.ts';

const ready = (status: 'True' | 'False' | 'Unknown'): Pick<VirtualMachineStatus, 'conditions'> => ({
  conditions: [
    { type: 'Ready', status, reason: 'Any', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ],
});

const isUnknown = (status: Partial<VirtualMachineStatus> | undefined, finalizers?: string[]): boolean => {
  const { status: _, ...vm } = sampleMachine(
    {},
    { metadata: finalizers === undefined ? {} : { finalizers } },
  );
  const told = status === undefined ? vm : { ...vm, status: { observedGeneration: 1, ...status } };
  return userOf(told, sampleDisk()).unknown;
};

describe('a machine that may have the disk although nothing says so', () => {
  it('is one that nobody looked at since its status was lost', () => {
    expect(isUnknown(undefined)).toBe(true);
    expect(isUnknown({})).toBe(true);
    expect(isUnknown(ready('Unknown')), 'its host does not answer').toBe(true);
  });

  it('is none that was looked at', () => {
    expect(isUnknown(ready('False')), 'no host fits').toBe(false);
    const known = { host: 'kvm.node1', powerState: 'Unknown' } as const;
    expect(isUnknown({ ...ready('Unknown'), ...known }), 'what was last known stays').toBe(false);
  });

  it('is none that was never begun', () => {
    expect(isUnknown(undefined, [])).toBe(false);
  });
});
