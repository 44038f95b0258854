import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delayMs, policies } from './policy.ts';
import { createQueue, priorities, type Queue } from './queue.ts';
import { createTestClock, type TestClock } from './test-clock.ts';

const never = new AbortController().signal;
const namespaceOf = (key: string): string => key.split('/', 1)[0] ?? '';

const setUp = (): { clock: TestClock; queue: Queue<string> } => {
  const clock = createTestClock();
  return { clock, queue: createQueue({ clock, random: () => 0, fairnessOf: namespaceOf }) };
};

/** Takes and finishes whatever is ready now. */
const drain = async (queue: Queue<string>): Promise<string[]> => {
  const order: string[] = [];
  while (queue.depth() > 0) {
    const key = await queue.take(never);
    if (key !== undefined) {
      order.push(key);
      queue.done(key);
    }
  }
  return order;
};

describe('queue', () => {
  it('hands a key out once however often it was added', async () => {
    const { queue } = setUp();
    queue.add('a/x');
    queue.add('a/x');
    queue.add('a/y');
    expect(await drain(queue)).toEqual(['a/x', 'a/y']);
  });

  it('runs a key again that was added while it ran, and not before it is done', async () => {
    const { queue } = setUp();
    queue.add('a/x');
    expect(await queue.take(never)).toBe('a/x');
    queue.add('a/x');
    expect(queue.depth()).toBe(0);
    queue.done('a/x');
    expect(await drain(queue)).toEqual(['a/x']);
  });

  it('prefers the higher priority and keeps the highest of a key', async () => {
    const { queue } = setUp();
    queue.add('a/low', { priority: priorities.resync });
    queue.add('a/mid');
    queue.add('a/risen', { priority: priorities.resync });
    queue.add('a/risen', { priority: priorities.userChange });
    queue.add('a/risen', { priority: priorities.resync });
    expect(await drain(queue)).toEqual(['a/risen', 'a/mid', 'a/low']);
  });

  it('lets groups take turns inside a priority', async () => {
    const { queue } = setUp();
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'b/2']) {
      queue.add(key);
    }
    expect(await drain(queue)).toEqual(['a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'a/3']);
  });

  it('lets no stream of user changes keep a mapped event waiting for ever', async () => {
    const { queue } = setUp();
    queue.add('quiet/x');
    let takes = 0;
    for (let key: string | undefined; key !== 'quiet/x' && takes < 20; takes += 1) {
      queue.add(`noisy/${takes}`, { priority: priorities.userChange });
      queue.add(`noisy/more-${takes}`, { priority: priorities.userChange });
      key = await queue.take(never);
      queue.done(key ?? '');
    }
    expect(takes).toBeLessThanOrEqual(8);
  });

  it('delays, and keeps the earlier of two moments', async () => {
    const { queue, clock } = setUp();
    queue.add('a/x', { afterMs: 1_000 });
    queue.add('a/x', { afterMs: 5_000 });
    queue.add('a/y', { afterMs: 2_000 });
    await clock.advance(999);
    expect(queue.depth()).toBe(0);
    await clock.advance(1);
    expect(await drain(queue)).toEqual(['a/x']);
    queue.add('a/y');
    expect(await drain(queue)).toEqual(['a/y']);
    await clock.advance(10_000);
    expect(queue.depth()).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  it('doubles the delay of a key with each fault in a row until it is forgotten', () => {
    const { queue } = setUp();
    const delays = Array.from({ length: 8 }, () => queue.retry('a/x', policies.unreachable));
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(queue.failures('a/x')).toBe(8);
    queue.forget('a/x');
    expect(queue.retry('a/x', policies.bug)).toBe(5);
  });

  it('runs at once when a change meets a key in backoff', async () => {
    const { queue } = setUp();
    queue.retry('a/x', policies.invalid);
    expect(queue.depth()).toBe(0);
    queue.add('a/x', { priority: priorities.userChange });
    expect(await drain(queue)).toEqual(['a/x']);
  });

  it('serves takers in the order in which they came, past those who gave up', async () => {
    const { queue } = setUp();
    const gone = new AbortController();
    const first = queue.take(gone.signal);
    const second = queue.take(never);
    gone.abort(new Error('gave up'));
    await expect(first).rejects.toThrow('gave up');
    queue.add('a/x');
    expect(await second).toBe('a/x');
  });

  it('closes: drops what waits, wakes who waits, resolves when the running are done', async () => {
    const { queue, clock } = setUp();
    queue.add('a/x');
    queue.add('a/y', { afterMs: 10 });
    expect(await queue.take(never)).toBe('a/x');
    const waiting = queue.take(never);
    let ended = false;
    const watch = async (): Promise<void> => {
      await queue.close();
      ended = true;
    };
    const closed = watch();
    expect(await waiting).toBeUndefined();
    queue.add('a/z');
    await clock.advance(100);
    expect([queue.depth(), ended, clock.pending()]).toEqual([0, false, 0]);
    queue.done('a/x');
    await closed;
    expect(await queue.take(never)).toBeUndefined();
  });

  it('tells depth, age and running keys', async () => {
    const { queue, clock } = setUp();
    queue.add('a/x');
    await clock.advance(30);
    queue.add('a/y');
    await clock.advance(12);
    expect([queue.depth(), queue.oldestMs()]).toEqual([2, 42]);
    await queue.take(never);
    expect([...queue.running()]).toEqual([['a/x', 42]]);
    expect(queue.oldestMs()).toBe(12);
  });

  it('stays quick with a hundred thousand keys', async () => {
    const { queue } = setUp();
    for (let at = 0; at < 100_000; at += 1) {
      queue.add(`ns-${at % 10}/${at}`, { priority: priorities.resync });
    }
    expect(new Set(await drain(queue)).size).toBe(100_000);
  });
});

type Action =
  | { kind: 'add'; key: string; priority: number; afterMs: number }
  | { kind: 'take' }
  | { kind: 'finish'; pick: number; fails: boolean }
  | { kind: 'advance'; ms: number };

const keys = ['a/1', 'a/2', 'b/1', 'b/2', 'c/1'];
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    key: fc.constantFrom(...keys),
    priority: fc.constantFrom(10, 0, -100),
    afterMs: fc.constantFrom(0, 0, 5, 50, 500),
  }),
  fc.record({ kind: fc.constant('take' as const) }),
  fc.record({ kind: fc.constant('finish' as const), pick: fc.nat(9), fails: fc.boolean() }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 7, 100) }),
);

