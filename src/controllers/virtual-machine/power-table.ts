/**
 * What happens to a machine that is off although `powerState: PoweredOn` asks for it: the published table of
 * docs/power.md, tested row by row. Pure.
 */
import type { OffCause } from '../../drivers/hypervisor/contract.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';
export type DriftPolicy = 'Enforce' | 'Report' | 'Ignore';

/** `start` it, or `stay` off: on purpose of the guest or policy, or because drift is not ours to undo. */
export type PowerDecision =
  | { readonly kind: 'start' }
  | { readonly kind: 'stay'; readonly because: 'RestartPolicy' | 'DriftReported' | 'DriftIgnored' };

const start: PowerDecision = { kind: 'start' };
const byPolicy: PowerDecision = { kind: 'stay', because: 'RestartPolicy' };

const ofDrift: Record<DriftPolicy, PowerDecision> = {
  Enforce: start,
  Report: { kind: 'stay', because: 'DriftReported' },
  Ignore: { kind: 'stay', because: 'DriftIgnored' },
};

/**
 * Rows by cause, columns by restart policy. `drift` defers to the drift policy: somebody used the hypervisor's own
 * tools. `Unknown` covers a host that was rebooted and a hypervisor that forgot: nobody asked for the stop, so only
 * `Never` keeps the machine off.
 */
const table: Record<OffCause, Record<RestartPolicy, 'start' | 'stay' | 'drift'>> = {
  NeverStarted: { Always: 'start', OnFailure: 'start', Never: 'start' },
  GuestShutdown: { Always: 'start', OnFailure: 'stay', Never: 'stay' },
  Crashed: { Always: 'start', OnFailure: 'start', Never: 'stay' },
  Failed: { Always: 'start', OnFailure: 'start', Never: 'stay' },
  Destroyed: { Always: 'drift', OnFailure: 'drift', Never: 'drift' },
  Unknown: { Always: 'start', OnFailure: 'start', Never: 'stay' },
};

/** `startDue`: the user's wish came after the machine went down, so no policy stands against it. */
export const decidePower = (
  cause: OffCause,
  policies: { readonly restart: RestartPolicy; readonly drift: DriftPolicy },
  startDue: boolean,
): PowerDecision => {
  if (startDue) return start;
  const cell = table[cause][policies.restart];
  switch (cell) {
    case 'start':
      return start;
    case 'stay':
      return byPolicy;
    case 'drift':
      return ofDrift[policies.drift];
    default:
      return cell satisfies never;
  }
};
