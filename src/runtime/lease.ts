import { type Clock, rfc3339Micro } from './clock.ts';
import { deepEqual } from './equal.ts';
import { Fault, isFault } from './fault.ts';
import type { Log } from './log.ts';
import { within } from './within.ts';

/** `spec` of a coordination.k8s.io/v1 Lease; times are RFC 3339 with microseconds. */
export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly leaseTransitions: number;
}

export interface StoredLease {
  readonly resourceVersion: string;
  readonly spec: Partial<LeaseSpec>;
}

/** One Lease object. `create` and `update` throw a fault `conflict` when somebody was faster. */
export interface LeaseClient {
  get(signal: AbortSignal): Promise<StoredLease | undefined>;
  create(spec: LeaseSpec, signal: AbortSignal): Promise<StoredLease>;
  update(spec: LeaseSpec, resourceVersion: string, signal: AbortSignal): Promise<StoredLease>;
}

export interface LeaseOptions {
  readonly client: LeaseClient;
  /** Unique per process: pod name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long others wait for a renewal before they take over; default 15,000. */
  readonly durationMs?: number;
  /** How long the leader goes on without a successful renewal; default 10,000. */
  readonly renewDeadlineMs?: number;
  /** Between two tries; default 5,000 (0.2 requests a second when idle; client-go's own is 2,000). */
  readonly retryMs?: number;
}

/** Leadership once held. */
export interface Leadership {
  /** Aborted with a fault `conflict`, reason `LeaseLost`, as soon as others may take over. */
  readonly signal: AbortSignal;
  /** Stops renewing and, when still leader, gives the lease up so that the next need not wait. Never rejects. */
  release(): Promise<void>;
}

export interface Lease {
  /** Waits to become leader and keeps renewing until released or lost. Rejects only with the signal's reason. */
  acquire(signal: AbortSignal): Promise<Leadership>;
  /** Whether this process holds the lease by its own monotonic clock. */
  isLeader(): boolean;
}

type Timing = Required<Pick<LeaseOptions, 'durationMs' | 'renewDeadlineMs' | 'retryMs'>>;

const defaultTiming: Timing = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 5_000 };

/** Tries are spread by a fifth (client-go: 1.2), so that candidates do not march in step; the wait stays short. */
const jitterFactor = 1.2;
/** After a failed renewal the next try comes sooner, or one hiccup would cost half of the deadline. */
const hastyMs = 1_000;
const releaseMs = 2_000;

/** What the last look showed, and when by our own clock: remote clocks are never compared with ours. */
interface Observed {
  readonly stored: StoredLease;
  readonly atMs: number;
}

type Try = { readonly kind: 'held' } | { readonly kind: 'taken' };

const checkTiming = ({ durationMs, renewDeadlineMs, retryMs }: Timing): void => {
  if (!(durationMs > renewDeadlineMs && renewDeadlineMs > retryMs * jitterFactor && retryMs > 0)) {
    throw new Fault('invalid', 'Lease times must satisfy duration > renew deadline > 1.2 * retry > 0.');
  }
};

const lostFault = (message: string): Fault => new Fault('conflict', message, { reason: 'LeaseLost' });

/** The object and what we know of it: one look and at most one write per try. */
const createClaim = ({ client, identity, clock }: LeaseOptions, durationMs: number) => {
  let observed: Observed | undefined;

  const note = (stored: StoredLease): Observed => {
    const unchanged = observed !== undefined && deepEqual(observed.stored.spec, stored.spec);
    observed = { stored, atMs: unchanged && observed !== undefined ? observed.atMs : clock.monotonicMs() };
    return observed;
  };

  const heldByOther = ({ stored, atMs }: Observed): boolean => {
    const { holderIdentity = '', leaseDurationSeconds = durationMs / 1000 } = stored.spec;
    const expiresMs = atMs + leaseDurationSeconds * 1000;
    return holderIdentity !== '' && holderIdentity !== identity && clock.monotonicMs() < expiresMs;
  };

  const specOver = (former: Partial<LeaseSpec> | undefined): LeaseSpec => {
    const now = rfc3339Micro(clock.nowMs());
    const mine = former?.holderIdentity === identity;
    const transitions = former?.leaseTransitions ?? 0;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: mine ? (former.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: former === undefined || mine ? transitions : transitions + 1,
    };
  };

  const write = async ({ stored }: Observed, spec: LeaseSpec, signal: AbortSignal): Promise<Try> => {
    note(await client.update(spec, stored.resourceVersion, signal));
    return { kind: 'held' };
  };

  const look = async (signal: AbortSignal): Promise<Try> => {
    const found = await client.get(signal);
    if (found === undefined) {
      note(await client.create(specOver(undefined), signal));
      return { kind: 'held' };
    }
    const seen = note(found);
    return heldByOther(seen) ? { kind: 'taken' } : write(seen, specOver(found.spec), signal);
  };

  /** Without a look first, as client-go's fast path; a conflict makes us look. */
  const renew = async (signal: AbortSignal): Promise<Try> => {
    if (observed === undefined) {
      return look(signal);
    }
    try {
      return await write(observed, specOver(observed.stored.spec), signal);
    } catch (error) {
      if (!isFault(error, 'conflict')) {
        throw error;
      }
      return look(signal);
    }
  };

  /** Nobody's, and for one second: the next candidate's try takes it. */
  const giveUp = async (signal: AbortSignal): Promise<void> => {
    const freed = (stored: StoredLease): LeaseSpec => ({
      ...specOver(stored.spec),
      holderIdentity: '',
      leaseDurationSeconds: 1,
    });
    try {
      if (observed !== undefined) {
        await write(observed, freed(observed.stored), signal);
      }
    } catch (error) {
      // a renewal whose answer we did not wait for may have been written
      const found = isFault(error, 'conflict') ? await client.get(signal) : undefined;
      if (found?.spec.holderIdentity !== identity) {
        throw error;
      }
      await write(note(found), freed(found), signal);
    }
  };

  return { look, renew, giveUp };
};

