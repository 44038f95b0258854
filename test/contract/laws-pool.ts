import { expect } from 'vitest';
import type { Change, HypervisorPool, VmIdentity } from '../../src/drivers/hypervisor/contract.ts';
import {
  clean,
  define,
  identity,
  type Law,
  never,
  nicShape,
  plainShape,
  recordOf,
  takeAll,
} from './fixture.ts';
import { look } from './laws-power.ts';

/** Resolves with the first change that fits. */
const firstChange = async (
  changes: AsyncIterable<Change>,
  fits: (change: Change) => boolean,
): Promise<Change | undefined> => {
  for await (const change of changes) {
    if (fits(change)) return change;
  }
  return undefined;
};

/** Until the session has heard that the machine is gone; a survey makes it hear. */
const firstGone = async (pool: HypervisorPool, vm: VmIdentity): Promise<void> => {
  await pool.survey(never);
  expect((await pool.see(vm, undefined, never)).sightings).toEqual([]);
};

const surveyed = async (pool: HypervisorPool): Promise<Record<string, string>> =>
  Object.fromEntries((await pool.survey(never)).map(({ host, kind }) => [host, kind]));

export const poolLaws: readonly Law[] = [
  {
    id: 'H-05',
    title: 'everything thrown is a Fault with a kind',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      const absent = { name: 'Fault', kind: 'conflict' };
      await expect(pool.take(vm, { kind: 'start', host }, never)).rejects.toMatchObject(absent);
      await expect(
        pool.take(vm, { kind: 'setRecord', host, record: recordOf(vm) }, never),
      ).rejects.toMatchObject(absent);
      const nowhere = pool.take(vm, { kind: 'start', host: 'not-in-the-pool' }, never);
      await expect(nowhere).rejects.toMatchObject({ name: 'Fault', kind: 'invalid' });
      const aborted = pool.take(vm, define(fixture, vm), AbortSignal.abort());
      await expect(aborted).rejects.toMatchObject({ name: 'Fault' });
      expect(await look(fixture, pool, vm)).toBeUndefined();
    },
  },
  {
    id: 'H-06',
    title: 'busy is reported, not waited for',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await pool.take(vm, define(fixture, vm), never);
      await hands.makeBusy?.(host, vm.uuid);
      await expect(pool.take(vm, { kind: 'start', host }, never)).rejects.toMatchObject({ kind: 'busy' });
      expect((await pool.take(vm, { kind: 'start', host }, never)).kind).toBe('done');
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-10',
    title: 'after close nothing stays open',
    check: async (fixture) => {
      const pool = await fixture.open();
      const ended = firstChange(pool.changes(never), () => false);
      await pool.close();
      expect(await ended).toBeUndefined();
      const vm = identity(fixture);
      await expect(pool.see(vm, fixture.host, never)).rejects.toMatchObject({ name: 'Fault' });
      await expect(pool.take(vm, define(fixture, vm), never)).rejects.toMatchObject({ name: 'Fault' });
      await pool.close();
    },
  },
  {
    id: 'H-11',
    title: '"is not there" and "could not look" are two answers',
    check: async (fixture, pool) => {
      const { host, endpoints, dead } = fixture;
      const vm = identity(fixture);
      expect(await pool.see(vm, host, never)).toEqual({ sightings: [], unseen: [], namesakes: [] });
      pool.reconfigure([...endpoints, dead]);
      expect((await pool.see(vm, dead.host, never)).unseen).toEqual([dead.host]);
      expect((await pool.see(vm, undefined, never)).unseen).toEqual([dead.host]);
    },
  },
  {
    id: 'H-30',
    title: 'what a status names takes no other host out of question',
    check: async (fixture, pool) => {
      const { host, endpoints, dead, hands } = fixture;
      const vm = identity(fixture);
      const withDead = [...endpoints, dead];
      const unseenBy = async (session: HypervisorPool): Promise<readonly string[]> =>
        (await session.see(vm, host, never)).unseen;
      const later = await fixture.open();
      try {
        for (const session of [pool, later]) session.reconfigure(withDead);
        expect(await unseenBy(pool), 'never reached').toEqual([dead.host]);
        await pool.take(vm, define(fixture, vm), never);
        for (const session of [pool, later]) expect(await unseenBy(session), 'it is here').toEqual([]);
        await pool.take(vm, { kind: 'undefine', host }, never);
        expect(await unseenBy(pool), 'removed by ourselves').toEqual([]);
        await firstGone(later, vm);
        expect(await unseenBy(later), 'removed by others').toEqual([dead.host]);
        await pool.take(vm, define(fixture, vm), never);
        await hands.undefine(host, vm.uuid);
        await firstGone(pool, vm);
        expect(await unseenBy(pool), 'defined again, and removed by others').toEqual([dead.host]);
      } finally {
        await later.close();
      }
    },
  },
  {
    id: 'H-15',
    title: 'a host that does not answer delays no other',
    check: async (fixture, pool) => {
      const { host, endpoints, dead } = fixture;
      pool.reconfigure([...endpoints, dead]);
      const vm = identity(fixture);
      const patience = new AbortController();
      const waiting = pool.take(vm, { kind: 'start', host: dead.host }, patience.signal).catch(() => 'ended');
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      expect((await look(fixture, pool, vm))?.power).toEqual({ kind: 'running' });
      expect(await surveyed(pool)).toMatchObject({ [host]: 'seen', [dead.host]: 'unseen' });
      const hosts = await pool.hosts(never);
      expect(hosts.find((seen) => seen.host === dead.host)?.kind).toBe('unreachable');
      patience.abort();
      expect(await waiting).toBe('ended');
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-16',
    title: 'reconfigure keeps what stays',
    check: async (fixture, pool) => {
      const { host, hands, endpoints, dead } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      const told = firstChange(
        pool.changes(never),
        (change) => change.kind === 'vm' && change.uuid === vm.uuid,
      );
      pool.reconfigure([...endpoints, dead]);
      pool.reconfigure(endpoints);
      expect(Object.keys(await surveyed(pool))).not.toContain(dead.host);
      expect((await look(fixture, pool, vm))?.power).toEqual({ kind: 'running' });
      // A step of this pool is answered by its outcome, and need not be told: somebody else does it.
      await hands.destroy(host, vm.uuid);
      expect(await told).toMatchObject({ kind: 'vm', uuid: vm.uuid });
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-17',
    title: 'the first claim stays, and others are told whose it is',
    check: async (fixture, pool) => {
      const { host, clusterId } = fixture;
      expect(await pool.claim(host, clusterId, never)).toEqual({ claimedBy: clusterId });
      expect(await pool.claim(host, clusterId, never)).toEqual({ claimedBy: clusterId });
      expect(await pool.claim(host, 'another-installation', never)).toEqual({ claimedBy: clusterId });
    },
  },
  {
    id: 'H-18',
    title: 'what somebody else does is told',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      await takeAll(pool, vm, [define(fixture, vm), { kind: 'start', host }]);
      await pool.survey(never);
      const told = firstChange(
        pool.changes(never),
        (change) => change.kind === 'vm' && change.uuid === vm.uuid,
      );
      await hands.destroy(host, vm.uuid);
      expect(await told).toMatchObject({ kind: 'vm', uuid: vm.uuid });
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-24',
    title: 'what a guest says is validated and bounded',
    check: async (fixture, pool) => {
      const { host, hands } = fixture;
      const vm = identity(fixture);
      const shape = { ...plainShape, nics: [nicShape(fixture)] };
      await pool.take(vm, define(fixture, vm, shape), never);
      await pool.take(vm, { kind: 'start', host }, never);
      await hands.lie?.(vm.uuid, '<script>alert(1)</script>', '\u0000'.repeat(10_000), '169.254.1.1');
      const guest = (await pool.see(vm, host, never)).sightings[0]?.guest;
      expect(guest?.hostname).toBeUndefined();
      expect(guest?.os).toBeUndefined();
      expect((guest?.addresses ?? []).flatMap(({ ips }) => ips)).toEqual([]);
      await clean(fixture, pool, vm);
    },
  },
];
