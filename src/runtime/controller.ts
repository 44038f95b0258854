import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { toFault } from './fault.ts';
import type { Log } from './log.ts';
import { backoffOf, policyOf } from './policy.ts';
import { createQueue, priorities, type Queue, type QueueObserver } from './queue.ts';
import { within } from './within.ts';

/**
 * What a pass without a fault asks for: nothing until something changes, or another pass after `afterMs`
 * (0 for at once). A fault is thrown instead, and the policy table decides.
 */
export type Outcome = { readonly kind: 'settled' } | { readonly kind: 'again'; readonly afterMs: number };

/** How a pass ended, as metrics tell it apart (controller-runtime's label values, and `aborted` for a stop). */
export type PassResult = 'success' | 'requeue_after' | 'error' | 'aborted';

export interface ControllerMetrics {
  readonly queue: QueueObserver;
  passed(result: PassResult, tookMs: number): void;
  /** A defect of ours: a fault `bug`, or a thrown value that was no fault at all. */
  panicked(): void;
  /** A fault that only a change can help. */
  terminal(): void;
  timedOut(): void;
  active(workers: number): void;
}

export interface ControllerOptions<K extends string> {
  readonly name: string;
  /** Keys worked on at the same time. */
  readonly concurrency: number;
  /** One pass. `log` carries controller, key and reconcile id; `signal` ends it at its deadline or at a stop. */
  readonly reconcile: (key: K, log: Log, signal: AbortSignal) => Promise<Outcome>;
  /** Default: the part of the key before its first slash (the namespace), or all of a cluster-scoped key alike. */
  readonly fairnessOf?: (key: K) => string;
  /** A pass that takes longer is aborted with a fault `unreachable`; default 60,000. */
  readonly deadlineMs?: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics?: ControllerMetrics;
  readonly newId?: () => string;
}

/** A pass still running, as health sees it. */
export interface RunningPass {
  readonly controller: string;
  readonly key: string;
  readonly ranMs: number;
  readonly deadlineMs: number;
}

export interface Controller<K extends string> {
  readonly name: string;
  enqueue(key: K, priority?: number, afterMs?: number): void;
  /**
   * Works until `close` (passes in flight end by themselves) or until `signal` is aborted (they are aborted with
   * its reason). Resolves when the last worker is through; never rejects.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Takes no further key. Resolves when every pass in flight has ended. */
  close(): Promise<void>;
  running(): readonly RunningPass[];
  depth(): number;
  oldestMs(): number | undefined;
}

const namespaceOf = (key: string): string => {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
};

const silentMetrics: ControllerMetrics = {
  queue: { added: () => {}, taken: () => {}, done: () => {}, retried: () => {} },
  passed: () => {},
  panicked: () => {},
  terminal: () => {},
  timedOut: () => {},
  active: () => {},
};

const settle = <K extends string>(queue: Queue<K>, key: K, outcome: Outcome): PassResult => {
  queue.forget(key);
  switch (outcome.kind) {
    case 'settled':
      return 'success';
    case 'again':
      queue.add(key, { afterMs: outcome.afterMs });
      return 'requeue_after';
    default:
      return outcome satisfies never;
  }
};

const stopped = (log: Log): PassResult => {
  log.debug({}, 'pass aborted by stop');
  return 'aborted';
};

/** The policy table at work: one log line, the counters, and the retry. */
const fail = <K extends string>(
  queue: Queue<K>,
  key: K,
  error: unknown,
  log: Log,
  metrics: ControllerMetrics,
): PassResult => {
  const fault = toFault(error);
  const policy = policyOf(fault.kind);
  if (policy.alert) {
    metrics.panicked();
  }
  if (policy.retry === 'onChange') {
    metrics.terminal();
  }
  const afterMs = Math.round(queue.retry(key, backoffOf(fault)));
  const failures = queue.failures(key);
  const fields = { fault: fault.kind, reason: fault.reason, where: fault.where, failures, afterMs };
  if (policy.alert) {
    log.error({ ...fields, err: fault }, 'pass failed on a defect');
  } else if (policy.shown) {
    log.warn({ ...fields, message: fault.message }, 'pass failed');
  } else {
    log.debug({ ...fields, message: fault.message }, 'pass postponed');
  }
  return 'error';
};

/** Queue and workers around one `reconcile`. */
export const createController = <K extends string>(options: ControllerOptions<K>): Controller<K> => {
  const { name, concurrency, reconcile, clock, random, deadlineMs = 60_000 } = options;
  const { metrics = silentMetrics, newId = randomUUID, fairnessOf = namespaceOf } = options;
  const queue = createQueue<K>({ clock, random, fairnessOf, observer: metrics.queue });
  let active = 0;

  const pass = async (key: K, signal: AbortSignal): Promise<void> => {
    const log = options.log.child({ controller: name, key, reconcileId: newId() });
    const startedMs = clock.monotonicMs();
    active += 1;
    metrics.active(active);
    const limits = { clock, limitMs: deadlineMs, signal, onTimeout: () => metrics.timedOut() };
    const result = await within(limits, (inner) => reconcile(key, log, inner)).then(
      (outcome) => settle(queue, key, outcome),
      (error) => (signal.aborted ? stopped(log) : fail(queue, key, error, log, metrics)),
    );
    active -= 1;
    metrics.active(active);
    queue.done(key);
    metrics.passed(result, clock.monotonicMs() - startedMs);
  };

  const work = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const key = await queue.take(signal).catch(() => undefined);
      if (key === undefined) {
        return;
      }
      await pass(key, signal);
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(Array.from({ length: concurrency }, () => work(signal)));
  };

  const running = (): readonly RunningPass[] =>
    [...queue.running()].map(([key, startedMs]) => ({
      controller: name,
      key,
      ranMs: clock.monotonicMs() - startedMs,
      deadlineMs,
    }));

  return {
    name,
    enqueue: (key, priority = priorities.mapped, afterMs = 0) => queue.add(key, { priority, afterMs }),
    run,
    close: () => queue.close(),
    running,
    depth: () => queue.depth(),
    oldestMs: () => queue.oldestMs(),
  };
};