type Claim = ReturnType<typeof createClaim>;

/** What renewing works with. */
interface Election extends Timing {
  readonly claim: Claim;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: string;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

const tryTo = async (
  { clock, log, identity }: Election,
  run: (signal: AbortSignal) => Promise<Try>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Try | { readonly kind: 'failed' }> => {
  try {
    return await within({ clock, limitMs, signal }, run);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ identity, err: error }, 'lease not written');
    return { kind: 'failed' };
  }
};

/** Renews until `over` is aborted (rejects then) or others may lead (answers why). `renewed` is told of each success. */
const keep = async (
  election: Election,
  heldMs: number,
  renewed: (atMs: number) => void,
  over: AbortSignal,
): Promise<Fault> => {
  const { clock, claim, pause, renewDeadlineMs, retryMs } = election;
  let endMs = heldMs + renewDeadlineMs;
  let waitMs = retryMs;
  for (;;) {
    await pause(Math.min(waitMs, (endMs - clock.monotonicMs()) / jitterFactor), over);
    const startedMs = clock.monotonicMs();
    const limitMs = Math.min(renewDeadlineMs / 2, endMs - startedMs);
    const tried = limitMs > 0 ? await tryTo(election, claim.renew, limitMs, over) : undefined;
    if (tried?.kind === 'taken') {
      return lostFault('Another process holds the lease.');
    }
    if (clock.monotonicMs() >= endMs) {
      return lostFault('The lease could not be renewed in time.');
    }
    waitMs = Math.min(retryMs, hastyMs);
    if (tried?.kind === 'held') {
      endMs = startedMs + renewDeadlineMs;
      waitMs = retryMs;
      renewed(startedMs);
    }
  }
};

/**
 * Leader election by client-go's rules (k8s.io/client-go/tools/leaderelection) over one Lease. It is an
 * optimisation, not a fence: a paused leader may act for a moment after it woke up, and the rest of the operator is
 * built to stand that. Throws a fault `invalid` when the times contradict each other.
 */
export const createLease = (options: LeaseOptions): Lease => {
  const { clock, random, log, identity } = options;
  const timing: Timing = { ...defaultTiming, ...options };
  const { renewDeadlineMs, retryMs } = timing;
  checkTiming(timing);
  const claim = createClaim(options, timing.durationMs);
  const pause = (ms: number, signal: AbortSignal): Promise<void> =>
    clock.sleep(Math.max(0, ms) * (1 + random() * (jitterFactor - 1)), signal);
  const election: Election = { ...timing, claim, clock, log, identity, pause };
  let leaderUntilMs = Number.NEGATIVE_INFINITY;

  const lead = (heldMs: number): Leadership => {
    const lost = new AbortController();
    const over = new AbortController();
    const renewed = (atMs: number): void => {
      leaderUntilMs = atMs + renewDeadlineMs;
    };
    renewed(heldMs);
    log.info({ identity }, 'lease acquired');
    const watch = async (): Promise<void> => {
      lost.abort(await keep(election, heldMs, renewed, over.signal));
      leaderUntilMs = Number.NEGATIVE_INFINITY;
    };
    const kept = watch().catch(() => undefined);
    const release = async (): Promise<void> => {
      over.abort(new Fault('busy', 'The lease is being released.', { reason: 'Stopping' }));
      await kept;
      leaderUntilMs = Number.NEGATIVE_INFINITY;
      if (!lost.signal.aborted) {
        const limits = { clock, limitMs: releaseMs, signal: new AbortController().signal };
        await within(limits, claim.giveUp).then(
          () => log.info({ identity }, 'lease released'),
          (error) => log.warn({ identity, err: error }, 'lease not released'),
        );
      }
    };
    return { signal: lost.signal, release };
  };

  const acquire = async (signal: AbortSignal): Promise<Leadership> => {
    for (;;) {
      signal.throwIfAborted();
      const startedMs = clock.monotonicMs();
      const tried = await tryTo(election, claim.look, renewDeadlineMs / 2, signal);
      if (tried.kind === 'held' && clock.monotonicMs() - startedMs < renewDeadlineMs) {
        return lead(startedMs);
      }
      await pause(retryMs, signal);
    }
  };

  return { acquire, isLeader: () => clock.monotonicMs() < leaderUntilMs };
};
