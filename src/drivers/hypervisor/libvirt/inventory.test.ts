import { describe, expect, it } from 'vitest';
import type { VmIdentity, VmRecord } from '../contract.ts';
import { createInventory, type Machine } from './inventory.ts';

const record = (uid: string, name = 'web'): VmRecord => ({
  clusterId: 'c',
  uid,
  namespace: 'a',
  name,
  startDue: true,
});
const machine = (uuid: string, name: string, rest: Partial<Machine> = {}): Machine => ({
  uuid,
  name,
  state: 1,
  reason: 0,
  record: undefined,
  read: true,
  ...rest,
});
const vm: VmIdentity = {
  clusterId: 'c',
  uid: 'u1',
  uuid: 'uuid-1',
  namespace: 'a',
  name: 'web',
  domainName: 'a.web.u1',
};

describe('createInventory', () => {
  it('asks for the metadata of a machine once', () => {
    const inventory = createInventory();
    const row = { uuid: 'uuid-1', name: 'a.web.u1', state: 1, reason: 1 };
    expect(inventory.replace([row])).toEqual(['uuid-1']);
    inventory.put({ ...row, record: record('u1'), read: true });
    expect(inventory.replace([{ ...row, state: 5 }])).toEqual([]);
    expect(inventory.get('uuid-1')).toMatchObject({ state: 5, record: record('u1') });
  });

  it('forgets what the bulk list does not have', () => {
    const inventory = createInventory();
    inventory.put(machine('uuid-1', 'x'));
    inventory.replace([]);
    expect(inventory.all()).toEqual([]);
  });

  it('finds who has our name without being us', () => {
    const inventory = createInventory();
    inventory.put(machine('uuid-1', 'a.web.u1', { record: record('u1') }));
    inventory.put(machine('uuid-2', 'a.web.u2', { record: record('u2') }));
    inventory.put(machine('uuid-3', 'foreign'));
    inventory.put(machine('uuid-4', 'a.db.u4', { record: record('u4', 'db') }));
    expect(inventory.namesakes(vm).map(({ uuid }) => uuid)).toEqual(['uuid-2']);
    inventory.put(machine('uuid-3', 'a.web.u1'));
    expect(inventory.namesakes(vm).map(({ uuid }) => uuid)).toEqual(['uuid-3', 'uuid-2']);
    inventory.put(machine('uuid-3', 'renamed'));
    inventory.remove('uuid-2');
    expect(inventory.namesakes(vm)).toEqual([]);
  });
});
