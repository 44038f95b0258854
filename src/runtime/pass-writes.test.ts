import { describe, expect, it } from 'vitest';
import { Fault } from './fault.ts';
import { setUp, writes } from './sample-pass.ts';

describe('when a pass writes the status', () => {
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
});
