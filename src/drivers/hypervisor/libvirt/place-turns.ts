/**
 * Calls about storage that is mounted. While its server is away, whoever looks at a hard mount waits in the kernel of
 * the host: no call that was sent comes back before the server does, whoever gave up waiting for it. Each would keep
 * one of the few places of the connection and one of the daemon's workers, until machines on other storage wait too.
 * So of each place one call is on its way at a time, the next ones wait here, and soon they are told why.
 */
import type { Clock } from '../../../runtime/clock.ts';
import { Fault } from '../../../runtime/fault.ts';
import { raceAbort } from '../../../wire/signals.ts';
import { createSlots, type Slots } from '../../../wire/slots.ts';
import type { StoragePlace } from '../host-storage.ts';
import type { Remote } from './remote.ts';

/** A call that takes longer waits for the storage. */
const SILENT_MS = 10_000;
/** How long a caller waits who brings no limit; the wire's own default. */
const CALL_LIMIT_MS = 60_000;
/** A call is waited for as long as its connection lives, in order to know when the storage answers again. */
const FOREVER_MS = 24 * 3_600_000;
/** Of the four places of a connection: one stays for the rest, however many mounts do not answer. */
const MOUNTS_AT_ONCE = 3;

interface Turn {
  readonly slots: Slots;
  /** Since when a call is on its way, by the monotonic clock. */
  sinceMs: number | undefined;
}

const nameOf = ({ mount, path }: StoragePlace): string => {
  switch (mount?.kind) {
    case 'nfs':
      return `${mount.export} of ${mount.server}`;
    case 'gluster':
      return `the volume ${mount.volume}`;
    default:
      return `the folder ${path}`;
  }
};

const silent = (place: StoragePlace): Fault =>
  new Fault(
    'unreachable',
    `The host gets no answer from ${nameOf(place)}, which it uses for the pool ${place.poolName}.`,
    { reason: 'StorageUnresponsive' },
  );

export interface PlaceTurns {
  /** The connection for calls about this place; the same one for a folder of the host itself. */
  remoteFor(remote: Remote, place: StoragePlace): Remote;
}

/** Of one host. Calls throw what the connection throws, or Fault `unreachable`, reason `StorageUnresponsive`. */
export const createPlaceTurns = (clock: Pick<Clock, 'monotonicMs'>): PlaceTurns => {
  const turns = new Map<string, Turn>();
  const mounts = createSlots(MOUNTS_AT_ONCE);
  const turnOf = (uid: string): Turn => {
    const turn = turns.get(uid) ?? { slots: createSlots(1), sinceMs: undefined };
    turns.set(uid, turn);
    return turn;
  };
  const isSilent = ({ sinceMs }: Turn): boolean =>
    sinceMs !== undefined && clock.monotonicMs() - sinceMs >= SILENT_MS;

  const callFor = (remote: Remote, place: StoragePlace, turn: Turn): Remote['call'] => {
    const send: Remote['call'] = async (name, args, limit) => {
      const mine = await turn.slots.acquire(limit);
      const shared = await mounts.acquire(limit).catch((error: unknown) => {
        mine();
        throw error;
      });
      turn.sinceMs = clock.monotonicMs();
      const reply = remote.call(name, args, new AbortController().signal, { timeoutMs: FOREVER_MS });
      const over = (): void => {
        turn.sinceMs = undefined;
        shared();
        mine();
      };
      reply.then(over, over);
      return raceAbort(reply, limit);
    };
    return async (name, args, signal, options) => {
      if (isSilent(turn)) throw silent(place);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options?.timeoutMs ?? CALL_LIMIT_MS)]);
      try {
        return await send(name, args, limit);
      } catch (error) {
        throw limit.aborted && isSilent(turn) ? silent(place) : error;
      }
    };
  };
  return {
    remoteFor: (remote, place) =>
      place.topology === 'HostLocal'
        ? remote
        : { ...remote, call: callFor(remote, place, turnOf(place.poolUid)) },
  };
};
