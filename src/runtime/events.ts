import { type Clock, rfc3339Micro } from './clock.ts';
import { Fault } from './fault.ts';
import type { Log } from './log.ts';
import { safeText } from './text.ts';
import { createTokenBuckets } from './token-bucket.ts';
import { within } from './within.ts';

/** The object an event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
}

/** events.k8s.io/v1 Event, the part we write. `eventTime` and `lastObservedTime` are MicroTime. */
export interface KubeEvent {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly action: string;
  readonly reason: string;
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference;
  readonly note: string;
  readonly type: 'Normal' | 'Warning';
  readonly series?: EventSeries;
}

export interface EventSeries {
  readonly count: number;
  readonly lastObservedTime: string;
}

/** Where events go. `patch` is a merge patch of `series`; it throws a fault when the event is gone. */
export interface EventSink {
  create(event: KubeEvent, signal: AbortSignal): Promise<void>;
  patch(namespace: string, name: string, series: EventSeries, signal: AbortSignal): Promise<void>;
}

/** What happened, as the caller says it. `reason` and `action` are CamelCase; `note` is one sentence. */
export interface Happening {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly related?: ObjectReference;
}

export interface EventsOptions {
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** `reportingController`, e.g. `ovcp.dev/operator`, and `reportingInstance`, e.g. the pod's name. */
  readonly reporter: { readonly controller: string; readonly instance: string };
  /** Namespace of the events of cluster-scoped objects; default `default`, as everywhere in Kubernetes. */
  readonly clusterNamespace?: string;
  /** Token bucket per object: burst (default 25) and one more token every so many ms (default 300,000), as client-go. */
  readonly burst?: number;
  readonly refillMs?: number;
  /** Repetitions within this span of the last one join a series; default 360,000 as client-go. */
  readonly seriesMs?: number;
  /** A series is patched at most this often; default 30,000. */
  readonly patchEveryMs?: number;
}

/** Call it after the status write that shows the transition. */
export interface Events {
  /** Never throws, never waits: an event that cannot be written is dropped and logged. */
  emit(regarding: ObjectReference, happening: Happening): void;
  /** Writes what is outstanding, waiting at most `timeoutMs` (default 2,000). */
  close(timeoutMs?: number): Promise<void>;
}

// limits of events.k8s.io/v1 (k8s.io/kubernetes/pkg/apis/core/validation/events.go): note 1 kB, the names 128
const maxNoteBytes = 1_024;
const maxNameBytes = 128;
const maxSeries = 4_096;
const maxOutstanding = 4_096;
const callMs = 10_000;

/** One event object and the happenings it stands for. */
interface Series {
  readonly event: KubeEvent;
  count: number;
  lastMs: number;
  lastWallMs: number;
  cancelPatch: (() => void) | undefined;
}

const seriesKey = (regarding: ObjectReference, { type, reason, action, note }: Happening): string =>
  JSON.stringify([
    regarding.kind,
    regarding.namespace,
    regarding.name,
    regarding.uid,
    type,
    reason,
    action,
    note,
  ]);

const objectKey = ({ kind, namespace, name, uid }: ObjectReference): string =>
  JSON.stringify([kind, namespace, name, uid]);

/** `<name>.<16 hex digits>`, as client-go names them, but random: two operators never meet. */
const eventName = (object: string, random: () => number): string => {
  const part = (): string =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  return `${object.slice(0, 200)}.${part()}${part()}`;
};

type Settings = Required<EventsOptions>;

const toEvent = (regarding: ObjectReference, happening: Happening, settings: Settings): KubeEvent => {
  const { reporter, clock, random, clusterNamespace } = settings;
  const { type, related } = happening;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: eventName(regarding.name, random),
      namespace: regarding.namespace ?? clusterNamespace,
    },
    eventTime: rfc3339Micro(clock.nowMs()),
    reportingController: safeText(reporter.controller, maxNameBytes),
    reportingInstance: safeText(reporter.instance, maxNameBytes),
    action: safeText(happening.action, maxNameBytes),
    reason: safeText(happening.reason, maxNameBytes),
    regarding,
    ...(related === undefined ? {} : { related }),
    note: safeText(happening.note, maxNoteBytes),
    type,
  };
};

