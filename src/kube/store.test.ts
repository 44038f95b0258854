import { describe, expect, test } from 'vitest';
import type { Change } from './contract.ts';
import { createStore } from './store.ts';
import type { KubeObject } from './types.ts';

const at = (name: string, uid: string, resourceVersion: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'ns', uid, resourceVersion, ...more },
});

const synced = (position: string, ...objects: KubeObject[]) => {
  const store = createStore<KubeObject>({ indexes: { byUid: ({ metadata }) => [metadata.uid] } });
  const relist = store.relist();
  objects.forEach((object) => relist.add(object));
  relist.commit(position);
  const changes: Change<KubeObject>[] = [];
  store.subscribe((change) => changes.push(change));
  return { store, changes };
};

describe('own writes', () => {
  test('an answer enters when it is later than what is known, compared as digits', () => {
    const { store, changes } = synced('9', at('a', 'u1', '9'));
    store.absorb(at('a', 'u1', '10'));
    store.absorb(at('a', 'u1', '9'));
    expect(store.get('ns/a')?.metadata.resourceVersion).toBe('10');
    expect(changes).toHaveLength(1);
  });

  test('versions beyond 2^53 keep their order', () => {
    const { store } = synced('9007199254740992', at('a', 'u1', '9007199254740992'));
    store.absorb(at('a', 'u1', '9007199254740993'));
    expect(store.get('ns/a')?.metadata.resourceVersion).toBe('9007199254740993');
  });

  test('a watch event older than our own write is dropped, the next later one is taken', () => {
    const { store } = synced('9', at('a', 'u1', '9'));
    store.absorb(at('a', 'u1', '12'));
    store.observe(at('a', 'u1', '11'));
    expect(store.get('ns/a')?.metadata.resourceVersion).toBe('12');
    store.observe(at('a', 'u1', '13'));
    expect(store.get('ns/a')?.metadata.resourceVersion).toBe('13');
  });

  test('what a write was answered is no news when the watch brings it, what comes later is', () => {
    const { store } = synced('9', at('a', 'u1', '9'));
    store.absorb(at('a', 'u1', '12'));
    expect(store.isNews('ns/a', { uid: 'u1', resourceVersion: '12' })).toBe(false);
    expect(store.isNews('ns/a', { uid: 'u1', resourceVersion: '13' })).toBe(true);
    expect(store.isNews('ns/b', { uid: 'u2', resourceVersion: '1' })).toBe(true);
  });

  test('an answer that arrives after the watch has seen the deletion resurrects nothing', () => {
    const { store } = synced('9', at('a', 'u1', '9'));
    store.observe(at('a', 'u1', '10'));
    store.observeDeleted('ns/a', { uid: 'u1', resourceVersion: '11' });
    store.absorb(at('a', 'u1', '10'));
    expect(store.get('ns/a')).toBeUndefined();
  });

  test('an answer older than the watch position is history even without a tombstone', () => {
    const { store } = synced('9');
    store.observePosition('20');
    store.absorb(at('a', 'u1', '15'));
    expect(store.size).toBe(0);
    store.absorb(at('a', 'u1', '21'));
    expect(store.size).toBe(1);
  });

  test('the write that takes the last finalizer of a terminating object removes it', () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const { store, changes } = synced('9', at('a', 'u1', '9', { deletionTimestamp, finalizers: ['x'] }));
    store.absorb(at('a', 'u1', '10', { deletionTimestamp }));
    expect(store.get('ns/a')).toBeUndefined();
    expect(changes.map((change) => [change.old?.metadata.uid, change.new])).toEqual([['u1', undefined]]);
    store.observe(at('a', 'u1', '10', { deletionTimestamp }));
    expect(store.size).toBe(0);
  });

  test('the write that deletes is believed although its answer bears the version from before it', () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const { store } = synced('9', at('a', 'u1', '9', { deletionTimestamp, finalizers: ['x'] }));
    store.absorb(at('a', 'u2', '9', { deletionTimestamp }));
    expect(store.get('ns/a')?.metadata.uid).toBe('u1');
    store.absorb(at('a', 'u1', '9', { deletionTimestamp }));
    expect(store.get('ns/a')).toBeUndefined();
    store.observe(at('a', 'u1', '11', { deletionTimestamp, finalizers: ['x'] }));
    expect(store.size).toBe(0);
  });

  test('our own delete hides the object at once, for its uid only', () => {
    const { store } = synced('9', at('a', 'u1', '9'));
    store.absorbDeleted('ns/a', 'another');
    expect(store.size).toBe(1);
    store.absorbDeleted('ns/a', 'u1');
    store.observe(at('a', 'u1', '10'));
    expect(store.size).toBe(0);
    store.observe(at('a', 'u2', '12'));
    expect(store.get('ns/a')?.metadata.uid).toBe('u2');
  });

  test('the late deletion of a predecessor leaves its successor alone', () => {
    const { store } = synced('9', at('a', 'u1', '9'));
    store.absorb(at('a', 'u2', '12'));
    store.observeDeleted('ns/a', { uid: 'u1', resourceVersion: '11' });
    expect(store.get('ns/a')?.metadata.uid).toBe('u2');
  });

  test('outside a selection only known objects take our answers', () => {
    const store = createStore<KubeObject>({ selective: true });
    store.relist().commit('1');
    store.absorb(at('a', 'u1', '2'));
    expect(store.size).toBe(0);
  });

  test('tombstones are bounded', () => {
    const store = createStore<KubeObject>({ tombstones: 1 });
    store.relist().commit('1');
    store.observeDeleted('ns/a', { uid: 'u1', resourceVersion: '2' });
    store.observeDeleted('ns/b', { uid: 'u2', resourceVersion: '3' });
    store.observe(at('a', 'u1', '1'));
    store.observe(at('b', 'u2', '1'));
    expect(store.list().map(({ metadata }) => metadata.name)).toEqual(['a']);
  });
});

