import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCachedKind } from '../../../src/kube/cached-kind.ts';
import type { CachedKind, RequestSeen, Transport } from '../../../src/kube/contract.ts';
import {
  CONFIG_MAP,
  type ConfigMap,
  createConfigMaps,
  parseConfigMap,
} from '../../../src/kube/core-kinds.ts';
import { keyOf } from '../../../src/kube/types.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { connect, type Lab, type Line, silent, startLab, startLine, until } from './lab.ts';

const COUNT = 1_200;
const abort = new AbortController();
const { signal } = abort;
const requests: RequestSeen[] = [];
let lab: Lab;
/** Between the client under test and the server. */
let line: Line;
let transport: Transport;
let kind: CachedKind<ConfigMap>;
let running: Promise<void>;
/** A second client, as another controller would be. */
let writer: ReturnType<typeof createConfigMaps>;

const name = (n: number): string => `m-${String(n).padStart(4, '0')}`;
const put = (n: number, value: string): Promise<ConfigMap> =>
  writer.apply(
    { metadata: { name: name(n), namespace: 'default' }, data: { value } },
    { fieldManager: 'writer', force: true },
    signal,
  );
const valueOf = (n: number): string | undefined => kind.store.get(`default/${name(n)}`)?.data?.['value'];

const inBatches = async (count: number, run: (n: number) => Promise<unknown>): Promise<void> => {
  for (let from = 0; from < count; from += 20) {
    await Promise.all(Array.from({ length: Math.min(20, count - from) }, (_, offset) => run(from + offset)));
  }
};

/** Key and version of everything the server has, by kubectl. */
const serverState = async (): Promise<string[]> => {
  const output = await lab.plane.mustKubectl(['get', 'configmaps', '-A', '-o', 'json']);
  const { items } = JSON.parse(output) as { items: ConfigMap[] };
  return items
    .map((item) => `${keyOf(item)} ${item.metadata.uid} ${item.metadata.resourceVersion}`)
    .toSorted();
};
const storeState = (): string[] =>
  kind.store
    .list()
    .map((item) => `${keyOf(item)} ${item.metadata.uid} ${item.metadata.resourceVersion}`)
    .toSorted();

/** Waits until the store has seen a mark written after everything else; nothing may differ then. */
const expectEqual = async (mark: string): Promise<void> => {
  await put(0, mark);
  await until(kind, () => valueOf(0) === mark);
  expect(storeState()).toEqual(await serverState());
};

beforeAll(async () => {
  lab = await startLab();
  writer = createConfigMaps(await connect(lab.plane.kubeconfig));
  // The controller manager puts a ConfigMap of its own into each namespace, some time after it started.
  for (const namespace of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
    const made = ['configmap/kube-root-ca.crt', '-n', namespace, '--for=create', '--timeout=300s'];
    await lab.plane.mustKubectl(['wait', ...made]);
  }
  await inBatches(COUNT, (n) => put(n, 'first'));
  line = await startLine(lab.plane.url);
  transport = await connect(lab.plane.kubeconfig, requests, line.url);
  kind = createCachedKind<ConfigMap>(transport, CONFIG_MAP, {
    parse: parseConfigMap,
    indexes: { byValue: (object) => [object.data?.['value'] ?? ''] },
    clock: systemClock(),
    random: Math.random,
    log: silent,
  });
  running = kind.run(signal);
  await kind.synced;
});

afterAll(async () => {
  abort.abort();
  await running;
  await transport.close();
  await line.close();
  await lab.stop();
});

test('1,200 objects are listed in pages of 500 and stripped', async () => {
  expect(requests.filter(({ verb }) => verb === 'list')).toHaveLength(3);
  expect(kind.store.byIndex('byValue', 'first')).toHaveLength(COUNT);
  expect(JSON.stringify(kind.store.list())).not.toContain('managedFields');
  await expectEqual('listed');
});

test('a second writer’s changes arrive', async () => {
  await inBatches(200, (n) => put(n, 'second'));
  await writer.delete({ namespace: 'default', name: name(300) }, {}, signal);
  await expectEqual('second writer');
  expect(kind.store.get(`default/${name(300)}`)).toBeUndefined();
});

test('our own write is in the store when it resolves', async () => {
  for (let round = 0; round < 50; round += 1) {
    const written = await kind.resource.apply(
      { metadata: { name: name(1), namespace: 'default' }, data: { value: `own-${round}` } },
      { fieldManager: 'owner', force: true },
      signal,
    );
    expect(valueOf(1)).toBe(`own-${round}`);
    expect(kind.store.get(keyOf(written))?.metadata.resourceVersion).toBe(written.metadata.resourceVersion);
  }
  await expectEqual('own writes');
});

test('a restart of the API server loses nothing and tells only what changed', async () => {
  const told = new Set<string>();
  const unsubscribe = kind.store.subscribe(({ key }) => told.add(key));
  await lab.plane.restartApiServer();
  await inBatches(50, (n) => put(n, 'after restart'));
  await writer.delete({ namespace: 'default', name: name(301) }, {}, signal);
  await expectEqual('restarted');
  unsubscribe();
  // A server that has just started knows no history, so the watch expires; the new list must not look like news.
  const others = [...told].filter(
    (key) => !/m-(00[0-4][0-9]|0301)$/.test(key) && !key.startsWith('kube-system/'),
  );
  expect(others).toEqual([]);
});

test('a killed API server loses nothing', async () => {
  await lab.plane.killApiServer();
  await lab.plane.startApiServer();
  await put(2, 'after kill');
  await expectEqual('killed');
});

test('changes and deletions made while we were cut off, then compacted, are found by a new list', async () => {
  const lists = (): number => requests.filter(({ verb, code }) => verb === 'list' && code === '200').length;
  const before = lists();
  line.cut();
  await inBatches(100, (n) => put(n + 400, 'while away'));
  await writer.delete({ namespace: 'default', name: name(302) }, {}, signal);
  await lab.plane.compactEtcd();
  // The watch cache would still serve the events from memory; a fresh server has only etcd's, compacted history.
  await lab.plane.restartApiServer();
  expect(valueOf(450)).toBe('first');
  line.mend();
  await expectEqual('compacted');
  expect(kind.store.get(`default/${name(302)}`)).toBeUndefined();
  expect(valueOf(450)).toBe('while away');
  expect(lists() - before).toBeGreaterThanOrEqual(3);
});
