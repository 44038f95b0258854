import { Fault } from '../../runtime/fault.ts';
import type { KubeRequest, Transport } from '../contract.ts';

/**
 * The part of the API server's semantics that caching depends on, as a transport: one history with one growing
 * version, lists of one moment in pages, watches that replay from a version, expiry by compaction, restore of an
 * older snapshot. It is a model for property tests; the real server is used in test/integration.
 */

export interface ModelObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly value: number };
}

interface Step {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: ModelObject;
}

interface Snapshot {
  readonly version: number;
  readonly objects: ReadonlyMap<string, ModelObject>;
}

export interface ModelServer extends Transport {
  readonly objects: ReadonlyMap<string, ModelObject>;
  readonly version: number;
  /** Somebody else's write. */
  put(name: string, value: number): void;
  remove(name: string): void;
  /** Deletes and makes anew: another uid. */
  recreate(name: string, value: number): void;
  /** Breaks every open watch, as a lost connection does. */
  dropWatches(): void;
  /** Events before now can no longer be watched and pages no longer continued. */
  compact(): void;
  snapshot(): Snapshot;
  /** Puts an older state back; versions go on from there and are handed out a second time. */
  restore(snapshot: Snapshot): void;
  bookmark(): void;
  /** Holds answers of writes back until `releaseAnswers`. */
  holdAnswers(): void;
  releaseAnswers(): void;
}

/** An open watch: lines not yet read, and who waits for one. */
interface OpenWatch {
  readonly lines: string[];
  wake: (() => void) | undefined;
  broken: boolean;
}

const PAGE = 2;

const status = (code: number, reason: string): unknown => ({ kind: 'Status', code, reason, message: reason });

export const createModelServer = (): ModelServer => {
  const objects = new Map<string, ModelObject>();
  const watches = new Set<OpenWatch>();
  const lists = new Map<string, { items: ModelObject[]; version: number }>();
  let history: Step[] = [];
  let version = 1;
  let compacted = 0;
  let uids = 0;
  let gate: PromiseWithResolvers<void> | undefined;

  const say = (watch: OpenWatch, event: unknown): void => {
    watch.lines.push(`${JSON.stringify(event)}\n`);
    watch.wake?.();
  };

  const record = (type: Step['type'], object: ModelObject): void => {
    history.push({ version, type, object });
    for (const watch of watches) {
      say(watch, { type, object });
    }
  };

  const write = (name: string, value: number): ModelObject => {
    version += 1;
    const known = objects.get(name);
    uids += known === undefined ? 1 : 0;
    const metadata = { name, uid: known?.metadata.uid ?? `uid-${uids}`, resourceVersion: String(version) };
    const object: ModelObject = { apiVersion: 'model/v1', kind: 'Model', metadata, spec: { value } };
    objects.set(name, object);
    record(known === undefined ? 'ADDED' : 'MODIFIED', object);
    return object;
  };

  const remove = (name: string): ModelObject | undefined => {
    const known = objects.get(name);
    if (known === undefined) {
      return undefined;
    }
    version += 1;
    objects.delete(name);
    const gone = { ...known, metadata: { ...known.metadata, resourceVersion: String(version) } };
    record('DELETED', gone);
    return known;
  };

  const listPage = (query: KubeRequest['query'] = {}): unknown => {
    const token = query['continue'];
    const [id = '', offset = '0'] = typeof token === 'string' ? token.split(':') : [];
    const listed = token === undefined ? { items: [...objects.values()], version } : lists.get(id);
    if (listed === undefined) {
      throw new Fault('conflict', 'the continue token has expired', { reason: 'Expired' });
    }
    const from = Number(offset);
    const key = token === undefined ? `${version}-${lists.size}` : id;
    lists.set(key, listed);
    const rest = listed.items.length > from + PAGE ? { continue: `${key}:${from + PAGE}` } : {};
    return {
      metadata: { resourceVersion: String(listed.version), ...rest },
      items: listed.items.slice(from, from + PAGE),
    };
  };

  const answer = async (request: KubeRequest, signal: AbortSignal): Promise<unknown> => {
    const name = request.path.split('/').at(-1) ?? '';
    const done = request.verb === 'delete' ? remove(name) : write(name, readValue(request.body));
    await gate?.promise;
    signal.throwIfAborted();
    if (request.verb !== 'delete') {
      return done;
    }
    if (done === undefined) {
      throw new Fault('conflict', 'not found', { reason: 'NotFound' });
    }
    return { kind: 'Status', status: 'Success', details: { name, uid: done.metadata.uid } };
  };

  const open = (from: number): OpenWatch => {
    const watch: OpenWatch = { lines: [], wake: undefined, broken: false };
    if (from < compacted) {
      say(watch, { type: 'ERROR', object: status(410, 'Expired') });
      return watch;
    }
    for (const step of history.filter((step) => step.version > from)) {
      say(watch, { type: step.type, object: step.object });
    }
    watches.add(watch);
    return watch;
  };

  const stream: Transport['stream'] = async (request, signal) => {
    signal.throwIfAborted();
    const watch = open(Number(request.query?.['resourceVersion']));
    return readWatch(watch, signal, () => watches.delete(watch));
  };

  return {
    objects,
    get version() {
      return version;
    },
    request: async (request, signal) => {
      signal.throwIfAborted();
      return request.verb === 'list' ? listPage(request.query) : answer(request, signal);
    },
    stream,
    close: async () => undefined,
    put: (name, value) => void write(name, value),
    remove: (name) => void remove(name),
    recreate: (name, value) => {
      remove(name);
      write(name, value);
    },
    dropWatches: () => {
      for (const watch of watches) {
        watch.broken = true;
        watch.wake?.();
      }
    },
    compact: () => {
      compacted = version;
      history = [];
      lists.clear();
    },
    snapshot: () => ({ version, objects: new Map(objects) }),
    restore: (snapshot) => {
      objects.clear();
      for (const [name, object] of snapshot.objects) {
        objects.set(name, object);
      }
      version = snapshot.version;
      compacted = Math.min(compacted, version);
      history = history.filter((step) => step.version <= version);
      lists.clear();
    },
    bookmark: () => {
      for (const watch of watches) {
        say(watch, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } });
      }
    },
    holdAnswers: () => {
      gate ??= Promise.withResolvers<void>();
    },
    releaseAnswers: () => {
      gate?.resolve();
      gate = undefined;
    },
  };
};

const readValue = (body: unknown): number => (body as { spec: { value: number } }).spec.value;

async function* readWatch(
  watch: OpenWatch,
  signal: AbortSignal,
  onClose: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const onAbort = (): void => watch.wake?.();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const lines = watch.lines.splice(0);
      if (lines.length > 0) {
        yield Buffer.from(lines.join(''));
      } else if (watch.broken) {
        throw new Fault('unreachable', 'connection lost', { reason: 'NoAnswer' });
      } else {
        await new Promise<void>((resolve) => {
          watch.wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    onClose();
  }
}
