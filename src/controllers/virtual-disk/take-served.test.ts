import { expect, it } from 'vitest';
import { createJobs } from '../../runtime/jobs.ts';
import { silentLog } from '../../runtime/log.ts';
import { createTestClock } from '../../runtime/test-clock.ts';
import { cancelMake } from './take-served.ts';

it('a job that is given up has ended before anybody looks again at what it left', async () => {
  const jobs = createJobs<string, void>({
    perGroupLimit: 1,
    totalLimit: 1,
    clock: createTestClock(),
    log: silentLog,
    onChange: () => undefined,
  });
  const events: string[] = [];
  jobs.start('d1', 'make/san', async (_progress, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    events.push('ended');
  });
  // No sighting of before it comes back: the pass ends here.
  expect(await cancelMake({ jobs }, 'd1')).toEqual({ kind: 'started', afterMs: 0 });
  expect(events).toEqual(['ended']);
  expect(jobs.get('d1')).toBeUndefined();
});
