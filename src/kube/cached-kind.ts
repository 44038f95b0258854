import type { Clock } from '../runtime/clock.ts';
import type { CachedKind, ListScope, Log, Transport, Unreadable } from './contract.ts';
import type { Indexer } from './indexes.ts';
import { type ListWatchEvent, listWatch } from './list-watch.ts';
import { type RawObject, toRawObject } from './raw-object.ts';
import { createResource } from './resource.ts';
import { createStore, type Relist, type Store } from './store.ts';
import type { Entry } from './store-table.ts';
import { type KindInfo, type KubeObject, keyOf, type Parse } from './types.ts';
import { unreadableOf } from './unreadable.ts';
import type { WatchChange } from './watch-events.ts';

export interface CachedKindOptions<T extends KubeObject> {
  readonly parse: Parse<T>;
  readonly indexes?: Readonly<Record<string, Indexer<T>>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Watch a part only: one namespace, or what selectors match. */
  readonly scope?: ListScope;
  /** An object that exists and cannot be parsed; told once per version of it. */
  readonly onUnreadable?: (unreadable: Unreadable) => void;
  readonly inactivityMs?: number;
}

/** Pure translation from what the server sent to what the store takes. */
const createReader =
  <T extends KubeObject>({ parse, onUnreadable }: CachedKindOptions<T>) =>
  (raw: RawObject): Entry<T> => {
    try {
      return parse(raw);
    } catch (error) {
      const unreadable = unreadableOf(raw, error);
      onUnreadable?.(unreadable);
      return unreadable;
    }
  };

const applyChange = <T extends KubeObject>(
  kindInfo: KindInfo,
  store: Store<T>,
  read: (raw: RawObject) => Entry<T>,
  change: WatchChange,
): void => {
  if (change.kind === 'position') {
    store.observePosition(change.resourceVersion);
    return;
  }
  const raw = toRawObject(kindInfo, change.object);
  if (raw === undefined) {
    return;
  }
  if (change.kind === 'deleted') {
    store.observeDeleted(keyOf(raw), raw.metadata);
  } else if (store.isNews(keyOf(raw), raw.metadata)) {
    store.observe(read(raw));
  }
  store.observePosition(raw.metadata.resourceVersion);
};

const addPage = <T extends KubeObject>(
  kindInfo: KindInfo,
  relist: Relist<T>,
  read: (raw: RawObject) => Entry<T>,
  page: Extract<ListWatchEvent, { kind: 'page' }>,
): void => {
  for (const item of page.items) {
    const raw = toRawObject(kindInfo, item);
    if (raw !== undefined && !relist.keep(keyOf(raw), raw.metadata, page.resourceVersion)) {
      relist.add(read(raw));
    }
  }
};

/** Lists and watches one kind into a store that its own write verbs keep fresh. */
export const createCachedKind = <T extends KubeObject>(
  transport: Transport,
  kindInfo: KindInfo,
  options: CachedKindOptions<T>,
): CachedKind<T> => {
  const { clock, random, log, scope = {} } = options;
  const store = createStore<T>({
    ...(options.indexes && { indexes: options.indexes }),
    selective: Object.values(scope).some((part) => part !== undefined),
    onListenerError: (err) => log.error({ err, kind: kindInfo.kind }, 'subscriber of a store failed'),
  });
  const resource = createResource(transport, kindInfo, { parse: options.parse, sink: store });
  const read = createReader(options);
  let relist: Relist<T> | undefined;

  const take = (event: ListWatchEvent): void => {
    switch (event.kind) {
      case 'listStart':
        relist = store.relist();
        return;
      case 'page':
        relist ??= store.relist();
        addPage(kindInfo, relist, read, event);
        return;
      case 'listed':
        relist?.commit(event.resourceVersion);
        log.debug({ kind: kindInfo.kind, objects: store.size }, 'listed');
        return;
      case 'changes':
        event.changes.forEach((change) => applyChange(kindInfo, store, read, change));
        return;
      case 'fault': {
        const { kind: fault, reason, message } = event.fault;
        const fields = { kind: kindInfo.kind, fault, reason, message, retryInMs: event.retryInMs };
        log.warn(fields, 'list-watch interrupted');
        return;
      }
      default:
        event satisfies never;
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    const { inactivityMs } = options;
    const settings = {
      resource,
      scope,
      clock,
      random,
      ...(inactivityMs === undefined ? {} : { inactivityMs }),
    };
    for await (const event of listWatch(settings, signal)) {
      take(event);
    }
  };

  return { store, resource, run, synced: store.synced };
};
