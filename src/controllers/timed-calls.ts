/** Calls to drivers, timed: `driver_call_seconds` by driver, step and outcome. */
import type { Clock } from '../runtime/clock.ts';
import { toFault } from '../runtime/fault.ts';
import type { Metrics } from '../runtime/metrics.ts';

export type Timed = <T>(step: string, call: () => Promise<T>) => Promise<T>;

export const timedCalls =
  (driver: string, { driverCall }: Pick<Metrics, 'driverCall'>, clock: Pick<Clock, 'monotonicMs'>): Timed =>
  async (step, call) => {
    const startedMs = clock.monotonicMs();
    const took = (): number => clock.monotonicMs() - startedMs;
    try {
      const result = await call();
      driverCall(driver, step, 'ok', took());
      return result;
    } catch (error) {
      driverCall(driver, step, toFault(error).kind, took());
      throw error;
    }
  };
