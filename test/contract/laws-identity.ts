import { expect } from 'vitest';
import { domainName } from '../../src/api/identity.ts';
import type { VmStep } from '../../src/drivers/hypervisor/contract.ts';
import {
  clean,
  type DriverFixture,
  define,
  freshUid,
  identity,
  type Law,
  never,
  plainShape,
  recordOf,
  takeAll,
} from './fixture.ts';
import { look } from './laws-power.ts';

const everyStep = ({ host }: DriverFixture, vm: ReturnType<typeof identity>): readonly VmStep[] => [
  define({ host }, vm),
  { kind: 'redefine', host, shape: plainShape, record: recordOf(vm) },
  { kind: 'start', host },
  { kind: 'shutdown', host },
  { kind: 'destroy', host },
  { kind: 'undefine', host },
  { kind: 'setRecord', host, record: recordOf(vm) },
  { kind: 'setAutostart', host, autostart: true },
  { kind: 'detachDisk', host, serial: 'aaaa' },
];

export const identityLaws: readonly Law[] = [
  {
    id: 'H-02',
    title: 'looking changes nothing',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      const before = await hands.snapshot(host);
      await pool.hosts(never);
      await pool.survey(never);
      await pool.see(vm, host, never);
      await pool.see(identity(fixture), undefined, never);
      expect(await hands.snapshot(host)).toBe(before);
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-07',
    title: 'one name in two namespaces never meets',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const [one, two] = [
        identity(fixture, freshUid(), 'web', 'a'),
        identity(fixture, freshUid(), 'web', 'b'),
      ];
      await takeAll(pool, one, [define(fixture, one), { kind: 'start', host }]);
      await pool.take(two, define(fixture, two), never);
      for (const vm of [one, two]) {
        const seen = await pool.see(vm, host, never);
        expect(seen.sightings).toHaveLength(1);
        expect(seen.namesakes).toEqual([]);
      }
      await clean(fixture, pool, two);
      expect((await look(fixture, pool, one))?.power).toEqual({ kind: 'running' });
      await clean(fixture, pool, one);
    },
  },
  {
    id: 'H-08',
    title: 'what has no tag of ours is never touched',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await hands.defineForeign(host, `foreign-${vm.uid.slice(0, 8)}`, vm.uuid);
      await expect.poll(async () => (await look(fixture, pool, vm))?.ownership).toEqual({ kind: 'none' });
      const before = await hands.snapshot(host);
      for (const step of everyStep(fixture, vm)) {
        await expect(pool.take(vm, step, never), step.kind).rejects.toMatchObject({
          name: 'Fault',
          kind: 'denied',
        });
        expect(await hands.snapshot(host), step.kind).toBe(before);
      }
      await hands.undefine(host, vm.uuid);
    },
  },
  {
    id: 'H-12',
    title: 'namesakes are reported',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const old = identity(fixture, freshUid(), 'restored');
      await pool.take(old, define(fixture, old), never);
      const again = identity(fixture, freshUid(), 'restored');
      await pool.survey(never);
      const seen = await pool.see(again, host, never);
      expect(seen.sightings).toEqual([]);
      const ownership = { kind: 'other', clusterId: old.clusterId, uid: old.uid };
      expect(seen.namesakes).toEqual([{ host, uuid: old.uuid, ownership }]);
      await clean(fixture, pool, old);

      const vm = identity(fixture);
      const uuid = await hands.defineForeign(host, vm.domainName);
      await expect
        .poll(async () => (await pool.see(vm, host, never)).namesakes)
        .toEqual([{ host, uuid, ownership: { kind: 'none' } }]);
      await hands.undefine(host, uuid);
    },
  },
  {
    id: 'H-13',
    title: 'startDue and restartHandledAt survive',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      const record = recordOf(vm, { startDue: false, restartHandledAt: '2026-01-02T03:04:05Z' });
      const kept = { kind: 'ours', record };
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'setRecord', host, record }]);
      for (const kind of ['start', 'destroy'] as const) {
        await pool.take(vm, { kind, host }, never);
        expect((await look(fixture, pool, vm))?.ownership).toEqual(kept);
      }
      await pool.take(
        vm,
        { kind: 'redefine', host, shape: { ...plainShape, memoryMiB: 128 }, record },
        never,
      );
      const other = await fixture.open();
      expect((await look(fixture, other, vm))?.ownership).toEqual(kept);
      await other.close();
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-19',
    title: 'a taken domain name is refused, and both machines stay as they are',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      const uuid = await hands.defineForeign(host, domainName(vm.namespace, vm.name, vm.uid));
      const before = await hands.snapshot(host);
      await expect(pool.take(vm, define(fixture, vm), never)).rejects.toMatchObject({
        name: 'Fault',
        kind: 'denied',
      });
      expect(await hands.snapshot(host)).toBe(before);
      await hands.undefine(host, uuid);
    },
  },
  {
    id: 'H-20',
    title: 'release leaves the machine as it runs, without our tag',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      for (let time = 0; time < 2; time += 1) {
        expect((await pool.take(vm, { kind: 'release', host }, never)).kind).toBe('done');
        const seen = await look(fixture, pool, vm);
        expect([seen?.ownership, seen?.power]).toEqual([{ kind: 'none' }, { kind: 'running' }]);
      }
      await hands.destroy(host, vm.uuid);
      await hands.undefine(host, vm.uuid);
    },
  },
  {
    id: 'H-23',
    title: 'a survey has one row for each machine, foreign ones too',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await pool.take(vm, define(fixture, vm), never);
      const foreign = await hands.defineForeign(host, `foreign-${vm.uid.slice(0, 8)}`);
      const mine = (await pool.survey(never)).find((seen) => seen.host === host);
      const rows = mine?.kind === 'seen' ? mine.machines : [];
      const power = { kind: 'off', cause: 'NeverStarted' };
      const ownership = { kind: 'ours', record: recordOf(vm) };
      expect(rows.filter(({ uuid }) => uuid === vm.uuid)).toEqual([
        { uuid: vm.uuid, domainName: vm.domainName, power, ownership },
      ]);
      expect(rows.filter(({ uuid }) => uuid === foreign).map((row) => row.ownership)).toEqual([
        { kind: 'none' },
      ]);
      await hands.undefine(host, foreign);
      await clean(fixture, pool, vm);
    },
  },
];