describe('queue, against a model', () => {
  it('never runs a key twice at once, runs none without a reason and loses none', async () => {
    const property = fc.asyncProperty(fc.array(action, { maxLength: 80 }), async (actions) => {
      const { queue, clock } = setUp();
      /** Per key the moment at which it is wanted next. */
      const wanted = new Map<string, number>();
      const running: string[] = [];
      const want = (key: string, atMs: number): void => {
        wanted.set(key, Math.min(atMs, wanted.get(key) ?? Number.POSITIVE_INFINITY));
      };
      const isReady = (key: string): boolean =>
        (wanted.get(key) ?? Number.POSITIVE_INFINITY) <= clock.monotonicMs() && !running.includes(key);
      const takeOne = async (): Promise<void> => {
        const key = await queue.take(never);
        expect(running).not.toContain(key);
        expect(key !== undefined && isReady(key)).toBe(true);
        wanted.delete(key ?? '');
        running.push(key ?? '');
      };
      for (const act of actions) {
        switch (act.kind) {
          case 'add':
            queue.add(act.key, act);
            want(act.key, clock.monotonicMs() + act.afterMs);
            break;
          case 'take':
            if (queue.depth() > 0) {
              await takeOne();
            }
            break;
          case 'finish': {
            const [key] = running.splice(act.pick % Math.max(1, running.length), 1);
            if (key !== undefined) {
              if (act.fails) {
                want(key, clock.monotonicMs() + queue.retry(key, policies.conflict));
              }
              queue.done(key);
            }
            break;
          }
          case 'advance':
            await clock.advance(act.ms);
            break;
          default:
            act satisfies never;
        }
        expect(queue.depth()).toBe(keys.filter(isReady).length);
      }
      running.splice(0).forEach((key) => queue.done(key));
      await clock.advance(10_000);
      while (queue.depth() > 0) {
        await takeOne();
        running.splice(0).forEach((key) => queue.done(key));
      }
      expect([...wanted.keys()]).toEqual([]);
      expect(clock.pending()).toBe(0);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('serves every group before one is served twice, when all have work', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
    const property = fc.asyncProperty(sizes, async (counts) => {
      const { queue } = setUp();
      counts.forEach((count, group) => {
        Array.from({ length: count }, (_, at) => queue.add(`g${group}/${at}`));
      });
      const order = await drain(queue);
      const rounds = order.map((key) => Number(key.split('/')[1]));
      expect(rounds).toEqual([...rounds].sort((a, b) => a - b));
    });
    await fc.assert(property);
  });
});

describe('backoff', () => {
  it('lies between half of the doubled base and the maximum', () => {
    const kinds = fc.constantFrom(...Object.values(policies));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const property = fc.property(kinds, fc.integer({ min: 1, max: 200 }), random, (policy, failures, r) => {
      const full = Math.min(policy.maxMs, policy.baseMs * 2 ** (failures - 1));
      const delay = delayMs(policy, failures, () => r);
      expect(delay).toBeGreaterThanOrEqual(full / 2);
      expect(delay).toBeLessThanOrEqual(full);
    });
    fc.assert(property);
  });

  it('never comes back before the remote asked', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const property = fc.property(fc.integer({ min: 1, max: 600_000 }), random, (atLeastMs, r) => {
      const delay = delayMs({ ...policies.unreachable, atLeastMs }, 1, () => r);
      expect(delay).toBeGreaterThanOrEqual(atLeastMs);
      expect(delay).toBeLessThanOrEqual(Math.max(1_000, atLeastMs * 1.1));
    });
    fc.assert(property);
  });
});
