import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createCachedKind } from './cached-kind.ts';
import type { CachedKind, Unreadable } from './contract.ts';
import {
  accessTo,
  createEagerClock,
  cut,
  type EagerClock,
  end,
  json,
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
  watchLines,
} from './testing/scripted-server.ts';
import { createTransport } from './transport.ts';
import type { KindInfo, KubeObject } from './types.ts';

const THING: KindInfo = { group: 'test', version: 'v1', plural: 'things', kind: 'Thing', scope: 'Cluster' };

const object = (name: string, resourceVersion: string, more: object = {}): object => ({
  metadata: { name, uid: `uid-${name}`, resourceVersion, managedFields: [{}], ...more },
});
const event = (type: string, name: string, version: string) => ({ type, object: object(name, version) });
const list = (version: string, ...names: string[]): ScriptStep =>
  json(200, { metadata: { resourceVersion: version }, items: names.map((name) => object(name, version)) });
const expired = {
  type: 'ERROR',
  object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
};
const soon =
  (then: (response: Parameters<typeof cut>[0]) => void) =>
  (response: Parameters<typeof cut>[0]): void =>
    void setImmediate(() => then(response));

let server: ScriptedServer;
let clock: EagerClock;
let kind: CachedKind<KubeObject>;
let faults: string[];
let unreadables: Unreadable[];
let stop: () => Promise<void>;

beforeEach(async () => {
  server = await startScriptedServer();
  clock = createEagerClock();
  faults = [];
  unreadables = [];
  const transport = createTransport({ access: accessTo(server.url), clock, random: () => 0 });
  kind = createCachedKind<KubeObject>(transport, THING, {
    parse: (raw) => {
      if ((raw as KubeObject).metadata.name.startsWith('bad')) throw new Error('not a thing');
      return raw as KubeObject;
    },
    clock,
    random: () => 0,
    log: {
      debug: () => {},
      info: () => {},
      warn: (fields) => void faults.push(String((fields as { reason?: string }).reason)),
      error: (fields) => void faults.push(JSON.stringify(fields)),
    },
    onUnreadable: (unreadable) => unreadables.push(unreadable),
  });
  const abort = new AbortController();
  const running = kind.run(abort.signal);
  stop = async () => {
    abort.abort();
    await running;
    await transport.close();
    await server.close();
  };
});
afterEach(() => stop());

const has = (...names: string[]): Promise<void> => {
  const holds = (): boolean =>
    kind.store
      .list()
      .map(({ metadata }) => metadata.name)
      .toSorted()
      .join() === names.join();
  return new Promise((resolve) => {
    const unsubscribe = kind.store.subscribe(() => {
      if (holds()) {
        unsubscribe();
        resolve();
      }
    });
    if (holds()) resolve();
  });
};

const calls = (): string[] =>
  server.seen.map(({ url }) =>
    url.searchParams.has('watch')
      ? `watch ${url.searchParams.get('resourceVersion')}`
      : url.searchParams.get('limit') === '1'
        ? 'version'
        : `list ${url.searchParams.get('continue') ?? ''}`.trim(),
  );

test('the watch starts where the list ended, asks for bookmarks and for an end of its own', async () => {
  server.script(list('5', 'a'), watchLines([event('ADDED', 'b', '6')]));
  await has('a', 'b');
  const query = server.seen[1]?.url.searchParams;
  expect(query?.get('allowWatchBookmarks')).toBe('true');
  expect(Number(query?.get('timeoutSeconds'))).toBeGreaterThanOrEqual(290);
  expect(Number(query?.get('timeoutSeconds'))).toBeLessThan(590);
  expect(kind.store.get('a')).toEqual({
    apiVersion: 'test/v1',
    kind: 'Thing',
    metadata: { name: 'a', uid: 'uid-a', resourceVersion: '5' },
  });
});

test('a page whose continue token expired starts the list over', async () => {
  const page = json(200, {
    metadata: { resourceVersion: '5', continue: 'next' },
    items: [object('gone', '4')],
  });
  server.script(page, json(410, { reason: 'Expired', code: 410 }), list('7', 'a'), watchLines([]));
  await has('a');
  expect(calls().slice(0, 3)).toEqual(['list', 'list next', 'list']);
});

