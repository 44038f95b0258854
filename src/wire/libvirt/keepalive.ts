import type { Timers } from './timers.ts';

export type KeepaliveOptions = {
  /** Silence of this length is answered with a PING. Default of libvirt: 5000. */
  intervalMs: number;
  /** So many PINGs without any packet in return, and the peer counts as dead after one more interval. */
  limit: number;
};

export type Keepalive = {
  /** Something came from the peer, or it went on taking a stream's data: it lives. */
  touch(): void;
  /** We do not read for a while (a slow consumer): PING goes on so that the peer does not cut us; silence is no proof. */
  suspend(): void;
  resume(): void;
  stop(): void;
};

/** The rules of src/rpc/virkeepalive.c, seen from the client. */
export const createKeepalive = (
  options: KeepaliveOptions,
  peer: { ping(): void; dead(): void },
  timers: Timers,
): Keepalive => {
  let unanswered = 0;
  let heard = false;
  let suspended = false;
  let cancel = (): void => {};
  const tick = (): void => {
    if (suspended) {
      peer.ping();
    } else if (heard) {
      unanswered = 0;
    } else if (unanswered >= options.limit) {
      return peer.dead();
    } else {
      unanswered += 1;
      peer.ping();
    }
    heard = false;
    cancel = timers.after(options.intervalMs, tick);
  };
  cancel = timers.after(options.intervalMs, tick);
  const touch = (): void => {
    heard = true;
    unanswered = 0;
  };
  return {
    touch,
    suspend: () => {
      suspended = true;
    },
    resume: () => {
      suspended = false;
      touch();
    },
    stop: () => cancel(),
  };
};
