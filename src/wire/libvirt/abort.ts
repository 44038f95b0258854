import { type Linked, linkSignals } from '../signals.ts';
import { LibvirtConnectionError } from './errors.ts';
import type { Timers } from './timers.ts';

/** `linkSignals` that after `timeoutMs` aborts with a LibvirtConnectionError (timeout) naming `what`. */
export const withLimit = (
  signals: readonly AbortSignal[],
  timeoutMs: number,
  what: string,
  timers: Timers,
): Linked => {
  const linked = linkSignals(signals);
  const cancel = timers.after(timeoutMs, () =>
    linked.abort(new LibvirtConnectionError('timeout', `${what}: no answer within ${timeoutMs} ms`)),
  );
  return {
    ...linked,
    clear: () => {
      cancel();
      linked.clear();
    },
  };
};
