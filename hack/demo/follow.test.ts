import { expect, it } from 'vitest';
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

it('believes a condition only when it speaks of the present spec', () => {
  const ready = machine('True', 'x');
  expect(hasCondition(ready, 'Ready')).toBe(true);
  expect(hasCondition({ ...ready, metadata: { generation: 3 } }, 'Ready')).toBe(false);
  expect(hasCondition(ready, 'Running')).toBe(false);
});
