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
  /** Holds list answers and watch events back until `releaseReads`; what they say is as of when they were asked. */
  holdReads(): void;
  releaseReads(): void;
}

/** Lets through at once, unless held. */
interface Gate {
  hold(): void;
  release(): void;
  pass(): Promise<void>;
}

/** An open watch: lines not yet read, and who waits for one. */
interface OpenWatch {
  readonly lines: string[];
  wake: (() => void) | undefined;
  broken: boolean;
}

const PAGE = 2;

const createGate = (): Gate => {
  let held: PromiseWithResolvers<void> | undefined;
  return {
    hold: () => {
      held ??= Promise.withResolvers<void>();
    },
    release: () => {
      held?.resolve();
      held = undefined;
    },
    pass: () => held?.promise ?? Promise.resolve(),
  };
};

const status = (code: number, reason: string): unknown => ({ kind: 'Status', code, reason, message: reason });

interface Model {
  readonly objects: Map<string, ModelObject>;
  readonly watches: Set<OpenWatch>;
  readonly lists: Map<string, { readonly items: ModelObject[]; readonly version: number }>;
  readonly answers: Gate;
  readonly reads: Gate;
  history: Step[];
  version: number;
  compacted: number;
  uids: number;
}

const say = (watch: OpenWatch, event: unknown): void => {
  watch.lines.push(`${JSON.stringify(event)}\n`);
  watch.wake?.();
};

const record = (model: Model, type: Step['type'], object: ModelObject): void => {
  model.history.push({ version: model.version, type, object });
  for (const watch of model.watches) {
    say(watch, { type, object });
  }
};

const write = (model: Model, name: string, value: number): ModelObject => {
  model.version += 1;
  const known = model.objects.get(name);
  model.uids += known === undefined ? 1 : 0;
  const uid = known?.metadata.uid ?? `uid-${model.uids}`;
  const metadata = { name, uid, resourceVersion: String(model.version) };
  const object: ModelObject = { apiVersion: 'model/v1', kind: 'Model', metadata, spec: { value } };
  model.objects.set(name, object);
  record(model, known === undefined ? 'ADDED' : 'MODIFIED', object);
  return object;
};

const remove = (model: Model, name: string): ModelObject | undefined => {
  const known = model.objects.get(name);
  if (known === undefined) {
    return undefined;
  }
  model.version += 1;
  model.objects.delete(name);
  const metadata = { ...known.metadata, resourceVersion: String(model.version) };
  record(model, 'DELETED', { ...known, metadata });
  return known;
};

const listPage = (model: Model, query: KubeRequest['query'] = {}): unknown => {
  const token = query['continue'];
  const [id = '', offset = '0'] = typeof token === 'string' ? token.split(':') : [];
  const { objects, version, lists } = model;
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

const answerWrite = async (model: Model, request: KubeRequest, signal: AbortSignal): Promise<unknown> => {
  const name = request.path.split('/').at(-1) ?? '';
  const deletes = request.verb === 'delete';
  const done = deletes ? remove(model, name) : write(model, name, readValue(request.body));
  await model.answers.pass();
  signal.throwIfAborted();
  if (!deletes) {
    return done;
  }
  if (done === undefined) {
    throw new Fault('conflict', 'not found', { reason: 'NotFound' });
  }
  return { kind: 'Status', status: 'Success', details: { name, uid: done.metadata.uid } };
};

const openWatch = (model: Model, from: number): OpenWatch => {
  const watch: OpenWatch = { lines: [], wake: undefined, broken: false };
  if (from < model.compacted) {
    say(watch, { type: 'ERROR', object: status(410, 'Expired') });
    return watch;
  }
  for (const step of model.history.filter((step) => step.version > from)) {
    say(watch, { type: step.type, object: step.object });
  }
  model.watches.add(watch);
  return watch;
};

const restore = (model: Model, snapshot: Snapshot): void => {
  model.objects.clear();
  for (const [name, object] of snapshot.objects) {
    model.objects.set(name, object);
  }
  model.version = snapshot.version;
  model.compacted = Math.min(model.compacted, snapshot.version);
  model.history = model.history.filter((step) => step.version <= snapshot.version);
  model.lists.clear();
};

const compact = (model: Model): void => {
  model.compacted = model.version;
  model.history = [];
  model.lists.clear();
};

const dropWatches = (model: Model): void => {
  for (const watch of model.watches) {
    watch.broken = true;
    watch.wake?.();
  }
};

const bookmark = (model: Model): void => {
  for (const watch of model.watches) {
    say(watch, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(model.version) } } });
  }
};

const createModel = (): Model => ({
  objects: new Map(),
  watches: new Set(),
  lists: new Map(),
  answers: createGate(),
  reads: createGate(),
  history: [],
  version: 1,
  compacted: 0,
  uids: 0,
});

export const createModelServer = (): ModelServer => {
  const model = createModel();
  const list = async (query: KubeRequest['query']): Promise<unknown> => {
    const page = listPage(model, query);
    await model.reads.pass();
    return page;
  };
  return {
    objects: model.objects,
    request: async (request, signal) => {
      signal.throwIfAborted();
      return request.verb === 'list' ? list(request.query) : answerWrite(model, request, signal);
    },
    stream: async (request, signal) => {
      signal.throwIfAborted();
      const watch = openWatch(model, Number(request.query?.['resourceVersion']));
      return readWatch(watch, { reads: model.reads, onClose: () => model.watches.delete(watch) }, signal);
    },
    close: async () => undefined,
    put: (name, value) => void write(model, name, value),
    remove: (name) => void remove(model, name),
    recreate: (name, value) => {
      remove(model, name);
      write(model, name, value);
    },
    dropWatches: () => dropWatches(model),
    compact: () => compact(model),
    snapshot: () => ({ version: model.version, objects: new Map(model.objects) }),
    restore: (snapshot) => restore(model, snapshot),
    bookmark: () => bookmark(model),
    holdAnswers: () => model.answers.hold(),
    releaseAnswers: () => model.answers.release(),
    holdReads: () => model.reads.hold(),
    releaseReads: () => model.reads.release(),
  };
};

const readValue = (body: unknown): number => (body as { spec: { value: number } }).spec.value;

async function* readWatch(
  watch: OpenWatch,
  { reads, onClose }: { readonly reads: Gate; readonly onClose: () => void },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const onAbort = (): void => watch.wake?.();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      await reads.pass();
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
