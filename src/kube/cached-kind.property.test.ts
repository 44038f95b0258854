import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCachedKind } from './cached-kind.ts';
import type { Applied, CachedKind, Log } from './contract.ts';
import { createModelServer, type ModelServer } from './testing/model-server.ts';
import { createEagerClock } from './testing/scripted-server.ts';
import type { KindInfo, KubeObject } from './types.ts';

const MODEL: KindInfo = { group: 'model', version: 'v1', plural: 'models', kind: 'Model', scope: 'Cluster' };
/** A broken law inside a subscriber arrives here as a logged error. */
const collecting = (errors: unknown[]): Log => ({
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields) => void errors.push((fields as { err?: unknown }).err),
});

interface Model extends KubeObject {
  readonly spec: { readonly value: number };
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const value = fc.integer({ min: 0, max: 9 });
const operation = fc.oneof(
  fc.record({ op: fc.constant('put' as const), name, value }),
  fc.record({ op: fc.constant('remove' as const), name }),
  fc.record({ op: fc.constant('recreate' as const), name, value }),
  fc.record({ op: fc.constant('ownApply' as const), name, value }),
  fc.record({ op: fc.constant('ownDelete' as const), name }),
  fc.constant({ op: 'holdAnswers' as const }),
  fc.constant({ op: 'releaseAnswers' as const }),
  fc.constant({ op: 'holdReads' as const }),
  fc.constant({ op: 'releaseReads' as const }),
  fc.constant({ op: 'drop' as const }),
  fc.constant({ op: 'compactAndDrop' as const }),
  fc.constant({ op: 'bookmark' as const }),
  fc.constant({ op: 'settle' as const }),
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const start = (server: ModelServer) => {
  const abort = new AbortController();
  const errors: unknown[] = [];
  const kind = createCachedKind<Model>(server, MODEL, {
    parse: (raw) => raw as Model,
    indexes: { byValue: (object) => [String(object.spec.value)] },
    clock: createEagerClock(),
    random: () => 0.5,
    log: collecting(errors),
  });
  const done = kind.run(abort.signal);
  return { kind, errors, stop: () => (abort.abort(), done), signal: abort.signal };
};

const contentOf = (objects: Iterable<{ metadata: { name: string; uid: string; resourceVersion: string } }>) =>
  [...objects]
    .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`)
    .toSorted();

/** The law: what is read after our own write is never older than it. */
const ownApply = async (
  server: ModelServer,
  kind: CachedKind<Model>,
  object: Applied,
  signal: AbortSignal,
): Promise<void> => {
  const { metadata } = await kind.resource.apply(object, { fieldManager: 'test', force: true }, signal);
  const known = kind.store.get(metadata.name);
  const gone = known === undefined && server.objects.get(metadata.name)?.metadata.uid !== metadata.uid;
  const version = BigInt(known?.metadata.resourceVersion ?? 0);
  expect(gone || version >= BigInt(metadata.resourceVersion)).toBe(true);
};

/** What a subscriber may rely on while the history only goes forwards. */
const watchLaws = (server: ModelServer, kind: CachedKind<Model>): Map<string, string> => {
  const shadow = new Map<string, string>();
  const dead = new Set<string>();
  kind.store.subscribe(({ key, old, new: next }) => {
    expect(shadow.get(key), 'old is what was told before').toBe(old?.metadata.resourceVersion);
    const sameUid = old?.metadata.uid === next?.metadata.uid;
    if (next === undefined) {
      expect(server.objects.get(key)?.metadata.uid, 'gone means gone').not.toBe(old?.metadata.uid);
      shadow.delete(key);
    } else {
      const [before, after] = [old?.metadata.resourceVersion ?? '0', next.metadata.resourceVersion];
      expect(BigInt(after) > BigInt(before), 'never backwards').toBe(true);
      expect(dead.has(next.metadata.uid), 'nobody comes back').toBe(false);
      shadow.set(key, next.metadata.resourceVersion);
    }
    if (old !== undefined && !sameUid) {
      dead.add(old.metadata.uid);
    }
  });
  return shadow;
};

const perform = async (
  server: ModelServer,
  { kind, signal }: ReturnType<typeof start>,
  operation: Operation,
  own: Promise<unknown>[],
): Promise<void> => {
  switch (operation.op) {
    case 'put':
      return server.put(operation.name, operation.value);
    case 'remove':
      return server.remove(operation.name);
    case 'recreate':
      return server.recreate(operation.name, operation.value);
    case 'ownApply': {
      const object = { metadata: { name: operation.name }, spec: { value: operation.value } };
      own.push(ownApply(server, kind, object, signal));
      return;
    }
    case 'ownDelete':
      own.push(kind.resource.delete({ name: operation.name }, {}, signal));
      return;
    case 'holdAnswers':
    case 'releaseAnswers':
    case 'holdReads':
    case 'releaseReads':
      return server[operation.op]();
    case 'drop':
      return server.dropWatches();
    case 'compactAndDrop':
      server.compact();
      return server.dropWatches();
    case 'bookmark':
      return server.bookmark();
    case 'settle':
      return turns(20);
    default:
      return operation satisfies never;
  }
};

test('any history with drops, expiries and own writes ends with the server’s state', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(operation, fc.integer({ min: 0, max: 3 })), { maxLength: 40 }),
      async (steps) => {
        const server = createModelServer();
        server.put('a', 1);
        const running = start(server);
        const { kind } = running;
        const shadow = watchLaws(server, kind);
        const own: Promise<unknown>[] = [];
        for (const [operation, pause] of steps) {
          await perform(server, running, operation, own);
          await turns(pause);
        }
        server.releaseReads();
        server.releaseAnswers();
        await Promise.all(own);
        await turns(60);
        expect(running.errors).toEqual([]);
        expect(contentOf(kind.store.list())).toEqual(contentOf(server.objects.values()));
        expect([...shadow].map(([key, rv]) => `${key} ${rv}`).toSorted()).toEqual(
          [...server.objects.values()]
            .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
            .toSorted(),
        );
        const indexed = Array.from({ length: 10 }, (_, n) => kind.store.byIndex('byValue', String(n))).flat();
        expect(contentOf(indexed)).toEqual(contentOf(server.objects.values()));
        await running.stop();
      },
    ),
    { numRuns: 300 },
  );
});

test('a restored older snapshot replaces the store although its versions are lower', async () => {
  const server = createModelServer();
  server.put('kept', 1);
  server.put('deleted-later', 1);
  const running = start(server);
  await running.kind.synced;
  const snapshot = server.snapshot();
  server.put('made-later', 1);
  server.put('kept', 2);
  server.remove('deleted-later');
  await turns(20);
  expect(running.kind.store.get('made-later')).toBeDefined();

  server.restore(snapshot);
  server.dropWatches();
  await turns(60);
  expect(contentOf(running.kind.store.list())).toEqual(contentOf(server.objects.values()));
  expect(running.kind.store.get('deleted-later')?.spec.value).toBe(1);

  // New writes reuse version numbers that the store has seen before the restore.
  server.put('kept', 7);
  server.put('made-later', 8);
  await turns(20);
  expect(running.kind.store.get('kept')?.spec.value).toBe(7);
  expect(running.kind.store.get('made-later')?.spec.value).toBe(8);
  await running.stop();
});