describe('after a watch that', () => {
  test('was ended in good order, the next one goes on at once from the last event', async () => {
    server.script(
      list('5'),
      watchLines([event('ADDED', 'a', '6')], soon(end)),
      watchLines([event('ADDED', 'b', '9')]),
    );
    await has('a', 'b');
    expect(calls()).toEqual(['list', 'watch 5', 'watch 6']);
    expect(clock.sleptMs).toEqual([]);
  });

  test('told a bookmark only, the next one starts there', async () => {
    const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '90' } } };
    server.script(list('5'), watchLines([bookmark], soon(end)), watchLines([event('ADDED', 'a', '91')]));
    await has('a');
    expect(calls()).toEqual(['list', 'watch 5', 'watch 90']);
  });

  test.each([
    ['was cut', watchLines([event('ADDED', 'a', '6')], soon(cut)), 'NoAnswer'],
    ['sent half a line', watchLines([event('ADDED', 'a', '6'), '{"type":"ADD'], soon(end)), 'BadWatchEvent'],
    ['sent no JSON', watchLines([event('ADDED', 'a', '6'), '<html>\n']), 'BadWatchEvent'],
    [
      'sent a server error',
      watchLines([
        event('ADDED', 'a', '6'),
        { type: 'ERROR', object: { code: 500, reason: 'InternalError' } },
      ]),
      'InternalError',
    ],
    [
      'sent an unknown event',
      watchLines([event('ADDED', 'a', '6'), { type: 'NEW', object: {} }]),
      'BadWatchEvent',
    ],
  ])('%s, the next one goes on without a list', async (_, step, reason) => {
    server.script(list('5'), step, list('6'), watchLines([event('ADDED', 'b', '7')]));
    await has('a', 'b');
    expect(calls()).toEqual(['list', 'watch 5', 'version', 'watch 6']);
    expect(faults).toEqual([reason]);
    expect(clock.sleptMs).toEqual([400]);
  });

  test('fell silent (half-open connection), the next one goes on after the limit', async () => {
    server.script(
      list('5'),
      watchLines([event('ADDED', 'a', '6')]),
      list('6'),
      watchLines([event('ADDED', 'b', '7')]),
    );
    await has('a');
    clock.fire(90_000);
    await has('a', 'b');
    expect(faults).toEqual(['WatchSilent']);
  });

  test('never spoke, it is left alone until the server should have ended it', async () => {
    server.script(list('5'), watchLines([]), list('6'), watchLines([event('ADDED', 'b', '7')]));
    await vi.waitUntil(() => clock.pending(305_000));
    clock.fire(305_000);
    await has('b');
    expect(calls()).toEqual(['list', 'watch 5', 'version', 'watch 5']);
    expect(faults).toEqual(['WatchSilent']);
  });

  test.each([
    ['expired by an ERROR event', watchLines([expired])],
    ['was refused with 410', json(410, { kind: 'Status', code: 410, reason: 'Expired' })],
  ])('%s, a new list comes at once and tells deletions', async (_, step) => {
    server.script(list('5', 'a', 'b'), step, list('9', 'b', 'c'), watchLines([event('ADDED', 'd', '10')]));
    await has('b', 'c', 'd');
    expect(calls()).toEqual(['list', 'watch 5', 'list', 'watch 9']);
    expect(clock.sleptMs).toEqual([0]);
  });

  test('broke, a collection whose version is behind ours is listed anew (F18)', async () => {
    server.script(
      list('500', 'a', 'b'),
      watchLines([], soon(cut)),
      list('300'),
      list('300', 'a'),
      watchLines([event('ADDED', 'c', '301')]),
    );
    await has('a', 'c');
    expect(calls()).toEqual(['list', 'watch 500', 'version', 'list', 'watch 300']);
  });
});

test('failures back off further and further, success starts anew', async () => {
  const down = json(500, {});
  server.script(
    down,
    down,
    down,
    list('5'),
    watchLines([event('ADDED', 'a', '6')], soon(cut)),
    down,
    list('6'),
    watchLines([event('ADDED', 'b', '7')]),
  );
  await has('a', 'b');
  expect(clock.sleptMs).toEqual([400, 800, 1600, 400, 800]);
});

test('a server that ends every watch at once is not asked in a tight loop', async () => {
  const short = watchLines([], soon(end));
  server.script(list('5'), short, short, short, watchLines([event('ADDED', 'a', '6')]));
  await has('a');
  expect(clock.sleptMs).toEqual([400, 800, 1600]);
  expect(new Set(faults)).toEqual(new Set(['WatchCutShort']));
});

test('a watch through a compressing proxy is read as it comes', async () => {
  const lines = [event('ADDED', 'a', '6'), event('ADDED', 'b', '7')].map((one) => `${JSON.stringify(one)}\n`);
  server.script(list('5'), (response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync(lines.join('')));
  });
  await has('a', 'b');
});

test('an object that cannot be parsed is kept aside and kills nothing', async () => {
  server.script(
    list('5', 'a', 'bad-1'),
    watchLines([event('ADDED', 'bad-2', '6'), event('ADDED', 'b', '7')]),
  );
  await has('a', 'b');
  expect(kind.store.unreadable().map(({ key, error }) => [key, error])).toEqual([
    ['bad-1', 'not a thing'],
    ['bad-2', 'not a thing'],
  ]);
  expect(unreadables).toHaveLength(2);
});
