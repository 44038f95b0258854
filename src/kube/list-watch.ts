import type { Clock } from '../runtime/clock.ts';
import { Fault, toFault } from '../runtime/fault.ts';
import { createBackoff } from './backoff.ts';
import type { ListScope, Resource } from './contract.ts';
import { jsonLines } from './json-lines.ts';
import { isExpired } from './kube-fault.ts';
import { isOlder } from './resource-version.ts';
import type { KubeObject } from './types.ts';
import { toChanges, versionIn, type WatchChange } from './watch-events.ts';

/**
 * List and watch of one kind as an explicit state machine:
 *
 *   empty ----> listed -+-> listed    the server ended the watch in good order
 *     ^           ^     +-> suspect   it broke, fell silent or was cut: is the history still the same?
 *     |           +-----------------  suspect: the collection's version is not behind ours
 *     +-----------------------------  listed: 410 Expired; suspect: the collection's version went backwards
 *
 * `suspect` exists because a watch may be opened at a version that etcd, restored from a snapshot, has yet to
 * reach again: the server accepts it and is silent about everything before (docs: etcd disaster recovery).
 */

export type ListWatchEvent =
  /** A list begins; forget pages of an earlier, unfinished one. Sent before its first request. */
  | { readonly kind: 'listStart' }
  | { readonly kind: 'page'; readonly items: readonly unknown[]; readonly resourceVersion: string }
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  /** What one chunk of the watch brought, in the server's order. */
  | { readonly kind: 'changes'; readonly changes: readonly WatchChange[] }
  /** Something failed; the next try comes after `retryInMs`. */
  | { readonly kind: 'fault'; readonly fault: Fault; readonly retryInMs: number };

export interface ListWatchOptions {
  readonly resource: Pick<Resource<KubeObject>, 'listPages' | 'watch' | 'currentVersion'>;
  readonly scope?: ListScope;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * A watch that has spoken and then is without a byte for this long is dead: from its first word on, a server sends
   * a bookmark about once a minute. One that has not spoken yet may be silent until the server ends it (below).
   */
  readonly inactivityMs?: number;
  readonly maxEventBytes?: number;
}

const INACTIVITY_MS = 90_000;
/**
 * The API server sends bookmarks newer than where the watch began only. Of a kind that nobody writes it learns newer
 * versions from etcd's progress notices alone, which come every ten minutes unless etcd is told otherwise: such a
 * watch is silent and sound. That its connection broke is found by TCP keepalive, and at the latest when the server
 * should have ended it.
 */
const OVERDUE_MS = 15_000;
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const MIN_TIMEOUT_SECONDS = 290;
const MAX_TIMEOUT_SECONDS = 590;
/** A watch that lived this long, or said anything, was healthy. */
const HEALTHY_MS = 10_000;
const MAX_RETRY_AFTER_MS = 30_000;

type State =
  | { readonly kind: 'empty' }
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  | { readonly kind: 'suspect'; readonly resourceVersion: string };

/** Aborts with a fault when `touch` was not called for as long as it said; mirrors `parent`. */
const createWatchdog = (clock: Clock, parent: AbortSignal) => {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(parent.reason);
  parent.addEventListener('abort', onAbort, { once: true });
  let cancel = (): void => undefined;
  const touch = (limitMs: number): void => {
    cancel();
    cancel = clock.after(limitMs, () =>
      controller.abort(
        new Fault('unreachable', `the watch was silent for ${limitMs} ms`, { reason: 'WatchSilent' }),
      ),
    );
  };
  const stop = (): void => {
    cancel();
    parent.removeEventListener('abort', onAbort);
    controller.abort(parent.reason);
  };
  return { signal: controller.signal, touch, stop };
};

/** How far one watch came. */
interface Progress {
  resourceVersion: string;
  spoke: boolean;
}

const lastVersion = (changes: readonly WatchChange[]): string | undefined => {
  const last = changes.at(-1);
  return last === undefined
    ? undefined
    : last.kind === 'position'
      ? last.resourceVersion
      : versionIn(last.object);
};

