import { describe, expect, it } from 'vitest';
import { createEvents, type EventSeries, type EventSink, type KubeEvent } from './events.ts';
import { Fault } from './fault.ts';
import { silentLog } from './log.ts';
import { createTestClock } from './test-clock.ts';

const machine = {
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachine',
  namespace: 'a',
  name: 'web-1',
  uid: 'u1',
};
const started = { type: 'Normal', reason: 'Started', action: 'Start', note: 'The machine runs.' } as const;

const setUp = (change: Partial<EventSink> = {}) => {
  const clock = createTestClock();
  const created: KubeEvent[] = [];
  const patched: { name: string; series: EventSeries }[] = [];
  const sink: EventSink = {
    create: async (event) => {
      created.push(event);
    },
    patch: async (_namespace, name, series) => {
      patched.push({ name, series });
    },
    ...change,
  };
  const reporter = { controller: 'ovcp.dev/operator', instance: 'pod-1' };
  let drawn = 0;
  const random = (): number => {
    drawn += 1;
    return (drawn % 97) / 97;
  };
  return { clock, created, patched, events: createEvents({ sink, clock, random, log: silentLog, reporter }) };
};

describe('events', () => {
  it('writes one event, complete and in the namespace of its object', async () => {
    const { events, created, clock } = setUp();
    events.emit(machine, started);
    events.emit({ apiVersion: 'ovcp.dev/v1alpha1', kind: 'Host', name: 'kvm.node1' }, started);
    await clock.advance(0);
    expect(created).toMatchObject([
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { namespace: 'a', name: expect.stringMatching(/^web-1\.[0-9a-f]{16}$/) },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'ovcp.dev/operator',
        reportingInstance: 'pod-1',
        regarding: machine,
        ...started,
      },
      { metadata: { namespace: 'default' } },
    ]);
  });

  it('gathers repetitions into one series, patched rarely', async () => {
    const { events, created, patched, clock } = setUp();
    for (let at = 0; at < 100; at += 1) {
      events.emit(machine, started);
      await clock.advance(1_000);
    }
    expect(created).toHaveLength(1);
    expect(patched.map(({ series }) => series.count)).toEqual([31, 61, 91]);
    expect(patched[0]?.name).toBe(created[0]?.metadata.name);
    await events.close();
    expect(patched.at(-1)?.series).toEqual({ count: 100, lastObservedTime: '2026-01-01T00:01:39.000000Z' });
  });

  it('starts anew after a silence, for another note and for another object', async () => {
    const { events, created, clock } = setUp();
    events.emit(machine, started);
    events.emit(machine, { ...started, note: 'The machine runs on node2.' });
    events.emit({ ...machine, uid: 'u2' }, started);
    await clock.advance(360_001);
    events.emit(machine, started);
    await clock.advance(0);
    expect(created).toHaveLength(4);
    expect(new Set(created.map(({ metadata }) => metadata.name)).size).toBe(4);
  });

  it('lets no object flood, and no other object pay for it', async () => {
    const { events, created, clock } = setUp();
    for (let at = 0; at < 200; at += 1) {
      events.emit(machine, { ...started, note: `Turn ${at}.` });
    }
    events.emit({ ...machine, name: 'web-2', uid: 'u2' }, started);
    await clock.advance(0);
    expect(created).toHaveLength(26);
    await clock.advance(300_000);
    events.emit(machine, { ...started, note: 'Once more.' });
    await clock.advance(0);
    expect(created).toHaveLength(27);
  });

  it('starts a new event when the old one has expired on the server', async () => {
    const { events, created, clock } = setUp({
      patch: async () => {
        throw new Fault('invalid', 'There is no such event.', { reason: 'NotFound' });
      },
    });
    events.emit(machine, started);
    events.emit(machine, started);
    await clock.advance(30_000);
    events.emit(machine, started);
    await clock.advance(0);
    expect(created).toHaveLength(2);
  });

  it('bounds the note and keeps credentials out of it', async () => {
    const { events, created, clock } = setUp();
    events.emit(machine, { ...started, note: `https://me:secret@host/ ${'x'.repeat(5_000)}` });
    await clock.advance(0);
    expect(Buffer.byteLength(created[0]?.note ?? '')).toBeLessThanOrEqual(1_024);
    expect(created[0]?.note).toMatch(/^https:\/\/\[redacted\]@host/);
  });

  it('never throws, and does not hang at the end when the server is away', async () => {
    const { events, clock } = setUp({
      create: (_event, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    });
    events.emit(machine, started);
    events.emit(machine, { ...started, reason: 'Stopped' });
    await clock.advance(0);
    let ended = false;
    const close = async (): Promise<void> => {
      await events.close(2_000);
      ended = true;
    };
    const closed = close();
    await clock.advance(2_000);
    await closed;
    expect(ended).toBe(true);
  });
});
