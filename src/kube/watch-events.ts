import { Fault, toFault } from '../runtime/fault.ts';
import { faultOfStatusObject } from './kube-fault.ts';

/** What one event of a watch says; objects are still as the server sent them. */
export type WatchChange =
  | { readonly kind: 'set'; readonly object: unknown }
  | { readonly kind: 'deleted'; readonly object: unknown }
  | { readonly kind: 'position'; readonly resourceVersion: string };

interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

const LABEL = { verb: 'watch', resource: 'events' };

const badEvent = (): Fault =>
  new Fault('unreachable', 'a watch event has no type or object', { reason: 'BadWatchEvent' });

const asWatchEvent = (value: unknown): WatchEvent => {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('object' in value)) {
    throw badEvent();
  }
  if (typeof value.type !== 'string') {
    throw badEvent();
  }
  return { type: value.type, object: value.object };
};

export const versionIn = (object: unknown): string => {
  const { metadata } = (object ?? {}) as { metadata?: { resourceVersion?: unknown } };
  if (typeof metadata?.resourceVersion !== 'string' || metadata.resourceVersion === '') {
    throw badEvent();
  }
  return metadata.resourceVersion;
};

/** Types: apimachinery `watch.EventType`. An ERROR carries a `Status`. */
const toChange = (value: unknown): WatchChange => {
  const { type, object } = asWatchEvent(value);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'set', object };
    case 'DELETED':
      return { kind: 'deleted', object };
    case 'BOOKMARK':
      return { kind: 'position', resourceVersion: versionIn(object) };
    case 'ERROR':
      throw faultOfStatusObject(LABEL, object);
    default:
      throw badEvent();
  }
};

/** Events of one chunk up to the first that is a failure; what came before it counts. */
export const toChanges = (
  values: readonly unknown[],
): { changes: WatchChange[]; failure: Fault | undefined } => {
  const changes: WatchChange[] = [];
  for (const value of values) {
    try {
      changes.push(toChange(value));
    } catch (error) {
      return { changes, failure: toFault(error) };
    }
  }
  return { changes, failure: undefined };
};
