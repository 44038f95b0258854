import { describe, expect, it } from 'vitest';
import { Fault } from './fault.ts';
import { createPerHostLimit } from './per-host-limit.ts';
import { createTestClock } from './test-clock.ts';

const never = new AbortController().signal;

const setUp = () => {
  const clock = createTestClock();
  const limit = createPerHostLimit({ clock, random: () => 0, limit: 2, maxWaiting: 1 });
  const open: PromiseWithResolvers<string>[] = [];
  const call = (): Promise<string> => {
    const gate = Promise.withResolvers<string>();
    open.push(gate);
    return gate.promise;
  };
  return { clock, limit, open, call };
};

const down = new Fault('unreachable', 'node1 does not answer.', { where: 'node1' });
const failing = async (): Promise<never> => {
  throw down;
};

describe('per-host limit', () => {
  it('runs so many calls of a host, lets one wait, refuses more, and leaves other hosts alone', async () => {
    const { limit, open, call, clock } = setUp();
    const calls = [1, 2, 3].map(() => limit.run('node1', call, never));
    await clock.advance(0);
    expect(open).toHaveLength(2);
    await expect(limit.run('node1', call, never)).rejects.toMatchObject({ kind: 'busy', reason: 'HostBusy' });
    const other = limit.run('node2', async () => 'at once', never);
    expect(await other).toBe('at once');
    open[0]?.resolve('first');
    expect(await calls[0]).toBe('first');
    await clock.advance(0);
    expect(open).toHaveLength(3);
    open.forEach((gate) => gate.resolve('rest'));
    expect(await Promise.all(calls)).toEqual(['first', 'rest', 'rest']);
  });

  it('gives the place of one who stopped waiting to nobody', async () => {
    const { limit, open, call, clock } = setUp();
    const calls = [1, 2].map(() => limit.run('node1', call, never));
    const stop = new AbortController();
    const third = limit.run('node1', call, stop.signal);
    stop.abort(new Error('gave up'));
    await expect(third).rejects.toThrow('gave up');
    open.forEach((gate) => gate.resolve('ok'));
    await Promise.all(calls);
    await clock.advance(0);
    expect(open).toHaveLength(2);
    const next = limit.run('node1', call, never);
    await clock.advance(0);
    open[2]?.resolve('again');
    expect(await next).toBe('again');
  });

  it('does not ask a dead host again before the backoff is over, and then with one call alone', async () => {
    const { limit, open, call, clock } = setUp();
    await expect(limit.run('node1', failing, never)).rejects.toBe(down);
    await clock.advance(999);
    await expect(limit.run('node1', call, never)).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'node1 does not answer.',
      where: 'node1',
    });
    expect(open).toHaveLength(0);
    await clock.advance(1);
    const probe = limit.run('node1', call, never);
    await expect(limit.run('node1', call, never)).rejects.toMatchObject({ kind: 'unreachable' });
    expect(open).toHaveLength(1);
    open[0]?.resolve('back');
    expect(await probe).toBe('back');
    expect(await limit.run('node1', async () => 'well', never)).toBe('well');
  });

  it('waits twice as long after each failed probe, up to a minute', async () => {
    const { limit, clock } = setUp();
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      await expect(limit.run('node1', failing, never)).rejects.toBe(down);
      await clock.advance(waitMs - 1);
      await expect(limit.run('node1', failing, never)).rejects.not.toBe(down);
      await clock.advance(1);
    }
  });

  it('takes a refusal for an answer, and asks again once told that the host is back', async () => {
    const { limit } = setUp();
    const denied = new Fault('denied', 'No.');
    const refuse = async (): Promise<never> => {
      throw denied;
    };
    await expect(limit.run('node1', refuse, never)).rejects.toBe(denied);
    expect(await limit.run('node1', async () => 'asked', never)).toBe('asked');
    await expect(limit.run('node1', failing, never)).rejects.toBe(down);
    limit.recovered('node1');
    expect(await limit.run('node1', async () => 'asked', never)).toBe('asked');
  });
});
