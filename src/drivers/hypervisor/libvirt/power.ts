/** Domain states and reasons in the contract's words. Numbers are libvirt's ABI (include/libvirt/libvirt-domain.h). */
import type { OffCause, PowerSeen, VmRecord } from '../contract.ts';

/** virDomainState. */
const STATE = {
  none: 0,
  running: 1,
  blocked: 2,
  paused: 3,
  shutdown: 4,
  shutoff: 5,
  crashed: 6,
  pmSuspended: 7,
} as const;

/** virDomainShutoffReason; migrated, saved, from a snapshot and lost by the daemon say nothing of the guest. */
const SHUTOFF: ReadonlyMap<number, OffCause> = new Map([
  [1, 'GuestShutdown'],
  [2, 'Destroyed'],
  [3, 'Crashed'],
  [6, 'Failed'],
]);

/** virDomainPausedReason. */
const PAUSED = { user: 1, ioError: 5 } as const;

const offCause = (reason: number, record: VmRecord | undefined): OffCause => {
  const known = SHUTOFF.get(reason);
  if (known !== undefined) return known;
  return reason === 0 && record?.startDue === true ? 'NeverStarted' : 'Unknown';
};

/**
 * What a state and its reason mean. A machine that is off for an unknown reason while its start is due was never
 * started since it was defined (the daemon forgets reasons when it restarts, our record does not).
 */
export const powerOf = (state: number, reason: number, record: VmRecord | undefined): PowerSeen => {
  switch (state) {
    case STATE.none:
    case STATE.running:
    case STATE.blocked:
      return { kind: 'running' };
    case STATE.paused:
      return pausedOf(reason);
    case STATE.shutdown:
      return { kind: 'stopping' };
    case STATE.crashed:
      return { kind: 'off', cause: 'Crashed' };
    case STATE.pmSuspended:
      return { kind: 'paused', cause: 'Other' };
    case STATE.shutoff:
      return { kind: 'off', cause: offCause(reason, record) };
    default:
      return { kind: 'paused', cause: 'Other' };
  }
};

const pausedOf = (reason: number): PowerSeen => {
  if (reason === PAUSED.user) return { kind: 'paused', cause: 'User' };
  return { kind: 'paused', cause: reason === PAUSED.ioError ? 'IoError' : 'Other' };
};

/** Whether a process runs for it, whatever the guest does. */
export const isActive = (power: PowerSeen): boolean => power.kind !== 'off';
