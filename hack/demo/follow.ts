/** Follows a cluster by `kubectl get --watch` and prints a line whenever what `kubectl get` would show changes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KindDefinition } from '../../src/api/kind.ts';
import { columnOf, conditionOf, type Json, textAt } from './json.ts';

export interface Follower {
  /** The newest state of an object; undefined when there is none. `namespace` is empty for cluster-scoped kinds. */
  get(kind: string, namespace: string, name: string): Json | undefined;
  /**
   * Waits until `look` finds something; it is asked at each change and every second. Throws what `look` throws, and
   * after `limitMs` an error that says `what` and what there is.
   */
  until<T>(what: string, look: (follower: Follower) => T | undefined, limitMs: number): Promise<T>;
  stop(): Promise<void>;
}

export interface FollowOptions {
  readonly kinds: readonly KindDefinition[];
  /** kubectl with its kubeconfig. */
  readonly kubectl: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  /** Ends what waits in `until`. */
  readonly signal: AbortSignal;
}

const keyOf = (kind: string, namespace: string, name: string): string => `${kind}/${namespace}/${name}`;

/** What is wrong with something that can be used all the same. */
const ailing = (object: Json): string =>
  ['', 'Healthy'].includes(textAt(object, 'status', 'health', 'state'))
    ? ''
    : textAt(object, 'status', 'health', 'message');

/** One object as `kubectl get` shows it, without its age; with its message while it is not ready or not healthy. */
export const rowOf = (kind: KindDefinition, object: Json): string => {
  const columns = kind.printerColumns.filter(
    (column) => (column.priority ?? 0) === 0 && column.name !== 'Age',
  );
  const cells = columns.map((column) => {
    const value = columnOf(object, column.jsonPath) || '-';
    return `${column.name.toLowerCase()}=${value}`;
  });
  const ready = conditionOf(object, 'Ready');
  const trouble =
    ready === undefined || ready['status'] === 'True' ? ailing(object) : textAt(ready, 'message');
  const message = trouble === '' ? '' : `  "${trouble}"`;
  const namespace = textAt(object, 'metadata', 'namespace');
  const name = `${namespace === '' ? '' : `${namespace}/`}${textAt(object, 'metadata', 'name')}`;
  return `${kind.kind} ${name}  ${cells.join(' ')}${message}`;
};

/** Calls `take` for every event; ends when kubectl does. */
const watchOnce = async (
  options: FollowOptions,
  kind: KindDefinition,
  take: (type: string, object: Json) => void,
  children: Set<ChildProcess>,
): Promise<void> => {
  const [program = 'kubectl', ...args] = options.kubectl;
  const scope = kind.scope === 'Namespaced' ? ['--all-namespaces'] : [];
  const what = `${kind.plural}.${kind.group}`;
  const child = spawn(
    program,
    [...args, 'get', what, ...scope, '-w', '--output-watch-events', '-o', 'json'],
    {
      env: options.env,
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    },
  );
  children.add(child);
  child.on('error', () => undefined);
  // One event to a line.
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as { type?: string; object?: Json };
    if (event.type !== undefined && event.object !== undefined) take(event.type, event.object);
  }
  children.delete(child);
};

export const follow = (options: FollowOptions): Follower => {
  const objects = new Map<string, Json>();
  const rows = new Map<string, string>();
  const children = new Set<ChildProcess>();
  const listeners = new Set<() => void>();
  let stopped = false;

  const takeOf =
    (kind: KindDefinition) =>
    (type: string, object: Json): void => {
      const namespace = textAt(object, 'metadata', 'namespace');
      const name = textAt(object, 'metadata', 'name');
      const key = keyOf(kind.kind, namespace, name);
      if (type === 'DELETED') {
        objects.delete(key);
        rows.delete(key);
        options.say(`${kind.kind} ${namespace === '' ? '' : `${namespace}/`}${name}  is gone`);
      } else {
        objects.set(key, object);
        const row = rowOf(kind, object);
        if (rows.get(key) !== row) options.say(row);
        rows.set(key, row);
      }
      for (const listener of listeners) listener();
    };

  const watch = async (kind: KindDefinition): Promise<void> => {
    while (!stopped) {
      await watchOnce(options, kind, takeOf(kind), children);
      // The API server ends each watch after a while, or was not reached.
      if (!stopped) await sleep(500);
    }
  };
  const watching = options.kinds.map((kind) => watch(kind));

  const known = (): string => [...rows.values()].map((row) => `  ${row}`).join('\n');

  const follower: Follower = {
    get: (kind, namespace, name) => objects.get(keyOf(kind, namespace, name)),
    until: <T>(what: string, look: (it: Follower) => T | undefined, limitMs: number): Promise<T> => {
      const done = Promise.withResolvers<T>();
      const check = (): void => {
        try {
          const found = look(follower);
          if (found !== undefined) done.resolve(found);
        } catch (error) {
          done.reject(error);
        }
      };
      const abort = (): void => done.reject(options.signal.reason);
      const tooLate = (): void =>
        done.reject(new Error(`${what} was not seen within ${limitMs / 1000} s; what there is:\n${known()}`));
      const timer = setTimeout(tooLate, limitMs);
      // What lasts too long shows by no event.
      const again = setInterval(check, 1000);
      options.signal.addEventListener('abort', abort);
      listeners.add(check);
      if (options.signal.aborted) abort();
      else check();
      return done.promise.finally(() => {
        clearTimeout(timer);
        clearInterval(again);
        options.signal.removeEventListener('abort', abort);
        listeners.delete(check);
      });
    },
    stop: async () => {
      stopped = true;
      for (const child of children) child.kill('SIGTERM');
      await Promise.all(watching);
    },
  };
  return follower;
};
