/** How a running machine is brought down: ask, wait, pull the plug, as `shutdown` says. Pure. */
import type { Reason } from '../../api/reasons.ts';
import type { Sighting } from '../../drivers/hypervisor/contract.ts';
import { step, wait } from '../decision.ts';
import type { Decision } from './decision.ts';
import type { VmWorld } from './world.ts';

/** A guest that was still booting hears nothing: it is asked again. */
const askAgainMs = 10_000;

/** Undefined when the machine is off already. */
export const decideStop = (world: VmWorld, sighting: Sighting, reason: Reason): Decision | undefined => {
  const { host, power } = sighting;
  if (power.kind === 'off') return undefined;
  const { mode, timeoutSeconds } = world.vm.spec.shutdown;
  const destroy = (): Decision =>
    step({ kind: 'drive', step: { kind: 'destroy', host } }, reason, 'The machine is being switched off.');
  // A paused guest cannot hear a request; and a deletion always ends, even with mode Graceful.
  const deleting = world.vm.metadata.deletionTimestamp !== undefined;
  if (mode === 'Hard' || power.kind === 'paused') return destroy();
  const { asked, monotonicMs } = world;
  const ask = (): Decision => step({ kind: 'askShutdown' }, reason, 'The guest is asked to shut down.');
  if (asked === undefined) return ask();
  const deadlineMs = asked.sinceMs + timeoutSeconds * 1000;
  if (monotonicMs >= deadlineMs && (mode === 'GracefulThenHard' || deleting)) return destroy();
  if (monotonicMs >= asked.lastMs + askAgainMs) return ask();
  const message =
    monotonicMs >= deadlineMs
      ? `The guest has not shut down within ${timeoutSeconds} s; mode Graceful goes on asking.`
      : `The guest was asked to shut down and has up to ${timeoutSeconds} s.`;
  const nextMs = Math.min(
    asked.lastMs + askAgainMs,
    monotonicMs < deadlineMs ? deadlineMs : Number.POSITIVE_INFINITY,
  );
  return wait(
    monotonicMs >= deadlineMs ? 'trouble' : 'progress',
    reason,
    message,
    Math.max(50, nextMs - monotonicMs),
  );
};
