import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from './fault.ts';
import { createJobs, type JobRun, type Progress } from './jobs.ts';
import { silentLog } from './log.ts';
import { createTestClock } from './test-clock.ts';

/** A job that runs until the test says how it ends, and obeys its signal. */
const gated = () => {
  const gate = Promise.withResolvers<string>();
  const seen = { progress: undefined as Progress | undefined, starts: 0, aborted: undefined as unknown };
  const run: JobRun<string> = (progress, signal) => {
    seen.progress = progress;
    seen.starts += 1;
    signal.addEventListener('abort', () => {
      seen.aborted = signal.reason;
      gate.reject(signal.reason);
    });
    return gate.promise;
  };
  return { run, gate, seen };
};

const setUp = (perGroupLimit = 2, totalLimit = 3) => {
  const clock = createTestClock();
  const changed: string[] = [];
  const onChange = (key: string): void => {
    changed.push(key);
  };
  const jobs = createJobs<string, string>({ perGroupLimit, totalLimit, clock, log: silentLog, onChange });
  return { clock, changed, jobs };
};

describe('jobs', () => {
  it('runs a job once per key and keeps its result until it is forgotten', async () => {
    const { jobs, clock, changed } = setUp();
    const { run, gate, seen } = gated();
    expect(jobs.start('j', 'h1', run)).toEqual({ kind: 'running', startedMs: clock.nowMs() });
    jobs.start('j', 'h1', run);
    jobs.forget('j');
    gate.resolve('made');
    await clock.advance(0);
    expect(jobs.start('j', 'h1', run)).toEqual({ kind: 'done', result: 'made', atMs: clock.nowMs() });
    expect([seen.starts, changed]).toEqual([1, ['j']]);
    jobs.forget('j');
    expect(jobs.get('j')).toBeUndefined();
  });

  it('keeps a failure as a fault', async () => {
    const { jobs, clock, changed } = setUp();
    jobs.start('j', 'h1', async () => {
      throw new Fault('invalid', 'The checksum differs.', { reason: 'ImageChecksumMismatch' });
    });
    jobs.start('k', 'h1', () => {
      throw new TypeError('oops');
    });
    await clock.advance(0);
    expect(jobs.get('j')).toMatchObject({ kind: 'failed', fault: { kind: 'invalid' } });
    expect(jobs.get('k')).toMatchObject({ kind: 'failed', fault: { kind: 'bug' } });
    expect(changed.sort()).toEqual(['j', 'k']);
  });

  it('bounds what runs per host and in all, and lets the next in', async () => {
    const { jobs, clock } = setUp(2, 3);
    const all = new Map(['a1', 'a2', 'a3', 'b1', 'b2'].map((key) => [key, gated()]));
    all.forEach(({ run }, key) => jobs.start(key, key.slice(0, 1), run));
    const running = (): string[] => [...all.keys()].filter((key) => jobs.get(key)?.kind === 'running');
    expect(running()).toEqual(['a1', 'a2', 'b1']);
    expect(jobs.counts().get('a')).toEqual({ running: 2, queued: 1 });
    all.get('a1')?.gate.resolve('');
    await clock.advance(0);
    expect(running()).toEqual(['a2', 'a3', 'b1']);
    all.get('b1')?.gate.resolve('');
    await clock.advance(0);
    expect(running()).toEqual(['a2', 'a3', 'b2']);
  });

  it('tells of progress in steps, not too often, and never backwards', async () => {
    const { jobs, clock, changed } = setUp();
    const { run, seen } = gated();
    jobs.start('j', 'h1', run);
    const percentAt = (percent: number): unknown => {
      seen.progress?.(percent);
      return jobs.get('j');
    };
    expect(percentAt(4)).toMatchObject({ progress: 4 });
    expect(changed).toEqual([]);
    percentAt(5);
    expect(changed).toEqual(['j']);
    for (let percent = 6; percent <= 60; percent += 1) {
      percentAt(percent);
    }
    expect(changed).toEqual(['j']);
    await clock.advance(2_000);
    expect(changed).toEqual(['j', 'j']);
    expect(percentAt(40)).toMatchObject({ progress: 60 });
    expect(percentAt(Number.NaN)).toMatchObject({ progress: 60 });
    expect(percentAt(400)).toMatchObject({ progress: 100 });
  });

  it('cancels: a queued job never starts, a running one is aborted and waited for', async () => {
    const { jobs, clock, changed } = setUp(1, 1);
    const first = gated();
    const second = gated();
    jobs.start('j', 'h1', first.run);
    jobs.start('k', 'h1', second.run);
    await jobs.cancel('k');
    expect(jobs.get('k')).toBeUndefined();
    await jobs.cancel('j');
    await clock.advance(0);
    expect([jobs.get('j'), second.seen.starts, changed]).toEqual([undefined, 0, ['j']]);
    expect(first.seen.aborted).toMatchObject({ reason: 'Cancelled' });
    await jobs.cancel('unknown');
  });

  it('does not start a cancelled key again before its run has ended', async () => {
    const { jobs, clock } = setUp();
    const gate = Promise.withResolvers<string>();
    jobs.start('j', 'h1', () => gate.promise);
    const cancelled = jobs.cancel('j');
    const again = gated();
    expect(jobs.start('j', 'h1', again.run).kind).toBe('running');
    expect(again.seen.starts).toBe(0);
    gate.reject(new Error('gone'));
    await cancelled;
    await clock.advance(0);
    expect(jobs.start('j', 'h1', again.run).kind).toBe('running');
    expect(again.seen.starts).toBe(1);
  });

  it('closes: aborts all, waits, starts nothing and tells nobody', async () => {
    const { jobs, changed } = setUp(1, 1);
    const first = gated();
    const second = gated();
    jobs.start('j', 'h1', first.run);
    jobs.start('k', 'h1', second.run);
    await jobs.close();
    expect([first.seen.aborted, second.seen.starts, changed]).toMatchObject([{ reason: 'Stopping' }, 0, []]);
    expect(() => jobs.start('l', 'h1', first.run)).toThrow(Fault);
  });

  it('never passes a limit and finishes everything', async () => {
    const groups = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 20 });
    const limits = fc.integer({ min: 1, max: 4 });
    const property = fc.asyncProperty(groups, limits, limits, async (hosts, perGroup, total) => {
      const { jobs, clock } = setUp(perGroup, total);
      const running = new Map<string, number>();
      let most = 0;
      let done = 0;
      hosts.forEach((host, at) =>
        jobs.start(`j${at}`, host, async () => {
          running.set(host, (running.get(host) ?? 0) + 1);
          expect(running.get(host)).toBeLessThanOrEqual(perGroup);
          most = Math.max(
            most,
            running.values().reduce((sum, count) => sum + count, 0),
          );
          await clock.sleep(10 + at, new AbortController().signal);
          running.set(host, (running.get(host) ?? 0) - 1);
          done += 1;
          return 'ok';
        }),
      );
      await clock.advance(1_000);
      expect(most).toBeLessThanOrEqual(total);
      expect(done).toBe(hosts.length);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
