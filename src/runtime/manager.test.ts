import { describe, expect, it } from 'vitest';
import { createController } from './controller.ts';
import { Fault } from './fault.ts';
import type { Leadership, Lease } from './lease.ts';
import { silentLog } from './log.ts';
import { createManager, type ManagerOptions, type Source } from './manager.ts';
import { createTestClock } from './test-clock.ts';

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

const setUp = (
  change: (parts: { story: string[]; source: Source }) => Partial<ManagerOptions> = () => ({}),
) => {
  const clock = createTestClock();
  const story: string[] = [];
  const synced = Promise.withResolvers<void>();
  const lost = new AbortController();
  const source: Source = {
    name: 'machines',
    run: async (signal) => {
      story.push('source runs');
      await untilAborted(signal);
      story.push('source stopped');
    },
    synced: () => synced.promise,
  };
  const leadership: Leadership = {
    signal: lost.signal,
    release: async () => {
      story.push('lease released');
    },
  };
  const lease: Lease = {
    acquire: async () => {
      story.push('lease acquired');
      return leadership;
    },
    isLeader: () => true,
  };
  const closer = {
    name: 'drivers',
    close: async () => {
      story.push('drivers closed');
    },
  };
  const pass = Promise.withResolvers<void>();
  const controller = createController<string>({
    name: 'machine',
    concurrency: 1,
    reconcile: async (_key, _log, signal) => {
      story.push('pass begins');
      signal.addEventListener('abort', () => pass.reject(signal.reason));
      await pass.promise;
      story.push('pass ends');
      return { kind: 'settled' };
    },
    clock,
    random: () => 0,
    log: silentLog,
  });
  const base = {
    sources: [source],
    controllers: [controller],
    lease,
    closers: [closer],
    clock,
    log: silentLog,
  };
  const manager = createManager({ ...base, ...change({ story, source }) });
  const stop = new AbortController();
  return { clock, story, synced, lost, controller, pass, manager, stop };
};

describe('manager', () => {
  it('starts and stops in order', async () => {
    const { clock, story, synced, controller, pass, manager, stop } = setUp();
    controller.enqueue('a/x');
    const ended = manager.run(stop.signal);
    await clock.advance(0);
    expect([story, manager.state(), manager.unsynced()]).toEqual([['source runs'], 'starting', ['machines']]);
    synced.resolve();
    await clock.advance(0);
    expect([story.slice(1), manager.state()]).toEqual([['lease acquired', 'pass begins'], 'leading']);
    stop.abort(new Error('SIGTERM'));
    await clock.advance(1_000);
    expect(manager.state()).toBe('stopping');
    pass.resolve();
    await ended;
    expect(story.slice(3)).toEqual(['source stopped', 'pass ends', 'lease released', 'drivers closed']);
    expect(manager.state()).toBe('stopped');
  });

  it('stops within 25 s even when passes and closers hang', async () => {
    const { clock, synced, controller, manager, stop } = setUp(() => ({
      closers: [{ name: 'drivers', close: () => new Promise(() => {}) }],
    }));
    controller.enqueue('a/x');
    const ended = manager.run(stop.signal);
    synced.resolve();
    await clock.advance(0);
    stop.abort();
    const startedMs = clock.monotonicMs();
    await clock.advance(25_000);
    await ended;
    expect(manager.state()).toBe('stopped');
    expect(clock.monotonicMs() - startedMs).toBe(25_000);
  });

  it('aborts passes at once when the lease is lost, and rejects', async () => {
    const { clock, synced, story, controller, manager, stop, lost } = setUp();
    controller.enqueue('a/x');
    const ended = expect(manager.run(stop.signal)).rejects.toMatchObject({ reason: 'LeaseLost' });
    synced.resolve();
    await clock.advance(0);
    lost.abort(new Fault('conflict', 'Lost.', { reason: 'LeaseLost' }));
    await clock.advance(0);
    await ended;
    expect(story).not.toContain('pass ends');
    expect(story).toContain('drivers closed');
  });

  it('stops while it still waits for its caches', async () => {
    const { clock, story, manager, stop } = setUp(({ source }) => ({
      sources: [{ ...source, synced: (signal) => untilAborted(signal).then(() => signal.throwIfAborted()) }],
    }));
    const ended = manager.run(stop.signal);
    await clock.advance(0);
    stop.abort();
    await ended;
    expect(story).toEqual(['source runs', 'source stopped', 'drivers closed']);
  });

  it.each([
    ['rejects', async () => Promise.reject(new Fault('denied', 'No list for you.')), 'denied'],
    ['ends by itself', async () => {}, 'bug'],
  ] as const)('ends with the fault when a source %s', async (_how, run, kind) => {
    const { clock, synced, manager, stop } = setUp(({ source }) => ({ sources: [{ ...source, run }] }));
    const ended = expect(manager.run(stop.signal)).rejects.toMatchObject({ kind });
    synced.resolve();
    await clock.advance(0);
    await ended;
  });
});
