import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

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
