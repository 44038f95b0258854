import { expect } from 'vitest';
import type {
  PoolIdentity,
  ServerPlan,
  ServerSeen,
  ServerStep,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { isFault } from '../../../src/runtime/fault.ts';
import type { ServerFixture, ServerLaw } from './fixture.ts';

const never = new AbortController().signal;
/** A driver that plans more steps than this never comes to an end. */
const maxSteps = 60;
const maxLooks = 400;

interface Walk {
  readonly steps: readonly ServerStep[];
  readonly seen: ServerSeen;
  readonly plan: ServerPlan;
}

type PlanOf = (server: StorageServer, seen: ServerSeen) => ServerPlan;

const towardsWish: PlanOf = (server, seen) => server.plan(seen);
const removal =
  (erase: boolean): PlanOf =>
  (server, seen) =>
    server.planRemoval(seen, erase);

const sleep = (delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });

/** Steps one after another until the plan has none, as the controller does; `onStep` may do something in between. */
const walk = async (
  server: StorageServer,
  planOf: PlanOf,
  onStep: (step: ServerStep) => Promise<'taken' | 'take'> = async () => 'take',
): Promise<Walk> => {
  const steps: ServerStep[] = [];
  for (let looks = 0; looks < maxLooks; looks += 1) {
    const seen = await server.see(never);
    const plan = planOf(server, seen);
    if (plan.kind === 'settled') return { steps, seen, plan };
    if (plan.kind === 'wait') {
      await sleep(plan.pollMs);
      continue;
    }
    expect(steps.length, JSON.stringify(plan.step)).toBeLessThan(maxSteps);
    if ((await onStep(plan.step)) === 'take') await server.take(plan.step, never);
    steps.push(plan.step);
  }
  throw new Error('the server never settled');
};

const withServer = async <T>(
  fixture: ServerFixture,
  pool: PoolIdentity,
  work: (server: StorageServer) => Promise<T>,
): Promise<T> => {
  const server = fixture.open(pool);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
};

/** Makes the server side of a new pool. */
const make = async (fixture: ServerFixture): Promise<PoolIdentity> => {
  const pool = await fixture.newPool();
  await withServer(fixture, pool, (server) => walk(server, towardsWish));
  return pool;
};

const erase = (fixture: ServerFixture, pool: PoolIdentity): Promise<Walk> =>
  withServer(fixture, pool, (server) => walk(server, removal(true)));

const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

