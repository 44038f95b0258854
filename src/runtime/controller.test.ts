import { describe, expect, it } from 'vitest';
import { type ControllerMetrics, createController, type Outcome } from './controller.ts';
import { Fault } from './fault.ts';
import { type Log, silentLog } from './log.ts';
import { createTestClock } from './test-clock.ts';

type Line = Readonly<Record<string, unknown>>;

const recorder = (): { log: Log; lines: Line[] } => {
  const lines: Line[] = [];
  const logWith = (bound: object): Log => {
    const at = (level: string) => (fields: object, message: string) => {
      lines.push({ ...bound, ...fields, level, message });
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => logWith({ ...bound, ...fields }),
    };
  };
  return { log: logWith({}), lines };
};

const counts = (): { metrics: ControllerMetrics; seen: string[] } => {
  const seen: string[] = [];
  const metrics: ControllerMetrics = {
    queue: { added: () => {}, taken: () => {}, done: () => {}, retried: () => seen.push('retried') },
    passed: (result) => seen.push(result),
    panicked: () => seen.push('panicked'),
    terminal: () => seen.push('terminal'),
    timedOut: () => seen.push('timedOut'),
    active: () => {},
  };
  return { metrics, seen };
};

const setUp = (reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>, concurrency = 2) => {
  const clock = createTestClock();
  const { log, lines } = recorder();
  const { metrics, seen } = counts();
  const controller = createController<string>({
    name: 'machine',
    concurrency,
    reconcile: (key, _log, signal) => reconcile(key, signal),
    deadlineMs: 60_000,
    clock,
    random: () => 0,
    log,
    metrics,
    newId: () => 'id-1',
  });
  const stop = new AbortController();
  return { clock, controller, lines, seen, stop, ended: controller.run(stop.signal) };
};

const settled: Outcome = { kind: 'settled' };

describe('controller', () => {
  it('comes back when the outcome says so, and stays quiet when settled', async () => {
    const runs: number[] = [];
    const outcomes: Outcome[] = [{ kind: 'again', afterMs: 500 }, settled];
    const { clock, controller, seen } = setUp(async () => {
      runs.push(clock.monotonicMs());
      return outcomes.shift() ?? settled;
    });
    controller.enqueue('a/x');
    await clock.advance(10_000);
    expect(runs).toEqual([0, 500]);
    expect(seen).toEqual(['requeue_after', 'success']);
  });

  it.each([
    ['unreachable', 1_000, 'warn', []],
    ['busy', 500, 'debug', []],
    ['conflict', 5, 'debug', []],
    ['invalid', 600_000, 'warn', ['terminal']],
    ['denied', 600_000, 'warn', ['terminal']],
    ['unsupported', 600_000, 'warn', ['terminal']],
    ['bug', 5, 'error', ['panicked']],
  ] as const)('treats a fault %s by the table', async (kind, afterMs, level, counted) => {
    let faults = 1;
    const { clock, controller, lines, seen } = setUp(async () => {
      faults -= 1;
      if (faults >= 0) {
        throw new Fault(kind, 'One sentence.');
      }
      return settled;
    });
    controller.enqueue('a/x');
    await clock.advance(afterMs - 1);
    expect(seen).toEqual([...counted, 'retried', 'error']);
    expect(lines).toMatchObject([{ level, controller: 'machine', key: 'a/x', reconcileId: 'id-1', afterMs }]);
    await clock.advance(1);
    expect(seen.at(-1)).toBe('success');
  });

  it('takes whatever is no fault for a bug of ours and works on', async () => {
    const { clock, controller, seen, lines } = setUp(async (key) => {
      if (key === 'a/bad') {
        throw new TypeError('undefined is not a function');
      }
      return settled;
    }, 1);
    controller.enqueue('a/bad', 10);
    controller.enqueue('a/good');
    await clock.advance(0);
    expect(seen).toEqual(['panicked', 'retried', 'error', 'success']);
    expect(lines[0]).toMatchObject({ level: 'error', fault: 'bug' });
  });

  it('aborts a pass at its deadline with a fault unreachable', async () => {
    const reasons: unknown[] = [];
    const { clock, controller, seen } = setUp(
      (_key, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            reject(new DOMException('aborted', 'AbortError'));
          });
        }),
    );
    controller.enqueue('a/x');
    await clock.advance(59_999);
    expect(controller.running()).toMatchObject([{ key: 'a/x', ranMs: 59_999, deadlineMs: 60_000 }]);
    await clock.advance(1);
    expect(seen).toEqual(['timedOut', 'retried', 'error']);
    expect(reasons).toMatchObject([{ kind: 'unreachable', reason: 'DeadlineExceeded' }]);
    expect(controller.running()).toEqual([]);
  });

  it('shows a pass that ignores its deadline, and runs no second one of that key', async () => {
    let runs = 0;
    const { clock, controller } = setUp(() => {
      runs += 1;
      return new Promise(() => {});
    });
    controller.enqueue('a/x');
    await clock.advance(400_000);
    controller.enqueue('a/x');
    await clock.advance(0);
    expect(controller.running()).toMatchObject([{ key: 'a/x', ranMs: 400_000 }]);
    expect(runs).toBe(1);
  });

  it('works on as many keys as it may, and no more', async () => {
    const open: PromiseWithResolvers<Outcome>[] = [];
    const { clock, controller } = setUp(() => {
      const gate = Promise.withResolvers<Outcome>();
      open.push(gate);
      return gate.promise;
    }, 3);
    for (const key of ['a/1', 'a/2', 'a/3', 'a/4']) {
      controller.enqueue(key);
    }
    await clock.advance(0);
    expect([open.length, controller.depth()]).toEqual([3, 1]);
    open[0]?.resolve(settled);
    await clock.advance(0);
    expect([open.length, controller.depth()]).toEqual([4, 0]);
  });

  it('closes softly: passes in flight end by themselves', async () => {
    const gate = Promise.withResolvers<Outcome>();
    const { clock, controller, seen, ended } = setUp(() => gate.promise);
    controller.enqueue('a/x');
    await clock.advance(0);
    const closed = controller.close();
    controller.enqueue('a/y');
    gate.resolve(settled);
    await closed;
    await ended;
    expect(seen).toEqual(['success']);
  });

  it('stops hard: passes in flight are aborted and count as no error', async () => {
    const { clock, controller, seen, stop, ended, lines } = setUp(
      (_key, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    );
    controller.enqueue('a/x');
    await clock.advance(0);
    stop.abort(new Fault('conflict', 'Lease lost.', { reason: 'LeaseLost' }));
    await ended;
    expect(seen).toEqual(['aborted']);
    expect(lines.map(({ level }) => level)).toEqual(['debug']);
    expect(silentLog.child({})).toBe(silentLog);
  });
});
