import { describe, expect, it } from 'vitest';
import { vmUuid } from '../api/identity.ts';
import type { VirtualMachine } from '../api/virtual-machine.ts';
import type { PowerSeen, VmSummary } from '../drivers/hypervisor/contract.ts';
import { readSurvey } from './fleet-survey.ts';

const uuidOf = (uid: string): string => vmUuid('c', uid);

const machine = (uid: string, host: string, powerState: string): VirtualMachine =>
  ({
    metadata: { uid, name: uid, namespace: 'n' },
    status: { host, powerState },
  }) as unknown as VirtualMachine;

const row = (uid: string, power: PowerSeen, clusterId = 'c'): VmSummary => ({
  uuid: uuidOf(uid),
  domainName: `n.${uid}`,
  power,
  ownership: { kind: 'ours', record: { clusterId, uid, namespace: 'n', name: uid, startDue: false } },
});

const on: PowerSeen = { kind: 'running' };
const off: PowerSeen = { kind: 'off', cause: 'GuestShutdown' };

const store = (vms: readonly VirtualMachine[]) => ({
  byIndex: (index: string, value: string): VirtualMachine[] =>
    vms.filter((vm) => (index === 'uuid' ? uuidOf(vm.metadata.uid) : vm.status?.host) === value),
});

const changed = (vms: readonly VirtualMachine[], rows: readonly VmSummary[], host = 'h'): readonly string[] =>
  readSurvey([{ kind: 'seen', host, machines: rows }], 'p', 'c', store(vms)).changes.map((change) =>
    change.kind === 'vm' ? change.uuid : change.kind,
  );

describe('readSurvey', () => {
  it('has nothing to tell of machines that are as their status says', () => {
    const vms = [
      machine('a', 'p.h', 'PoweredOn'),
      machine('b', 'p.h', 'PoweredOff'),
      machine('c', 'p.h', 'Paused'),
    ];
    const rows = [row('a', { kind: 'stopping' }), row('b', off), row('c', { kind: 'paused', cause: 'User' })];
    expect(changed(vms, rows)).toEqual([]);
  });

  it.each([
    ['runs though its status says off', machine('a', 'p.h', 'PoweredOff'), [row('a', on)]],
    ['is off though its status says on', machine('a', 'p.h', 'PoweredOn'), [row('a', off)]],
    ['is not there', machine('a', 'p.h', 'PoweredOn'), []],
    ['is on another host', machine('a', 'p.other', 'PoweredOn'), [row('a', on)]],
    ['was never known', machine('a', 'p.h', 'Unknown'), [row('a', on)]],
    [
      'lost its tag',
      machine('a', 'p.h', 'PoweredOn'),
      [{ ...row('a', on), ownership: { kind: 'none' as const } }],
    ],
  ])('tells of a machine that %s', (_what, vm, rows) => {
    expect(changed([vm], rows)).toEqual([uuidOf('a')]);
  });

  it('reports machines of ours without an object, and no others', () => {
    const foreign = { ...row('f', on), ownership: { kind: 'none' as const } };
    const report = readSurvey(
      [{ kind: 'seen', host: 'h', machines: [row('a', on), row('b', on, 'elsewhere'), foreign] }],
      'p',
      'c',
      store([]),
    );
    expect(report.orphans).toEqual([{ host: 'p.h', uuid: uuidOf('a'), domainName: 'n.a' }]);
    expect(report.changes).toEqual([{ kind: 'vm', uuid: uuidOf('a') }]);
  });

  it('concludes nothing from a host that could not be surveyed', () => {
    const rows = [{ kind: 'unseen', host: 'h', sinceMs: 0, why: 'x' }] as const;
    const report = readSurvey(rows, 'p', 'c', store([machine('a', 'p.h', 'PoweredOn')]));
    expect(report).toEqual({ changes: [], orphans: [] });
  });
});
