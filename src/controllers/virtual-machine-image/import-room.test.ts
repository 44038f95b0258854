import { describe, expect, it } from 'vitest';
import { Fault } from '../../runtime/fault.ts';
import { silentLog } from '../../runtime/log.ts';
import { createTestClock } from '../../runtime/test-clock.ts';
import { createImportRoom } from './import-room.ts';

const setUp = () => {
  const clock = createTestClock();
  const changed: string[] = [];
  const room = createImportRoom({
    perHostLimit: 1,
    totalLimit: 8,
    clock,
    random: () => 0,
    log: silentLog,
    onChange: (uid) => changed.push(uid),
  });
  return { clock, changed, room };
};
const at = (uid: string, host: string) => ({ uid, key: host, host, maxImageBytes: 1 });
const turns = () => new Promise((resolve) => setImmediate(resolve));
const broken = () => Promise.reject(new Fault('unreachable', 'broke off', { reason: 'ImageTruncated' }));
const untilCancelled = (_progress: unknown, signal: AbortSignal) =>
  new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('the room of imports', () => {
  it('forgets what is done: the copy itself is the evidence', async () => {
    const { room, changed } = setUp();
    room.start(at('a', 'kvm.n1'), async () => undefined);
    expect(room.of('a').get('kvm.n1')).toEqual({ kind: 'running', host: 'kvm.n1' });
    await turns();
    expect([room.of('a').size, room.jobs.get('a/kvm.n1'), changed]).toEqual([0, undefined, ['a']]);
  });

  it('waits longer after each failure in a row', async () => {
    const { room, clock } = setUp();
    const waits: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      room.start(at('a', 'kvm.n1'), broken);
      await turns();
      const state = room.of('a').get('kvm.n1');
      waits.push(state?.kind === 'failed' ? state.dueMs - clock.monotonicMs() : -1);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000]);
  });

  it('tells of progress and starts nothing twice', async () => {
    const { room } = setUp();
    let starts = 0;
    const run = (progress: (percent: number) => void, signal: AbortSignal) => {
      starts += 1;
      progress(33);
      return untilCancelled(progress, signal);
    };
    room.start(at('a', 'kvm.n1'), run);
    room.start(at('a', 'kvm.n1'), run);
    expect(starts).toBe(1);
    expect(room.of('a').get('kvm.n1')).toEqual({ kind: 'running', host: 'kvm.n1', percent: 33 });
    await room.cancel('a');
  });

  it('cancels all imports of an image, those that wait for their turn as well, and no others', async () => {
    const { room } = setUp();
    room.start(at('b', 'kvm.n1'), untilCancelled);
    room.start(at('a', 'kvm.n1'), untilCancelled);
    room.start(at('a', 'kvm.n2'), untilCancelled);
    expect(room.jobs.get('a/kvm.n1')?.kind).toBe('queued');
    await room.cancel('a');
    expect([room.of('a').size, room.of('b').size]).toEqual([0, 1]);
    expect(room.jobs.get('a/kvm.n2')).toBeUndefined();
    await room.jobs.close();
  });
});
