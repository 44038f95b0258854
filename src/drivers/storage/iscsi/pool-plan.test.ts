import { describe, expect, it } from 'vitest';
import { Fault } from '../../../runtime/fault.ts';
import type { IscsiWish, ServerSeen } from '../contract.ts';
import { componentsOf, planPool, planPoolRemoval, type Survey, surveySchema } from './pool-plan.ts';

const wish: IscsiWish = {
  kind: 'iscsi',
  software: 'TGT',
  portals: [
    { address: '192.0.2.31', port: 3260 },
    { address: '198.51.100.31', port: 3260 },
  ],
  backing: { type: 'Files', path: '/srv/disks' },
};
const input = { server: 'target', wish, howToStart: 'Start it.' };
const ready = { state: 'ready', capacity: 10, available: 5, marked: true } as const;
const quiet = { trouble: null, portals: [true, true], drift: 0, stuck: 0, warnings: [] };
const survey = (more: Partial<Survey> = {}, server: Partial<Survey['server']> = {}): Survey =>
  surveySchema.parse({ backing: ready, disks: 1, ...more, server: { ...quiet, ...server } });
const seen = (each: Survey): ServerSeen => ({ components: [], detail: { kind: 'seen', survey: each } });
const planOf = (each: Survey, given = input) => planPool(seen(each), given);
const lvm = { ...input, wish: { ...wish, backing: { type: 'LVM', volumeGroup: 'vg' } as const } };

describe('the plan of an iSCSI pool', () => {
  it('has nothing to do for a server as it should be', () => {
    expect(planOf(survey())).toMatchObject({ kind: 'settled', health: { state: 'Healthy' } });
  });

  it.each([
    ['a new folder', { backing: { state: 'absent' }, disks: 0 }],
    ['a folder without a marker', { backing: { ...ready, state: 'unmarked', strays: false }, disks: 0 }],
  ] as const)('prepares %s', (_, more) => {
    expect(planOf(survey(more))).toMatchObject({ kind: 'step', step: { detail: 'prepare' } });
  });

  it.each([
    ['PathNotFound', { backing: { state: 'absent' } }, {}, input],
    ['PathNotFound', { backing: { state: 'absent' }, disks: 0 }, {}, lvm],
    ['MarkerMissing', { backing: { ...ready, state: 'unmarked', strays: true } }, {}, input],
    ['NameTaken', { backing: { ...ready, state: 'unmarked', strays: true }, disks: 0 }, {}, input],
    ['NameTaken', { backing: { ...ready, state: 'foreign', owner: 'rival' } }, {}, input],
    ['StorageNotReady', {}, { trouble: 'tgtd does not answer' }, input],
    ['StorageNotReady', {}, { portals: [false, false] }, input],
  ] as const)('cannot be used: %s', (reason, more, server, given) => {
    const plan = planOf(survey(more, server as Partial<Survey['server']>), given);
    expect(plan).toMatchObject({ kind: 'wait', health: { state: 'Unusable', reason } });
  });

  it('says what to do when the software does not answer', () => {
    expect(planOf(survey({}, { trouble: 'tgtd does not answer' })).health.message).toBe(
      'On server target: tgtd does not answer. Start it.',
    );
  });

  it('mends what somebody changed, and waits for what is in use', () => {
    expect(planOf(survey({}, { drift: 2 }))).toMatchObject({ kind: 'step', step: { detail: 'mend' } });
    const stuck = planOf(survey({}, { stuck: 1 }));
    expect(stuck).toMatchObject({ kind: 'settled', health: { state: 'Degraded', reason: 'DriftDetected' } });
  });

  it('is degraded with a silent portal, a warning, and a full thin pool', () => {
    const portal = planOf(survey({}, { portals: [true, false] }));
    expect(portal).toMatchObject({ kind: 'settled', health: { state: 'Degraded' } });
    expect(portal.health.message).toContain('198.51.100.31:3260');
    expect(planOf(survey({}, { warnings: ['it forgets'] })).health).toMatchObject({
      state: 'Degraded',
      message: 'On server target: it forgets.',
    });
    const thinPool = { dataPercent: 20, metadataPercent: 97, zeroes: true };
    const full = survey({ backing: { state: 'ready', capacity: 10, available: 5, thinPool } });
    expect(planOf(full, lvm).health).toMatchObject({ state: 'Degraded', reason: 'StoragePoolFull' });
    expect(componentsOf(full, lvm)).toContainEqual({
      kind: 'thinPool',
      name: 'thinPool',
      state: 'Up',
      message: 'The thin pool has used 20 % of its data and 97 % of its metadata.',
    });
  });

  it('says early that a thin pool fills up, and refuses one that shows what others wrote', () => {
    const poolOf = (dataPercent: number, zeroes = true): Survey => {
      const thinPool = { dataPercent, metadataPercent: 5, zeroes };
      return survey({ backing: { state: 'ready', capacity: 10, available: 5, thinPool } });
    };
    expect(planOf(poolOf(79), lvm).health.state).toBe('Healthy');
    expect(planOf(poolOf(80), lvm).health).toMatchObject({
      state: 'Degraded',
      reason: 'StoragePoolNearlyFull',
    });
    expect(componentsOf(poolOf(100), lvm)).toContainEqual(expect.objectContaining({ state: 'Down' }));
    expect(planOf(poolOf(1, false), lvm)).toMatchObject({ kind: 'wait', health: { state: 'Unusable' } });
  });

  it('waits with the words of the fault when the server cannot be asked', () => {
    const fault = new Fault('unreachable', 'The server target cannot be asked.', {
      reason: 'ServerUnreachable',
    });
    const plan = planPool({ components: [], detail: { kind: 'fault', fault } }, input);
    expect(plan).toMatchObject({ kind: 'wait', health: { state: 'Unusable', reason: 'ServerUnreachable' } });
    expect(planPoolRemoval({ components: [], detail: { kind: 'fault', fault } }, true).kind).toBe('wait');
  });

  it('removes our mark alone unless it may erase, and nothing while disks are there', () => {
    const empty = seen(survey({ disks: 0 }));
    expect(planPoolRemoval(empty, false)).toMatchObject({ step: { detail: 'forget' } });
    expect(planPoolRemoval(empty, true)).toMatchObject({ step: { detail: 'erase' } });
    expect(planPoolRemoval(seen(survey()), true).kind).toBe('settled');
    const volumes = survey({ disks: 0, backing: { state: 'ready', capacity: 10, available: 5 } });
    expect(planPoolRemoval(seen(volumes), true).kind).toBe('settled');
    expect(planPoolRemoval(seen(survey({ disks: 0, backing: { state: 'absent' } })), true).kind).toBe(
      'settled',
    );
  });
});
