import type { KubeObject, ObjectKey, ObjectName } from './types.ts';

/**
 * The seams of src/kube on one page: transport (HTTP), store (cache), resource (typed verbs) and cached kind (all
 * three for one kind). Every async function rejects with a `Fault` or with the reason of its aborted signal.
 */

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** One call. `verb` and `resource` only label metrics and messages (`list`, `virtualmachines/status`). */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly verb: string;
  readonly resource: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Milliseconds until the whole answer must be there; default 30 s. */
  readonly timeoutMs?: number;
}

/** What the metric hook is told; `code` is the HTTP status, or `<error>` when there was no answer. */
export interface RequestSeen {
  readonly verb: string;
  readonly resource: string;
  readonly code: string;
  readonly durationMs: number;
}

export interface Transport {
  /** The parsed JSON answer. */
  request(request: KubeRequest, signal: AbortSignal): Promise<unknown>;
  /** The body of an answer that does not end by itself (watch, logs), once its head says 200. */
  stream(request: KubeRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Ends every connection; calls in flight fail. */
  close(): Promise<void>;
}

/** An object that exists and whose content this version cannot read. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly key: ObjectKey;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly error: string;
}

/**
 * One change of a store. `new` absent: gone from the server, or `unreadable` now (then it still exists). Deliveries
 * are synchronous and after the store holds the new state; a relist delivers differences only.
 */
export interface Change<T> {
  readonly key: ObjectKey;
  readonly old?: T;
  readonly new?: T;
  readonly unreadable?: Unreadable;
}

/** What controllers see of a store: reads without any call, never older than this process's own last write. */
export interface StoreReader<T> {
  get(key: ObjectKey): T | undefined;
  list(): T[];
  byIndex(index: string, value: string): T[];
  readonly size: number;
  /** Objects that exist but could not be parsed; `get` does not return them. */
  unreadable(): Unreadable[];
  unreadableAt(key: ObjectKey): Unreadable | undefined;
  subscribe(listener: (change: Change<T>) => void): () => void;
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
}

/** An object to be written whole, typed or a literal; apiVersion and kind are filled in. */
export type Written =
  | { readonly metadata: ObjectName }
  | { readonly metadata: ObjectName; readonly [field: string]: unknown };

/** Server-side apply: the object names its apiVersion, kind, name and only the fields its manager owns. */
export interface Applied {
  readonly metadata: ObjectName & {
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly [field: string]: unknown;
}

/** `metadata.uid` and `metadata.resourceVersion` of the applied object are the server-checked preconditions. */
export interface ApplyOptions {
  readonly fieldManager: string;
  /** Take over fields that other managers own; controllers say true. */
  readonly force: boolean;
}

/** RFC 6902. A failing `test` is a `conflict` fault with reason `PatchTestFailed`. */
export type JsonPatchOp =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export interface PatchOptions {
  readonly fieldManager?: string;
  readonly subresource?: 'status';
}

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}

/** `absent`: was not there. `terminating`: finalizers hold it. `deleted`: gone. */
export type DeleteOutcome<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'terminating'; readonly object: T }
  | { readonly kind: 'deleted' };

export interface ListScope {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Page of a list: raw, stripped objects. `resourceVersion` is the list's, the same on every page. */
export interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** The first page of a list, again when an expired continue token made it start over: forget earlier pages. */
  readonly first: boolean;
  readonly last: boolean;
}

export interface WatchOptions extends ListScope {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
}

/**
 * Typed verbs of one kind. Every write verb puts the server's answer into the kind's store, when it has one, before
 * it resolves, so that a later read of the store is never older than the write.
 */
export interface Resource<T extends KubeObject> {
  /** `undefined` when there is no such object. */
  get(name: ObjectName, signal: AbortSignal): Promise<T | undefined>;
  listPages(scope: ListScope, signal: AbortSignal): AsyncGenerator<ListPage, void, undefined>;
  /** The newline-delimited JSON body of a watch. */
  watch(options: WatchOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** The collection's current resourceVersion by a quorum read of at most one object. */
  currentVersion(scope: ListScope, signal: AbortSignal): Promise<string>;
  create(object: Written, signal: AbortSignal): Promise<T>;
  /** The server refuses with a conflict when `metadata.resourceVersion` is not the stored one. */
  replace(object: Written, signal: AbortSignal): Promise<T>;
  apply(object: Applied, options: ApplyOptions, signal: AbortSignal): Promise<T>;
  applyStatus(object: Applied, options: ApplyOptions, signal: AbortSignal): Promise<T>;
  patchJson(
    name: ObjectName,
    patch: readonly JsonPatchOp[],
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<T>;
  delete(name: ObjectName, options: DeleteOptions, signal: AbortSignal): Promise<DeleteOutcome<T>>;
}

/** One kind, listed and watched into a store. */
export interface CachedKind<T extends KubeObject> {
  readonly store: StoreReader<T>;
  readonly resource: Resource<T>;
  /** Lists and watches until aborted; resolves then and never rejects: faults are retried and reported. */
  run(signal: AbortSignal): Promise<void>;
  readonly synced: Promise<void>;
}

/** The part of a pino logger that is used here: constant message, details as fields. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