describe('relist', () => {
  test('swaps at once and tells differences only', () => {
    const { store, changes } = synced(
      '9',
      at('same', 'u1', '5'),
      at('old', 'u2', '6'),
      at('gone', 'u3', '7'),
    );
    const sizes: number[] = [];
    store.subscribe(() => sizes.push(store.size));
    const relist = store.relist();
    expect(relist.keep('ns/same', { uid: 'u1', resourceVersion: '5' }, '20')).toBe(true);
    relist.add(at('old', 'u2', '18'));
    relist.add(at('new', 'u4', '19'));
    expect(store.get('ns/new')).toBeUndefined();
    relist.commit('20');
    expect(
      changes.map(({ key, old, new: next }) => [
        key,
        old?.metadata.resourceVersion,
        next?.metadata.resourceVersion,
      ]),
    ).toEqual([
      ['ns/gone', '7', undefined],
      ['ns/old', '6', '18'],
      ['ns/new', undefined, '19'],
    ]);
    expect(sizes).toEqual([3, 3, 3]);
  });

  test('an own write and an own delete made while the list was read survive it', () => {
    const { store } = synced('9', at('a', 'u1', '9'), at('b', 'u2', '8'));
    const relist = store.relist();
    relist.add(at('a', 'u1', '9'));
    relist.add(at('b', 'u2', '8'));
    store.absorb(at('a', 'u1', '31'));
    store.absorb(at('c', 'u3', '32'));
    store.absorbDeleted('ns/b', 'u2');
    relist.commit('30');
    expect(
      store
        .list()
        .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
        .toSorted(),
    ).toEqual(['a 31', 'c 32']);
  });

  test('F18: after a restore of etcd the list wins although its versions are lower', () => {
    const { store, changes } = synced('100', at('a', 'u1', '90'), at('lost', 'u2', '95'));
    store.observeDeleted('ns/back', { uid: 'u3', resourceVersion: '99' });
    const relist = store.relist();
    expect(relist.keep('ns/a', { uid: 'u1', resourceVersion: '90' }, '50')).toBe(false);
    relist.add(at('a', 'u1', '40'));
    relist.add(at('back', 'u3', '30'));
    relist.commit('50');
    expect(store.list().map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)).toEqual([
      'a 40',
      'back 30',
    ]);
    expect(changes.some(({ key, new: next }) => key === 'ns/lost' && next === undefined)).toBe(true);
    store.observe(at('lost', 'u9', '51'));
    expect(store.get('ns/lost')?.metadata.uid).toBe('u9');
  });

  test('synced resolves with the first list', async () => {
    const store = createStore<KubeObject>();
    expect(store.isSynced).toBe(false);
    store.relist().commit('1');
    await store.synced;
    expect(store.isSynced).toBe(true);
  });
});