export const serverLaws: readonly ServerLaw[] = [
  {
    id: 'T-01',
    title: 'from nothing the plan leads to what is served, and then has nothing left to do',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      await withServer(fixture, pool, async (server) => {
        const { seen, plan } = await walk(server, towardsWish);
        expect(plan.health.state).toBe('Healthy');
        expect(seen.origin).toBe('Made');
        expect(seen.components.every(({ state }) => state === 'Up')).toBe(true);
        expect(seen.space?.capacityBytes).toBeGreaterThan(0);
        expect(server.mount !== undefined || server.disks !== undefined).toBe(true);
      });
      expect(await fixture.hands.isServed(pool)).toBe(true);
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-02',
    title: 'looking changes nothing',
    check: async (fixture) => {
      const pool = await make(fixture);
      const before = await fixture.hands.snapshot();
      await withServer(fixture, pool, async (server) => {
        for (let times = 0; times < 3; times += 1) {
          const seen = await server.see(never);
          server.plan(seen);
          server.planRemoval(seen, true);
        }
      });
      expect(await fixture.hands.snapshot()).toBe(before);
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-03',
    title: 'a step taken twice leaves what the same step taken once leaves',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      await withServer(fixture, pool, async (server) => {
        const twice = async (step: ServerStep): Promise<'taken'> => {
          await server.take(step, never);
          const once = await fixture.hands.snapshot();
          await server.take(step, never);
          expect(await fixture.hands.snapshot(), step.what).toBe(once);
          return 'taken';
        };
        expect((await walk(server, towardsWish, twice)).steps.length).toBeGreaterThan(0);
        expect((await walk(server, removal(true), twice)).steps.length).toBeGreaterThan(0);
      });
    },
  },
  {
    id: 'T-04',
    title: 'after an end between any two steps a new session comes to the same end',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      for (let looks = 0; ; looks += 1) {
        expect(looks).toBeLessThan(maxLooks);
        const plan = await withServer(fixture, pool, async (server) => {
          const next = server.plan(await server.see(never));
          if (next.kind === 'step') await server.take(next.step, never);
          return next;
        });
        if (plan.kind === 'settled') break;
        if (plan.kind === 'wait') await sleep(plan.pollMs);
      }
      expect(await fixture.hands.isServed(pool)).toBe(true);
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-05',
    title: 'everything thrown is a Fault; an abort is one too and leaves a state from which the plan goes on',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      await withServer(fixture, pool, async (server) => {
        const ended = AbortSignal.abort(new DOMException('given up', 'AbortError'));
        expect(isFault(await faultOf(server.see(ended)))).toBe(true);
        const plan = server.plan(await server.see(never));
        if (plan.kind === 'step') expect(isFault(await faultOf(server.take(plan.step, ended)))).toBe(true);
        expect((await walk(server, towardsWish)).plan.health.state).toBe('Healthy');
      });
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-06',
    title: 'an answer that was lost after the effect is found done',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      await withServer(fixture, pool, async (server) => {
        const lost = async (step: ServerStep): Promise<'taken'> => {
          await fixture.hands.loseReply?.();
          expect(isFault(await faultOf(server.take(step, never)), 'unreachable')).toBe(true);
          return 'taken';
        };
        await walk(server, towardsWish, lost);
        expect(await fixture.hands.isServed(pool)).toBe(true);
        await walk(server, removal(true), lost);
      });
      expect(await fixture.hands.isServed(pool)).toBe(false);
    },
  },
  {
    id: 'T-07',
    title: 'what somebody else made is adopted without a change to it, and never erased',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      await fixture.hands.makeForeign(pool);
      await withServer(fixture, pool, async (server) => {
        expect((await walk(server, towardsWish)).seen.origin).toBe('Adopted');
        await walk(server, removal(true));
      });
      expect(await fixture.hands.isServed(pool)).toBe(true);
    },
  },
  {
    id: 'T-08',
    title: 'a removal that may not erase leaves what is served as it is',
    check: async (fixture) => {
      const pool = await make(fixture);
      await withServer(fixture, pool, (server) => walk(server, removal(false)));
      expect(await fixture.hands.isServed(pool)).toBe(true);
    },
  },
  {
    id: 'T-09',
    title: 'a removal that may erase leaves nothing of it, and can be asked for again',
    check: async (fixture) => {
      const pool = await make(fixture);
      expect((await erase(fixture, pool)).steps.length).toBeGreaterThan(0);
      expect(await fixture.hands.isServed(pool)).toBe(false);
      expect((await erase(fixture, pool)).steps).toEqual([]);
    },
  },
  {
    id: 'T-10',
    title: 'a part that is down is named, does not make the pool unusable, and is healed after',
    check: async (fixture) => {
      const { hands } = fixture;
      const pool = await make(fixture);
      await withServer(fixture, pool, async (server) => {
        await hands.breakPart?.(pool);
        const degraded = async (): Promise<ServerSeen> => {
          for (let looks = 0; looks < maxLooks; looks += 1) {
            const seen = await server.see(never);
            if (seen.components.some(({ state }) => state === 'Down')) return seen;
            await sleep(100);
          }
          throw new Error('the part never showed as down');
        };
        const seen = await degraded();
        const plan = server.plan(seen);
        expect(plan.kind).not.toBe('settled');
        expect(plan.health.state).toBe('Degraded');
        const down = seen.components.filter(({ state }) => state === 'Down');
        expect(down.some(({ name }) => plan.health.message.includes(name))).toBe(true);
        expect(server.plan(seen).health).toEqual(plan.health);
        await hands.mendPart?.(pool);
        const well = await walk(server, towardsWish);
        expect(well.plan.health.state).toBe('Healthy');
        expect(well.seen.heal).toEqual({ pending: 0, splitBrain: 0 });
      });
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-11',
    title: 'pools on the same servers do not meet',
    check: async (fixture) => {
      const [one, other] = [await make(fixture), await fixture.newPool()];
      await withServer(fixture, other, (server) => walk(server, towardsWish));
      await erase(fixture, one);
      expect(await fixture.hands.isServed(other)).toBe(true);
      await erase(fixture, other);
    },
  },
  {
    id: 'T-12',
    title: 'servers that cannot be asked are `unreachable` and told, never taken for empty',
    check: async (fixture) => {
      const { hands } = fixture;
      const pool = await make(fixture);
      await hands.cutOff?.();
      await withServer(fixture, pool, async (server) => {
        const fault = await faultOf(server.see(never));
        expect(isFault(fault, 'unreachable'), String(fault)).toBe(true);
      });
      await hands.reconnect?.();
      expect(await hands.isServed(pool)).toBe(true);
      await erase(fixture, pool);
    },
  },
  {
    id: 'T-13',
    title: 'after `close` every call is refused with a Fault',
    check: async (fixture) => {
      const pool = await fixture.newPool();
      const server = fixture.open(pool);
      await server.close();
      expect(isFault(await faultOf(server.see(never)))).toBe(true);
      await server.close();
    },
  },
];