/** One watch from `progress.resourceVersion` until the server ends it; rejects with the fault that broke it. */
async function* watchOnce(
  options: ListWatchOptions,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<ListWatchEvent, void, undefined> {
  const watchdog = createWatchdog(options.clock, signal);
  const spread = MAX_TIMEOUT_SECONDS - MIN_TIMEOUT_SECONDS;
  const timeoutSeconds = MIN_TIMEOUT_SECONDS + Math.floor(options.random() * spread);
  const alive = (): void => watchdog.touch(options.inactivityMs ?? INACTIVITY_MS);
  try {
    alive();
    const body = await options.resource.watch(
      {
        ...options.scope,
        resourceVersion: progress.resourceVersion,
        timeoutSeconds,
      },
      watchdog.signal,
    );
    watchdog.touch(timeoutSeconds * 1_000 + OVERDUE_MS);
    for await (const values of jsonLines(body, options.maxEventBytes ?? MAX_EVENT_BYTES, alive)) {
      const { changes, failure } = toChanges(values);
      if (changes.length > 0) {
        progress.spoke = true;
        progress.resourceVersion = lastVersion(changes) ?? progress.resourceVersion;
        yield { kind: 'changes', changes };
      }
      if (failure !== undefined) {
        throw failure;
      }
    }
  } catch (error) {
    throw watchdog.signal.aborted ? watchdog.signal.reason : error;
  } finally {
    watchdog.stop();
  }
}

const cutShort = (): Fault =>
  new Fault('unreachable', 'the server ended the watch at once', { reason: 'WatchCutShort' });

/** One list, page by page; returns its resourceVersion. */
async function* listOnce(
  { resource, scope }: ListWatchOptions,
  signal: AbortSignal,
): AsyncGenerator<ListWatchEvent, string, undefined> {
  yield { kind: 'listStart' };
  let fresh = true;
  for await (const page of resource.listPages(scope ?? {}, signal)) {
    if (page.first && !fresh) {
      yield { kind: 'listStart' };
    }
    fresh = false;
    yield { kind: 'page', items: page.items, resourceVersion: page.resourceVersion };
    if (page.last) {
      yield { kind: 'listed', resourceVersion: page.resourceVersion };
      return page.resourceVersion;
    }
  }
  throw new Fault('unreachable', 'the list ended before its last page', { reason: 'BadAnswer' });
}

/** What a state led to. `healthy`: the server really served us, so earlier failures are history. */
interface Outcome {
  readonly next: State;
  readonly healthy: boolean;
  readonly fault?: Fault;
}

type Step = AsyncGenerator<ListWatchEvent, Outcome, undefined>;

async function* fromEmpty(options: ListWatchOptions, signal: AbortSignal): Step {
  try {
    return { next: { kind: 'listed', resourceVersion: yield* listOnce(options, signal) }, healthy: false };
  } catch (error) {
    return { next: { kind: 'empty' }, healthy: false, fault: toFault(error) };
  }
}

async function* fromListed(options: ListWatchOptions, from: string, signal: AbortSignal): Step {
  const { clock } = options;
  const progress: Progress = { resourceVersion: from, spoke: false };
  const startedMs = clock.monotonicMs();
  const healthy = (): boolean => progress.spoke || clock.monotonicMs() - startedMs >= HEALTHY_MS;
  try {
    yield* watchOnce(options, progress, signal);
    const next: State = { kind: 'listed', resourceVersion: progress.resourceVersion };
    return healthy() ? { next, healthy: true } : { next, healthy: false, fault: cutShort() };
  } catch (error) {
    const fault = toFault(error);
    const next: State = isExpired(fault)
      ? { kind: 'empty' }
      : { kind: 'suspect', resourceVersion: progress.resourceVersion };
    return { next, healthy: healthy(), fault };
  }
}

/** Where a broken watch goes on from: itself, or a new list when the server's history went backwards. */
const fromSuspect = async (
  options: ListWatchOptions,
  from: string,
  signal: AbortSignal,
): Promise<Outcome> => {
  try {
    const current = await options.resource.currentVersion(options.scope ?? {}, signal);
    const next: State = isOlder(current, from)
      ? { kind: 'empty' }
      : { kind: 'listed', resourceVersion: from };
    return { next, healthy: false };
  } catch (error) {
    return { next: { kind: 'suspect', resourceVersion: from }, healthy: false, fault: toFault(error) };
  }
};

async function* step(options: ListWatchOptions, state: State, signal: AbortSignal): Step {
  switch (state.kind) {
    case 'empty':
      return yield* fromEmpty(options, signal);
    case 'listed':
      return yield* fromListed(options, state.resourceVersion, signal);
    case 'suspect':
      return fromSuspect(options, state.resourceVersion, signal);
    default:
      return state satisfies never;
  }
}

/** Delay before going on after a fault. A first expiry needs none: a new list is the whole answer to it. */
const createPace = (random: () => number) => {
  const backoff = createBackoff(random);
  let expiries = 0;
  return ({ healthy, fault }: Outcome): number => {
    if (healthy) {
      backoff.reset();
      expiries = 0;
    }
    if (fault === undefined) {
      return 0;
    }
    expiries += isExpired(fault) ? 1 : 0;
    if (isExpired(fault) && expiries === 1) {
      return 0;
    }
    return Math.max(backoff.next(), Math.min(fault.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
  };
};

/**
 * Lists and watches until `signal` is aborted, then returns; never rejects. Faults are told as events and tried
 * again with back-off. Every change of the collection is reported, be it as an event or by a later list.
 */
export async function* listWatch(
  options: ListWatchOptions,
  signal: AbortSignal,
): AsyncGenerator<ListWatchEvent, void, undefined> {
  const pace = createPace(options.random);
  let state: State = { kind: 'empty' };
  while (!signal.aborted) {
    const outcome: Outcome = yield* step(options, state, signal);
    if (signal.aborted) {
      return;
    }
    state = outcome.next;
    const retryInMs = pace(outcome);
    if (outcome.fault !== undefined) {
      yield { kind: 'fault', fault: outcome.fault, retryInMs };
      await options.clock.sleep(retryInMs, signal).catch(() => undefined);
    }
  }
}
