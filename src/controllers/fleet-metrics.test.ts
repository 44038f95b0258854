import { expect, it } from 'vitest';
import type { HypervisorPool } from '../drivers/hypervisor/contract.ts';
import { Fault } from '../runtime/fault.ts';
import { createTestClock } from '../runtime/test-clock.ts';
import { measurePool } from './fleet-metrics.ts';

it('tells driver, step, outcome and time of each call, and changes nothing else', async () => {
  const clock = createTestClock();
  const told: unknown[] = [];
  const pool = {
    survey: async () => {
      await clock.advance(20);
      return [];
    },
    take: async () => {
      throw new Fault('busy', 'locked');
    },
  } as unknown as HypervisorPool;
  const driverCall = (...given: unknown[]): void => void told.push(given);
  const measured = measurePool(pool, 'libvirt', { driverCall }, clock);
  const { signal } = new AbortController();
  await expect(measured.survey(signal)).resolves.toEqual([]);
  await expect(measured.take({} as never, { kind: 'start', host: 'h' }, signal)).rejects.toThrow('locked');
  expect(told).toEqual([
    ['libvirt', 'survey', 'ok', 20],
    ['libvirt', 'start', 'busy', 0],
  ]);
});
