import { expect, it } from 'vitest';
import { storagePool } from '../../src/api/storage-pool.ts';
import { virtualMachine } from '../../src/api/virtual-machine.ts';
import { rowOf } from './follow.ts';
import { hasCondition } from './json.ts';

const machine = (status: string, message: string) => ({
  kind: 'VirtualMachine',
  metadata: { namespace: 'team-a', name: 'web-1', generation: 2 },
  status: {
    observedGeneration: 2,
    powerState: 'PoweredOn',
    host: 'kvm.node1',
    conditions: [{ type: 'Ready', status, reason: 'Starting', message }],
  },
});

it('shows the columns of kubectl get, and the message of what is not ready', () => {
  const start = 'VirtualMachine team-a/web-1  power=PoweredOn host=kvm.node1 ip=- ';
  expect(rowOf(virtualMachine, machine('True', 'x'))).toBe(`${start}ready=True reason=Starting`);
  expect(rowOf(virtualMachine, machine('False', 'It starts.'))).toBe(
    `${start}ready=False reason=Starting  "It starts."`,
  );
});

it('says what is wrong with a pool that can be used all the same', () => {
  const pool = (state: string) => ({
    kind: 'StoragePool',
    metadata: { name: 'gv0', generation: 1 },
    spec: { driver: 'gluster' },
    status: {
      health: { state, message: 'A brick is down.' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: 'x' }],
    },
  });
  expect(rowOf(storagePool, pool('Degraded'))).toMatch(
    /^StoragePool gv0 {2}.*health=Degraded .*"A brick is down\."$/,
  );
  expect(rowOf(storagePool, pool('Healthy'))).not.toContain('A brick');
});

it('believes a condition only when it speaks of the present spec', () => {
  const ready = machine('True', 'x');
  expect(hasCondition(ready, 'Ready')).toBe(true);
  expect(hasCondition({ ...ready, metadata: { generation: 3 } }, 'Ready')).toBe(false);
  expect(hasCondition(ready, 'Running')).toBe(false);
});
