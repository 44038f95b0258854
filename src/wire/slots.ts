/**
 * First come, first served places for calls on one connection. libvirt stops reading from a client that has
 * `max_client_requests` (5 by default) calls open, keepalive included; sshd refuses channels beyond `MaxSessions` (10).
 */
export type Slots = {
  /** Resolves with how to give the place back; a waiting call leaves the queue when its signal aborts. */
  acquire(signal: AbortSignal): Promise<() => void>;
  /** Calls that wait. */
  waiting(): number;
};

type Waiter = { grant(): void };

export const createSlots = (limit: number): Slots => {
  let used = 0;
  const queue = new Set<Waiter>();
  const release = (): void => {
    used -= 1;
    const [next] = queue;
    if (next === undefined) return;
    queue.delete(next);
    next.grant();
  };
  const take = (): (() => void) => {
    used += 1;
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  };
  const acquire = (signal: AbortSignal): Promise<() => void> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (used < limit) return Promise.resolve(take());
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        grant: () => {
          signal.removeEventListener('abort', leave);
          resolve(take());
        },
      };
      queue.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  };
  return { acquire, waiting: () => queue.size };
};
