import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { Fault } from './fault.ts';
import { createLease, type Leadership, type LeaseClient, type LeaseSpec, type StoredLease } from './lease.ts';
import { silentLog } from './log.ts';
import { createTestClock } from './test-clock.ts';

const never = new AbortController().signal;
const conflict = (): Fault => new Fault('conflict', 'Somebody wrote first.');

/** One Lease object with the server's rules; an outage fails every call of every client. */
const createServer = () => {
  const server = { lease: undefined as StoredLease | undefined, down: false, writes: 0 };
  const store = (spec: LeaseSpec): StoredLease => {
    server.writes += 1;
    server.lease = { resourceVersion: String(server.writes), spec };
    return server.lease;
  };
  const reach = (): void => {
    if (server.down) {
      throw new Fault('unreachable', 'The API server does not answer.');
    }
  };
  const client: LeaseClient = {
    get: async () => {
      reach();
      return server.lease;
    },
    create: async (spec) => {
      reach();
      if (server.lease !== undefined) {
        throw conflict();
      }
      return store(spec);
    },
    update: async (spec, resourceVersion) => {
      reach();
      if (server.lease?.resourceVersion !== resourceVersion) {
        throw conflict();
      }
      return store(spec);
    },
  };
  return { server, client };
};

const candidate = (client: LeaseClient, clock: Clock, identity: string, random = () => 0.5) =>
  createLease({ client, clock, identity, random, log: silentLog });

/** The same moments on another wall. */
const skewed = (clock: Clock, byMs: number): Clock => ({ ...clock, nowMs: () => clock.nowMs() + byMs });

/** A process that can be stopped: its timers fire only after it was woken. */
const pausable = (clock: Clock) => {
  let paused = false;
  const held: (() => void)[] = [];
  const after: Clock['after'] = (delayMs, run) =>
    clock.after(delayMs, () => {
      if (paused) {
        held.push(run);
      } else {
        run();
      }
    });
  const sleep: Clock['sleep'] = (delayMs) =>
    new Promise((resolve) => {
      after(delayMs, resolve);
    });
  const wake = (): void => {
    paused = false;
    held.splice(0).forEach((run) => run());
  };
  return {
    clock: { ...clock, after, sleep },
    pause: () => {
      paused = true;
    },
    wake,
  };
};

const hold = (promise: Promise<Leadership>): { leadership: Leadership | undefined } => {
  const held: { leadership: Leadership | undefined } = { leadership: undefined };
  const wait = async (): Promise<void> => {
    held.leadership = await promise;
  };
  void wait();
  return held;
};

