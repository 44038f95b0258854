import { describe, expect, it } from 'vitest';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { createStore } from '../../kube/store.ts';
import { createAllocations } from './allocations.ts';
import { sampleMachine } from './sample-world.ts';

const placed = (
  name: string,
  uid: string,
  host: string | undefined,
  resourceVersion: string,
): VirtualMachine =>
  sampleMachine(
    {},
    {
      metadata: { name, uid, resourceVersion },
      status: { host, resources: { cpus: 2, memory: '1Gi' } } as NonNullable<VirtualMachine['status']>,
    },
  );

const setUp = () => {
  const store = createStore<VirtualMachine>({
    indexes: {},
    onListenerError: (error) => {
      throw error;
    },
    selective: false,
  });
  return { store, allocations: createAllocations(store) };
};

describe('allocations', () => {
  it('count what statuses promise, and a hold until its intent is seen', () => {
    const { store, allocations } = setUp();
    allocations.hold('u1', { host: 'h1', cpus: 2, memoryMiB: 1024 });
    expect(allocations.usage('h1')).toEqual({ cpus: 2, memoryMiB: 1024, machines: 1 });
    store.absorb(placed('a', 'u1', 'h1', '5'));
    expect(allocations.usage('h1')).toEqual({ cpus: 2, memoryMiB: 1024, machines: 1 });
  });

  it('let go of a hold whose intent was not written', () => {
    const { allocations } = setUp();
    allocations.hold('u1', { host: 'h1', cpus: 2, memoryMiB: 1024 });
    allocations.release('u1');
    allocations.release('u1');
    expect(allocations.usage('h1').machines).toBe(0);
  });

  it('follow a machine to another host', () => {
    const { store, allocations } = setUp();
    store.absorb(placed('a', 'u1', 'h1', '5'));
    store.absorb(placed('a', 'u1', 'h2', '6'));
    expect(allocations.usage('h1').machines).toBe(0);
    expect(allocations.usage('h2').cpus).toBe(2);
  });
});
