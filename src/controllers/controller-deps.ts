import type { Events } from '../runtime/events.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { ControllerContext } from './context.ts';

/** What a controller needs besides the world it works on. */
export interface ControllerDeps {
  readonly context: ControllerContext;
  readonly events: Events;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly random: () => number;
  /** Keys worked on at the same time. */
  readonly concurrency: number;
}
