import { Fault, isFault } from '../runtime/fault.ts';
import type { ListPage, ListScope, Query, Resource, Transport } from './contract.ts';
import { isExpired } from './kube-fault.ts';
import { collectionPath } from './resource-path.ts';
import type { KindInfo, KubeObject } from './types.ts';

const PAGE_SIZE = 500;
/** A list that cannot be read before its continue token expires is started over this often. */
const MAX_RESTARTS = 3;

interface ListAnswer {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

const selectors = ({ labelSelector, fieldSelector }: ListScope): Query => ({ labelSelector, fieldSelector });

const readList = (kindInfo: KindInfo, answer: unknown): ListAnswer => {
  const { metadata, items } = answer as {
    metadata?: { resourceVersion?: unknown; continue?: unknown };
    items?: unknown;
  };
  const version = metadata?.resourceVersion;
  // An empty Go slice may arrive as null.
  if (typeof version !== 'string' || (items !== null && !Array.isArray(items))) {
    throw new Fault('unreachable', `the answer for a list of ${kindInfo.plural} is not a list`, {
      reason: 'BadAnswer',
    });
  }
  const next = metadata?.continue;
  return {
    items: items ?? [],
    resourceVersion: version,
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
};

/** The verbs on a collection. */
export const createListVerbs = (
  transport: Transport,
  kindInfo: KindInfo,
): Pick<Resource<KubeObject>, 'listPages' | 'watch' | 'currentVersion'> => {
  const list = async (scope: ListScope, query: Query, signal: AbortSignal): Promise<ListAnswer> => {
    const answer = await transport.request(
      {
        method: 'GET',
        verb: 'list',
        resource: kindInfo.plural,
        path: collectionPath(kindInfo, scope.namespace),
        query: { ...query, ...selectors(scope) },
      },
      signal,
    );
    return readList(kindInfo, answer);
  };

  async function* listPages(
    scope: ListScope,
    signal: AbortSignal,
  ): AsyncGenerator<ListPage, void, undefined> {
    let next: string | undefined;
    let first = true;
    let restarts = 0;
    do {
      try {
        const page = await list(scope, { limit: PAGE_SIZE, continue: next }, signal);
        next = page.next;
        yield {
          items: page.items,
          resourceVersion: page.resourceVersion,
          first,
          last: next === undefined,
        };
        first = false;
      } catch (error) {
        if (first || !isFault(error) || !isExpired(error) || restarts === MAX_RESTARTS) {
          throw error;
        }
        restarts += 1;
        next = undefined;
        first = true;
      }
    } while (next !== undefined || first);
  }

  const watch: Resource<KubeObject>['watch'] = (options, signal) =>
    transport.stream(
      {
        method: 'GET',
        verb: 'watch',
        resource: kindInfo.plural,
        path: collectionPath(kindInfo, options.namespace),
        query: {
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: options.resourceVersion,
          timeoutSeconds: options.timeoutSeconds,
          ...selectors(options),
        },
      },
      signal,
    );

  const currentVersion: Resource<KubeObject>['currentVersion'] = async (scope, signal) =>
    (await list(scope, { limit: 1 }, signal)).resourceVersion;

  return { listPages, watch, currentVersion };
};
