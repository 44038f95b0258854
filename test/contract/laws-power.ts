import { expect } from 'vitest';
import type { HypervisorPool, Sighting, VmIdentity, VmStep } from '../../src/drivers/hypervisor/contract.ts';
import {
  clean,
  type DriverFixture,
  define,
  identity,
  type Law,
  never,
  plainShape,
  recordOf,
  takeAll,
} from './fixture.ts';

/** What a look finds, without what moves by itself. */
export const look = async (
  fixture: DriverFixture,
  pool: HypervisorPool,
  vm: VmIdentity,
): Promise<Sighting | undefined> => {
  const seen = await pool.see(vm, fixture.host, never);
  expect(seen.unseen).toEqual([]);
  const [sighting] = seen.sightings;
  return sighting === undefined ? undefined : { ...sighting, guest: undefined, vncPort: undefined };
};

const life = ({ host }: DriverFixture, vm: VmIdentity): readonly VmStep[] => [
  { kind: 'define', host, shape: plainShape, record: recordOf(vm) },
  { kind: 'setRecord', host, record: recordOf(vm, { startDue: false }) },
  { kind: 'start', host },
  {
    kind: 'redefine',
    host,
    shape: { ...plainShape, memoryMiB: 128 },
    record: recordOf(vm, { startDue: false }),
  },
  { kind: 'destroy', host },
  { kind: 'undefine', host },
];

export const powerLaws: readonly Law[] = [
  {
    id: 'H-01',
    title: 'every step twice equals once',
    check: async (fixture, pool) => {
      const vm = identity(fixture);
      for (const step of life(fixture, vm)) {
        await pool.take(vm, step, never);
        const once = await look(fixture, pool, vm);
        const again = await pool.take(vm, step, never);
        expect(again.kind, step.kind).toBe('done');
        expect(await look(fixture, pool, vm), step.kind).toEqual(once);
      }
    },
  },
  {
    id: 'H-03',
    title: 'destroying, undefining and releasing what is absent is done',
    check: async ({ host, ...rest }, pool) => {
      const vm = identity({ host, ...rest });
      for (const kind of ['destroy', 'undefine', 'release'] as const) {
        expect(await pool.take(vm, { kind, host }, never)).toEqual({ kind: 'done', sighting: undefined });
      }
    },
  },
  {
    id: 'H-04',
    title: 'a stop between any two steps converges in a new session',
    check: async (fixture, pool) => {
      const steps = life(fixture, identity(fixture)).slice(0, 4);
      const end = async (prefix: number): Promise<Partial<Sighting>> => {
        const vm = identity(fixture);
        const mine = life(fixture, vm).slice(0, 4);
        await takeAll(pool, vm, mine.slice(0, prefix));
        const other = await fixture.open();
        // What a planner takes again depends on what it sees; defining, starting and redefining are always right.
        await takeAll(other, vm, mine);
        const { power, next, ownership } = (await look(fixture, other, vm)) ?? {};
        await clean(fixture, other, vm);
        await other.close();
        return { power, next, ...(ownership?.kind === 'ours' ? {} : { ownership }) } as Partial<Sighting>;
      };
      const whole = await end(0);
      expect(whole.power).toEqual({ kind: 'running' });
      for (let prefix = 1; prefix <= steps.length; prefix += 1) {
        expect(await end(prefix), `after ${prefix} steps`).toEqual(whole);
      }
    },
  },
  {
    id: 'H-14',
    title: 'the cause of being off is told',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await pool.take(vm, define(fixture, vm), never);
      expect((await look(fixture, pool, vm))?.power).toEqual({ kind: 'off', cause: 'NeverStarted' });
      const started = [
        { kind: 'setRecord', host, record: recordOf(vm, { startDue: false }) },
        { kind: 'start', host },
      ] as const;
      await takeAll(pool, vm, started);
      await hands.destroy(host, vm.uuid);
      await expect
        .poll(async () => (await look(fixture, pool, vm))?.power)
        .toEqual({ kind: 'off', cause: 'Destroyed' });
      if (hands.guestShutdown !== undefined) {
        await takeAll(pool, vm, started);
        await hands.guestShutdown(host, vm.uuid);
        await expect
          .poll(async () => (await look(fixture, pool, vm))?.power)
          .toEqual({ kind: 'off', cause: 'GuestShutdown' });
      }
      if (hands.crash !== undefined) {
        await takeAll(pool, vm, started);
        await hands.crash(host, vm.uuid);
        await expect
          .poll(async () => (await look(fixture, pool, vm))?.power)
          .toEqual({ kind: 'off', cause: 'Crashed' });
      }
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-21',
    title: 'a running machine undefined by hand has no next, and redefine brings it back',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      await hands.undefine(host, vm.uuid);
      await expect.poll(async () => (await look(fixture, pool, vm))?.next).toBeUndefined();
      expect((await look(fixture, pool, vm))?.power).toEqual({ kind: 'running' });
      await pool.take(vm, { kind: 'redefine', host, shape: plainShape, record: recordOf(vm) }, never);
      const back = await look(fixture, pool, vm);
      expect(back?.power).toEqual({ kind: 'running' });
      expect(back?.next).toMatchObject({ memoryMiB: plainShape.memoryMiB });
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-25',
    title: 'autostart is seen in next and changes nothing else',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      await pool.take(vm, define(fixture, vm), never);
      const before = await look(fixture, pool, vm);
      for (const autostart of [true, false]) {
        await pool.take(vm, { kind: 'setAutostart', host, autostart }, never);
        const after = await look(fixture, pool, vm);
        expect(after?.next).toEqual({ ...before?.next, autostart });
      }
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-26',
    title: 'redefine changes the next power cycle and no live hardware',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      const shape = { ...plainShape, memoryMiB: 128 };
      await pool.take(vm, { kind: 'redefine', host, shape, record: recordOf(vm) }, never);
      const live = await look(fixture, pool, vm);
      expect([live?.running?.memoryMiB, live?.next?.memoryMiB]).toEqual([64, 128]);
      await takeAll(pool, vm, [
        { kind: 'destroy', host },
        { kind: 'start', host },
      ]);
      expect((await look(fixture, pool, vm))?.running?.memoryMiB).toBe(128);
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-27',
    title: 'done carries the machine as a look shows it',
    check: async (fixture, pool) => {
      const vm = identity(fixture);
      for (const step of life(fixture, vm)) {
        const outcome = await pool.take(vm, step, never);
        expect(outcome.kind).toBe('done');
        if (outcome.kind === 'done') {
          const { sighting } = outcome;
          const told =
            sighting === undefined ? undefined : { ...sighting, guest: undefined, vncPort: undefined };
          expect(told, step.kind).toEqual(await look(fixture, pool, vm));
        }
      }
    },
  },
  {
    id: 'H-29',
    title: 'a step whose reply was lost is found done when taken again',
    check: async (fixture, pool) => {
      const vm = identity(fixture);
      for (const step of life(fixture, vm)) {
        await fixture.hands.loseReply?.(fixture.host);
        await expect(pool.take(vm, step, never)).rejects.toMatchObject({ kind: 'unreachable' });
        const there = await look(fixture, pool, vm);
        expect((await pool.take(vm, step, never)).kind).toBe('done');
        expect(await look(fixture, pool, vm), step.kind).toEqual(there);
      }
    },
  },
];
