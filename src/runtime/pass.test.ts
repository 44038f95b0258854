import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault, type FaultKind } from './fault.ts';
import { silentLog } from './log.ts';
import { createPass, type Effect, type Plan } from './pass.ts';
import { policies } from './policy.ts';
import { type Lamp, never, type Seen, type Step, setUp, type World, writes } from './sample-pass.ts';

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

  it('goes on with the sighting that came with a write of the object, else with the one before', async () => {
    const seenBy: number[] = [];
    const { run } = setUp({
      plan: (_world, { bright }) => {
        seenBy.push(bright);
        return seenBy.length < 3 ? { kind: 'step', step: { kind: 'raise' } } : { kind: 'settled' };
      },
      take: async (_world, seen) =>
        seenBy.length === 1 ? { kind: 'wrote', seen: { ...seen, bright: 7 } } : { kind: 'wrote' },
    });
    await run();
    expect(seenBy).toEqual([0, 7, 7]);
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