describe('lease', () => {
  it('is created by the first, and renewed every five to six seconds', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const leadership = await candidate(client, clock, 'a').acquire(never);
    expect(server.lease?.spec).toMatchObject({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: '2026-01-01T00:00:00.000000Z',
    });
    await clock.advance(60_000);
    expect(server.writes).toBeGreaterThanOrEqual(11);
    expect(server.writes).toBeLessThanOrEqual(13);
    expect([server.lease?.spec.acquireTime, leadership.signal.aborted]).toEqual([
      '2026-01-01T00:00:00.000000Z',
      false,
    ]);
  });

  it.each([-3_600_000, 0, 3_600_000])(
    'is not taken from a living leader by a wall %i ms off',
    async (skewMs) => {
      const clock = createTestClock();
      const { client, server } = createServer();
      await candidate(client, clock, 'a').acquire(never);
      const second = hold(candidate(client, skewed(clock, skewMs), 'b').acquire(never));
      await clock.advance(300_000);
      expect([server.lease?.spec.holderIdentity, second.leadership]).toEqual(['a', undefined]);
    },
  );

  it('goes to the next at once after a clean stop', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const first = await candidate(client, clock, 'a').acquire(never);
    const second = hold(candidate(client, clock, 'b').acquire(never));
    await clock.advance(1_000);
    await first.release();
    expect(server.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    await clock.advance(6_000);
    expect(second.leadership?.signal.aborted).toBe(false);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('goes to the next when its holder died, not before it expired by the own clock', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const dead = pausable(clock);
    await candidate(client, dead.clock, 'a').acquire(never);
    dead.pause();
    const second = hold(candidate(client, skewed(clock, 86_400_000), 'b').acquire(never));
    await clock.advance(14_900);
    expect(second.leadership).toBeUndefined();
    await clock.advance(6_100);
    expect(second.leadership?.signal.aborted).toBe(false);
    expect(server.lease?.spec.leaseTransitions).toBe(1);
  });

  it('is known lost by a paused leader as soon as it wakes', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const sleeper = pausable(clock);
    const lease = candidate(client, sleeper.clock, 'a');
    const first = await lease.acquire(never);
    const second = hold(candidate(client, clock, 'b').acquire(never));
    sleeper.pause();
    await clock.advance(60_000);
    expect([lease.isLeader(), second.leadership?.signal.aborted]).toEqual([false, false]);
    sleeper.wake();
    await clock.advance(0);
    expect(first.signal.reason).toMatchObject({ kind: 'conflict', reason: 'LeaseLost' });
    await first.release();
    expect(server.lease?.spec.holderIdentity).toBe('b');
  });

  it('survives an outage shorter than the renew deadline, and ends with a longer one', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const lease = candidate(client, clock, 'a');
    const first = await lease.acquire(never);
    server.down = true;
    await clock.advance(9_000);
    server.down = false;
    await clock.advance(5_000);
    expect([first.signal.aborted, lease.isLeader()]).toEqual([false, true]);
    server.down = true;
    await clock.advance(20_000);
    expect(first.signal.reason).toMatchObject({ reason: 'LeaseLost' });
    expect(lease.isLeader()).toBe(false);
  });

  it('stands an edit of the object by somebody who does not want to lead', async () => {
    const clock = createTestClock();
    const { client, server } = createServer();
    const first = await candidate(client, clock, 'a').acquire(never);
    server.lease = server.lease && { ...server.lease, resourceVersion: 'edited' };
    await clock.advance(30_000);
    expect([first.signal.aborted, server.lease?.spec.holderIdentity]).toEqual([false, 'a']);
  });

  it('stops waiting when told', async () => {
    const clock = createTestClock();
    const { client } = createServer();
    await candidate(client, clock, 'a').acquire(never);
    const stop = new AbortController();
    const waiting = candidate(client, clock, 'b').acquire(stop.signal);
    const ended = expect(waiting).rejects.toThrow('enough');
    await clock.advance(3_000);
    stop.abort(new Error('enough'));
    await ended;
  });

  it('refuses times that contradict each other', () => {
    const { client } = createServer();
    const clock = createTestClock();
    const options = { client, clock, identity: 'a', random: Math.random, log: silentLog };
    expect(() => createLease({ ...options, renewDeadlineMs: 15_000 })).toThrow(Fault);
    expect(() => createLease({ ...options, retryMs: 9_000 })).toThrow(Fault);
  });

  it('has never two leaders, by their own clocks, under outages and pauses', async () => {
    const move = fc.record({
      what: fc.constantFrom('outage', 'pause a', 'pause b', 'calm'),
      ms: fc.integer({ min: 100, max: 40_000 }),
    });
    const property = fc.asyncProperty(
      fc.array(move, { maxLength: 6 }),
      fc.double({ max: 1, min: 0, noNaN: true }),
      async (moves, r) => {
        const clock = createTestClock();
        const { client, server } = createServer();
        const a = pausable(clock);
        const b = pausable(skewed(clock, 1_234_567));
        const leases = [candidate(client, a.clock, 'a', () => r * 0.99), candidate(client, b.clock, 'b')];
        leases.forEach((lease) => hold(lease.acquire(never)));
        for (const { what, ms } of moves) {
          server.down = what === 'outage';
          if (what === 'pause a') {
            a.pause();
          } else if (what === 'pause b') {
            b.pause();
          }
          for (let step = 0; step < 20; step += 1) {
            await clock.advance(ms / 20);
            expect(leases.filter((lease) => lease.isLeader()).length).toBeLessThanOrEqual(1);
          }
          a.wake();
          b.wake();
        }
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });
});
