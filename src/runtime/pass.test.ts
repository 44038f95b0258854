import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome } from './controller.ts';
import { Fault, type FaultKind } from './fault.ts';
import { silentLog } from './log.ts';
import { createPass, type Effect, type PassOptions, type PassParts, type Plan, type Taken } from './pass.ts';
import { policies } from './policy.ts';
import { createTestClock } from './test-clock.ts';

/** A lamp that is to be as bright as its spec says; each step adds one. */
interface World {
  readonly wanted: number;
  readonly claimed: boolean;
  readonly status: Status | undefined;
}
interface Seen {
  readonly bright: number;
}
type Step = { readonly kind: 'claim' } | { readonly kind: 'raise' };
interface Status {
  readonly bright?: number;
  readonly doing?: string;
  readonly error?: string;
}
type Lamp = PassParts<string, World, Seen, Step, Status>;

const never = new AbortController().signal;

const plan = (world: World, seen: Seen): Plan<Step> => {
  if (seen.bright >= world.wanted) {
    return { kind: 'settled' };
  }
  return { kind: 'step', step: world.claimed ? { kind: 'raise' } : { kind: 'claim' } };
};

const setUp = (change: Partial<Lamp> = {}, options: Partial<PassOptions> = {}) => {
  const clock = createTestClock();
  const room = { world: { wanted: 3, claimed: false, status: undefined } as World | undefined, bright: 0 };
  const calls: string[] = [];
  const take = async (_world: World, _seen: Seen, step: Step): Promise<Taken<Seen>> => {
    if (step.kind === 'claim') {
      room.world = room.world && { ...room.world, claimed: true };
      return { kind: 'wrote' };
    }
    room.bright += 1;
    return { kind: 'done', seen: { bright: room.bright } };
  };
  const parts: Lamp = {
    gather: () => room.world,
    see: async () => ({ bright: room.bright }),
    plan,
    take,
    statusOf: (_world, seen, planned, fault) => ({
      ...(seen === undefined ? {} : { bright: seen.bright }),
      ...(planned?.kind === 'step' ? { doing: planned.step.kind } : {}),
      ...(fault === undefined ? {} : { error: fault.message }),
    }),
    current: (world) => world.status,
    write: async (_world, status) => {
      room.world = room.world && { ...room.world, status };
      return undefined;
    },
    observe: ({ wrote }) => {
      calls.push(wrote ? 'observed write' : 'observed');
    },
    ...change,
  };
  const effect: Effect = (name, run) => {
    calls.push(name);
    return run();
  };
  const pass = createPass(parts, { clock, effect, ...options });
  const run = (signal: AbortSignal = never): Promise<Outcome> => pass('a/lamp', silentLog, signal);
  return { clock, room, calls, run, parts };
};

const writes = (calls: readonly string[]): number => calls.filter((call) => call === 'write status').length;

describe('a chore', () => {
  /** Bright enough at three; the fourth is left for when all is told. */
  const leisurely = (_world: World, seen: Seen): Plan<Step> => {
    if (seen.bright < 3) return { kind: 'step', step: { kind: 'raise' } };
    return seen.bright === 3 ? { kind: 'settled', chore: { kind: 'raise' } } : { kind: 'settled' };
  };
  const raises = ['take raise', 'take raise', 'take raise'];

  it('is taken once the status is written, and ends the pass when nothing is left', async () => {
    const { run, calls, room } = setUp({ plan: leisurely });
    expect(await run()).toEqual({ kind: 'settled' });
    expect(calls).toEqual(['see', ...raises, 'write status', 'observed write', 'take raise']);
    expect(room.world?.status).toEqual({ bright: 3 });
  });

  it('leads to another pass when something is left', async () => {
    const { run, room } = setUp({
      plan: leisurely,
      take: async (_world, seen) => ({ kind: 'done', seen }),
    });
    room.bright = 3;
    expect(await run()).toEqual({ kind: 'again', afterMs: 0 });
  });

  it('that fails is tried again and shown nowhere', async () => {
    const fault = new Fault('unreachable', 'no answer');
    const { run, room } = setUp({
      plan: leisurely,
      take: async () => {
        throw fault;
      },
    });
    room.bright = 3;
    await expect(run()).rejects.toBe(fault);
    expect(room.world?.status).toEqual({ bright: 3 });
  });
});