/** Calls to the sink one after the other, so that an event is always created before its series is patched. */
const createLine = (log: Log) => {
  let outstanding = 0;
  let last: Promise<void> = Promise.resolve();
  const attempt = async (call: () => Promise<void>): Promise<void> => {
    try {
      await call();
    } catch (error) {
      log.warn({ err: error }, 'event not written');
    } finally {
      outstanding -= 1;
    }
  };
  return {
    /** False when the line is too long: the API server is slow or away, and events are the least of it. */
    join: (call: () => Promise<void>): boolean => {
      if (outstanding >= maxOutstanding) {
        return false;
      }
      outstanding += 1;
      const before = last;
      last = before.then(() => attempt(call));
      return true;
    },
    empty: (): Promise<void> => last,
  };
};

const defaults = {
  clusterNamespace: 'default',
  burst: 25,
  refillMs: 300_000,
  seriesMs: 360_000,
  patchEveryMs: 30_000,
};

/** Puts a series last, and lets go of the first one when it is over or there are too many. */
const remember = (running: Map<string, Series>, key: string, series: Series, seriesMs: number): void => {
  running.delete(key);
  running.set(key, series);
  const oldest = running.entries().next();
  if (oldest.done === true || oldest.value[1] === series) {
    return;
  }
  const [oldKey, old] = oldest.value;
  if (running.size > maxSeries || old.lastMs + seriesMs < series.lastMs) {
    running.delete(oldKey);
  }
};

/** See Events. */
export const createEvents = (options: EventsOptions): Events => {
  const settings: Settings = { ...defaults, ...options };
  const { sink, clock, log, seriesMs, patchEveryMs, burst, refillMs } = settings;
  const ended = new AbortController();
  const line = createLine(log);
  const running = new Map<string, Series>();
  const buckets = createTokenBuckets({ clock, burst, refillMs, maxKeys: maxSeries });

  const call = (run: (signal: AbortSignal) => Promise<void>): boolean =>
    line.join(() => within({ clock, limitMs: callMs, signal: ended.signal }, run));

  const patch = (key: string, series: Series): void => {
    const { namespace, name } = series.event.metadata;
    series.cancelPatch = undefined;
    call(async (signal) => {
      const { count, lastWallMs } = series;
      const lastObservedTime = rfc3339Micro(lastWallMs);
      try {
        await sink.patch(namespace, name, { count, lastObservedTime }, signal);
      } catch (error) {
        // the server drops events after an hour: the next one starts a series of its own
        running.delete(key);
        throw error;
      }
    });
  };

  const repeat = (key: string, series: Series): void => {
    series.count += 1;
    series.lastMs = clock.monotonicMs();
    series.lastWallMs = clock.nowMs();
    series.cancelPatch ??= clock.after(patchEveryMs, () => patch(key, series));
    remember(running, key, series, seriesMs);
  };

  const emit: Events['emit'] = (regarding, happening) => {
    const key = seriesKey(regarding, happening);
    const former = running.get(key);
    if (former !== undefined && former.lastMs + seriesMs >= clock.monotonicMs()) {
      repeat(key, former);
      return;
    }
    if (!buckets.take(objectKey(regarding))) {
      log.debug({ reason: happening.reason, name: regarding.name }, 'event dropped by rate');
      return;
    }
    const event = toEvent(regarding, happening, settings);
    const nowMs = clock.monotonicMs();
    const series = { event, count: 1, lastMs: nowMs, lastWallMs: clock.nowMs(), cancelPatch: undefined };
    remember(running, key, series, seriesMs);
    if (!call((signal) => sink.create(event, signal))) {
      running.delete(key);
      log.warn({ reason: happening.reason, name: regarding.name }, 'event dropped by backlog');
    }
  };

  const close = async (timeoutMs = 2_000): Promise<void> => {
    for (const [key, series] of running) {
      if (series.cancelPatch !== undefined) {
        series.cancelPatch();
        patch(key, series);
      }
    }
    const cancel = clock.after(timeoutMs, () =>
      ended.abort(new Fault('busy', 'The operator is stopping.', { reason: 'Stopping' })),
    );
    await line.empty();
    cancel();
  };

  return { emit, close };
};
