import { describe, expect, it } from 'vitest';
import { Fault } from '../../runtime/fault.ts';
import type { Ownership, Sighting, StepOutcome, VmIdentity, VmStep } from './contract.ts';
import { createWitness } from './witness.ts';

const vm: VmIdentity = {
  clusterId: 'c',
  uid: 'u',
  uuid: '00000000-0000-5000-8000-000000000001',
  namespace: 'n',
  name: 'm',
  domainName: 'n.m.u',
};
const record = { clusterId: 'c', uid: 'u', namespace: 'n', name: 'm', startDue: true };
const ours: Ownership = { kind: 'ours', record };
const on = (host: string, ownership: Ownership = ours): Sighting => ({
  host,
  ownership,
  power: { kind: 'off', cause: 'NeverStarted' },
});
const define = (host: string): VmStep => ({
  kind: 'define',
  host,
  record,
  shape: {
    cpu: { sockets: 1, cores: 1, threads: 1 },
    memoryMiB: 64,
    disks: [],
    cdroms: [],
    nics: [],
    hardware: {},
    autostart: false,
  },
});
const gone: StepOutcome = { kind: 'done', sighting: undefined };
const lost = async (): Promise<StepOutcome> => {
  throw new Fault('unreachable', 'the reply was lost');
};

const setUp = (listed: readonly string[] = [], had: readonly string[] = []) =>
  createWitness({ listed: (host) => listed.includes(host), had: (host) => had.includes(host) });

describe('hosts that could not be looked at', () => {
  it('may hold the machine, whatever host a status names', () => {
    expect(setUp().unseen(vm, 'a', ['b', 'c'], [])).toEqual(['b', 'c']);
    expect(setUp().unseen(vm, undefined, ['b', 'c'], [])).toEqual(['b', 'c']);
  });

  it('may not when they told this session all they have, unless it was among that', () => {
    expect(setUp(['b']).unseen(vm, 'a', ['b', 'c'], [])).toEqual(['c']);
    expect(setUp(['b', 'c'], ['c']).unseen(vm, 'a', ['b', 'c'], [])).toEqual(['c']);
    expect(setUp(['b']).unseen(vm, 'b', ['b'], []), 'the status names it').toEqual(['b']);
    expect(setUp(['b']).unseen(vm, undefined, ['b'], []), 'the status is lost').toEqual(['b']);
  });

  it('may not when the machine is elsewhere under our tag, once', () => {
    expect(setUp().unseen(vm, 'a', ['b'], [on('a')])).toEqual([]);
    expect(setUp().unseen(vm, 'b', ['b', 'c'], [on('a')]), 'the status names it').toEqual(['b']);
    expect(setUp().unseen(vm, 'a', ['b'], [on('a', { kind: 'none' })])).toEqual(['b']);
    expect(setUp().unseen(vm, 'a', ['b'], [on('a'), on('c')])).toEqual(['b']);
  });

  it('may not once this session removed it, until it is defined again', async () => {
    const witness = setUp();
    await witness.during(vm, { kind: 'undefine', host: 'a' }, async () => gone);
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual([]);
    await witness.during(vm, define('a'), async () => ({ kind: 'done', sighting: on('a') }));
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual(['b']);
    await expect(witness.during(vm, { kind: 'undefine', host: 'a' }, lost)).rejects.toThrow('lost');
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual(['b']);
  });

  it('may when a step to define it there has an end that nobody knows', async () => {
    const witness = setUp(['a', 'b']);
    await expect(witness.during(vm, define('b'), lost)).rejects.toThrow('lost');
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual(['b']);
    expect(witness.unseen(vm, 'a', [], []), 'it answers').toEqual([]);
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual([]);
  });

  it('may not when it was tried on a host that answers that it has it not', async () => {
    const witness = setUp();
    await expect(witness.during(vm, define('a'), lost)).rejects.toThrow('lost');
    expect(witness.unseen(vm, 'a', ['a', 'b'], [])).toEqual(['a', 'b']);
    expect(witness.unseen(vm, 'a', ['b'], [])).toEqual([]);
    const other = setUp();
    await expect(other.during(vm, define('a'), lost)).rejects.toThrow('lost');
    expect(other.unseen(vm, undefined, ['b'], [on('a')])).toEqual([]);
    expect(other.unseen(vm, 'a', ['b'], []), 'it was there, and others removed it').toEqual(['b']);
  });
});