describe('what cannot be read', () => {
  const broken = { kind: 'unreadable', key: 'ns/a', uid: 'u1', resourceVersion: '10', error: 'bad' } as const;

  test('is kept aside, told as a change, and replaced when it becomes readable', () => {
    const { store, changes } = synced('9', at('a', 'u1', '9'));
    store.observe(broken);
    expect(store.get('ns/a')).toBeUndefined();
    expect(store.unreadableAt('ns/a')).toBe(broken);
    expect(store.byIndex('byUid', 'u1')).toEqual([]);
    expect(changes[0]).toMatchObject({ key: 'ns/a', old: at('a', 'u1', '9'), unreadable: broken });
    store.observe(at('a', 'u1', '11'));
    expect(store.unreadable()).toEqual([]);
    expect(store.byIndex('byUid', 'u1')).toHaveLength(1);
  });

  test('disappears with its object', () => {
    const { store, changes } = synced('9');
    store.observe(broken);
    store.observeDeleted('ns/a', { uid: 'u1', resourceVersion: '11' });
    expect(store.unreadable()).toEqual([]);
    expect(changes).toHaveLength(2);
  });

  test('an indexer that throws makes the object unreadable, not the store inconsistent', () => {
    const store = createStore<KubeObject>({
      indexes: {
        bySpec: ({ spec }) => {
          if (spec === undefined) throw new Error('no spec');
          return ['x'];
        },
      },
    });
    store.relist().commit('1');
    store.observe(at('a', 'u1', '2'));
    expect(store.unreadable().map(({ error }) => error)).toEqual(['index: Error: no spec']);
    expect(store.size).toBe(0);
  });
});

test('an index holds many keys of one value and forgets them', () => {
  const store = createStore<KubeObject>({ indexes: { byKind: ({ kind }) => [kind] } });
  store.relist().commit('1');
  store.observe(at('a', 'u1', '2'));
  store.observe(at('b', 'u2', '3'));
  expect(store.byIndex('byKind', 'Thing')).toHaveLength(2);
  store.observeDeleted('ns/a', { uid: 'u1', resourceVersion: '4' });
  expect(store.byIndex('byKind', 'Thing').map(({ metadata }) => metadata.name)).toEqual(['b']);
  store.observeDeleted('ns/b', { uid: 'u2', resourceVersion: '5' });
  expect(store.byIndex('byKind', 'Thing')).toEqual([]);
  expect(() => store.byIndex('byNobody', 'x')).toThrow('no index');
});

test('a subscriber that throws stops neither the store nor the others', () => {
  const errors: unknown[] = [];
  const store = createStore<KubeObject>({ onListenerError: (error) => errors.push(error) });
  const told: string[] = [];
  store.subscribe(() => {
    throw new Error('mine');
  });
  const unsubscribe = store.subscribe(({ key }) => told.push(key));
  store.relist().commit('1');
  store.observe(at('a', 'u1', '2'));
  unsubscribe();
  store.observe(at('a', 'u1', '3'));
  expect(told).toEqual(['ns/a']);
  expect(errors).toHaveLength(2);
});