describe('pass', () => {
  it('sees once, takes steps until settled, writes once and tells afterwards', async () => {
    const { run, calls, room } = setUp();
    expect(await run()).toEqual({ kind: 'settled' });
    expect(calls).toEqual([
      'see',
      'take claim',
      'take raise',
      'take raise',
      'take raise',
      'write status',
      'observed write',
    ]);
    expect(room.world?.status).toEqual({ bright: 3 });
  });

  it('writes nothing on an unchanged world', async () => {
    const { run, calls } = setUp();
    await run();
    calls.length = 0;
    expect(await run()).toEqual({ kind: 'settled' });
    expect(calls).toEqual(['see', 'observed']);
  });

  it('does nothing for an object that is gone', async () => {
    const { run, calls, room } = setUp();
    room.world = undefined;
    expect(await run()).toEqual({ kind: 'settled' });
    expect(calls).toEqual([]);
  });

  it('writes no status to an object that it let go', async () => {
    const { run, calls } = setUp({ take: async () => ({ kind: 'gone' }) });
    expect(await run()).toEqual({ kind: 'settled' });
    expect(calls).toEqual(['see', 'take claim', 'observed']);
  });

  it('bounds the steps of a pass and asks for the next at once', async () => {
    const { run, room } = setUp({}, { maxSteps: 2, coalesceMs: 0 });
    expect(await run()).toEqual({ kind: 'again', afterMs: 0 });
    expect(room.bright).toBe(1);
    await run();
    expect(await run()).toEqual({ kind: 'settled' });
    expect(room.bright).toBe(3);
  });

  it.each([
    [{ kind: 'wait' }, 60_000],
    [{ kind: 'wait', afterMs: 200 }, 200],
  ] as const)('polls while it waits: %j', async (planned, afterMs) => {
    const { run } = setUp({ plan: () => planned }, { coalesceMs: 0 });
    expect(await run()).toEqual({ kind: 'again', afterMs });
  });

  it('leaves long work alone and says so', async () => {
    const { run, room } = setUp(
      { take: async () => ({ kind: 'started', afterMs: 5_000 }) },
      { coalesceMs: 0 },
    );
    expect(await run()).toEqual({ kind: 'again', afterMs: 5_000 });
    expect(room.world?.status).toEqual({ bright: 0, doing: 'claim' });
  });

  const kinds = Object.keys(policies) as FaultKind[];
  it.each(kinds)('shows or hides a fault %s of see and of take, and throws it', async (kind) => {
    const fault = new Fault(kind, 'No.');
    const shown = policies[kind].shown;
    const boom = async (): Promise<never> => {
      throw fault;
    };
    const failing = setUp({ see: boom });
    await expect(failing.run()).rejects.toBe(fault);
    expect(failing.room.world?.status).toEqual(shown ? { error: 'No.' } : undefined);
    const stuck = setUp({ take: boom }, { coalesceMs: 0 });
    await expect(stuck.run()).rejects.toBe(fault);
    const hidden = kind === 'conflict' ? undefined : { bright: 0, doing: 'claim' };
    expect(stuck.room.world?.status).toEqual(shown ? { bright: 0, doing: 'claim', error: 'No.' } : hidden);
  });

  it('turns what is no fault into a bug', async () => {
    const { run, room } = setUp({
      plan: () => {
        throw new TypeError('no such lamp');
      },
    });
    await expect(run()).rejects.toMatchObject({ kind: 'bug' });
    expect(room.world?.status).toEqual({ bright: 0, error: 'no such lamp' });
  });

  it('writes nothing after an abort', async () => {
    const stop = new AbortController();
    const lost = new Fault('conflict', 'Lost.', { reason: 'LeaseLost' });
    const { run, calls } = setUp({
      take: async () => {
        stop.abort(lost);
        return { kind: 'done', seen: { bright: 9 } };
      },
    });
    await expect(run(stop.signal)).rejects.toBe(lost);
    expect(writes(calls)).toBe(0);
  });

  it('still tells that a host did not answer in time', async () => {
    const see: Lamp['see'] = (_world, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new DOMException('gone', 'AbortError')));
      });
    const { run, room, clock } = setUp({ see }, { workMs: 45_000 });
    const ended = expect(run()).rejects.toMatchObject({ kind: 'unreachable', reason: 'DeadlineExceeded' });
    await clock.advance(45_000);
    await ended;
    expect(room.world?.status).toEqual({ error: 'No answer within 45 s.' });
  });

  it('hands a fault of the write on, and tells nothing then', async () => {
    const conflict = new Fault('conflict', 'Somebody wrote first.');
    const { run, calls } = setUp({
      write: async () => {
        throw conflict;
      },
    });
    await expect(run()).rejects.toBe(conflict);
    expect(calls.at(-1)).toBe('write status');
  });

  it('survives an observer that throws', async () => {
    const { run } = setUp({
      observe: () => {
        throw new Error('metrics are broken');
      },
    });
    expect(await run()).toEqual({ kind: 'settled' });
  });

  it('spares a status that lasts less than two seconds', async () => {
    let bright = 0;
    const { run, calls, clock, room } = setUp({
      see: async () => ({ bright }),
      plan: (world, seen) => (seen.bright < world.wanted ? { kind: 'wait' } : { kind: 'settled' }),
    });
    expect(await run()).toEqual({ kind: 'again', afterMs: 2_000 });
    await clock.advance(400);
    bright = 1;
    expect(await run()).toEqual({ kind: 'again', afterMs: 1_600 });
    bright = 3;
    expect(await run()).toEqual({ kind: 'settled' });
    expect([writes(calls), room.world?.status]).toEqual([1, { bright: 3 }]);
  });

  it('writes a status that lasts, and the next one no sooner than two seconds later', async () => {
    let bright = 1;
    const { run, calls, clock } = setUp({ see: async () => ({ bright }), plan: () => ({ kind: 'wait' }) });
    await run();
    await clock.advance(2_000);
    expect(await run()).toEqual({ kind: 'again', afterMs: 60_000 });
    expect(writes(calls)).toBe(1);
    bright = 2;
    await clock.advance(100);
    expect(await run()).toEqual({ kind: 'again', afterMs: 2_000 });
    await clock.advance(2_000);
    await run();
    expect(writes(calls)).toBe(2);
  });

  it('does not tell of a lack that is made up for in a moment, be it a plan or a fault', async () => {
    for (const lacking of ['plan', 'fault'] as const) {
      let missing = true;
      const { run, calls, clock, room } = setUp({
        see: async () => {
          if (missing && lacking === 'fault') throw new Fault('invalid', 'missing');
          return { bright: missing ? -1 : 3 };
        },
        plan: (_world, { bright }) => (bright < 0 ? { kind: 'wait', afterMs: 60_000 } : { kind: 'settled' }),
        isEarly: (_before, after) => after.bright === -1 || after.error !== undefined,
      });
      expect(await run()).toEqual({ kind: 'again', afterMs: 5_000 });
      await clock.advance(2_000);
      expect(await run()).toEqual({ kind: 'again', afterMs: 3_000 });
      expect(writes(calls)).toBe(0);
      missing = false;
      expect(await run()).toEqual({ kind: 'settled' });
      expect(room.world?.status).toEqual({ bright: 3 });
      expect(writes(calls)).toBe(1);
    }
  });

  it('tells of a lack that lasts', async () => {
    const { run, calls, clock, room } = setUp({
      see: async () => {
        throw new Fault('invalid', 'missing');
      },
      isEarly: (_before, after) => after.error !== undefined,
    });
    expect(await run()).toEqual({ kind: 'again', afterMs: 5_000 });
    await clock.advance(5_000);
    await expect(run()).rejects.toMatchObject({ message: 'missing' });
    expect(room.world?.status).toEqual({ error: 'missing' });
    expect(writes(calls)).toBe(1);
  });

  it('writes once and no more what somebody else owns a part of, and again when either changes', async () => {
    const others = { kept: true };
    const { run, calls, room } = setUp({
      plan: () => ({ kind: 'settled' }),
      write: async (_world, status) => {
        const told = { ...status, ...others };
        room.world = room.world && { ...room.world, status: told };
        return told;
      },
    });
    for (let passes = 0; passes < 3; passes += 1) await run();
    expect(writes(calls)).toBe(1);
    room.bright = 2;
    await run();
    await run();
    expect(writes(calls)).toBe(2);
    room.world = { wanted: 3, claimed: false, status: undefined };
    await run();
    await run();
    expect(writes(calls)).toBe(3);
    expect(room.world.status).toEqual({ bright: 2, kept: true });
  });

  it('writes nothing on the heels of a status that a step wrote', async () => {
    const { run, calls, clock, room } = setUp({
      plan: ({ claimed }) => (claimed ? { kind: 'wait' } : { kind: 'step', step: { kind: 'claim' } }),
      take: async () => {
        room.world = room.world && { ...room.world, claimed: true, status: { doing: 'claim' } };
        return { kind: 'wrote' };
      },
    });
    const { world } = room;
    room.world = world && { ...world, claimed: true };
    await run();
    await clock.advance(1_900);
    // What was to be told for two seconds already is not what is to be told now.
    room.world = world;
    expect(await run()).toEqual({ kind: 'again', afterMs: 2_000 });
    await clock.advance(1_000);
    expect(await run()).toEqual({ kind: 'again', afterMs: 1_000 });
    expect(writes(calls)).toBe(0);
  });

  it('converges to the same end wherever an effect dies, and then writes no more', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.record({ at: fc.nat(7), when: fc.constantFrom('before', 'after') }), { maxLength: 4 }),
      async (deaths) => {
        let count = 0;
        let death = deaths.shift();
        const dying: Effect = async (_name, run) => {
          const mine = death !== undefined && count === death.at;
          count += 1;
          if (mine && death?.when === 'before') {
            throw new Fault('unreachable', 'died');
          }
          const answer = await run();
          if (mine) {
            throw new Fault('unreachable', 'died');
          }
          return answer;
        };
        const { room, parts, clock } = setUp();
        for (let tries = 0; tries < 12; tries += 1) {
          count = 0;
          const pass = createPass(parts, { clock, effect: dying });
          await pass('a/lamp', silentLog, never).catch(() => undefined);
          death = deaths.shift();
        }
        expect(room).toEqual({ bright: 3, world: { wanted: 3, claimed: true, status: { bright: 3 } } });
      },
    );
    await fc.assert(property);
  });
});
