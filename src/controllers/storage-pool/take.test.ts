import { describe, expect, it } from 'vitest';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { ControllerContext } from '../context.ts';
import { healthy, served, sightOf, worldOf } from './sample-world.ts';
import { take } from './take.ts';

const erase = { what: 'delete volume', detail: 1 };
const metadata = { namespace: 'team-a', name: 'late' };

/** A context whose stores hold the pool and what is kept in it; what was done goes to `done`. */
const contextWith = (
  kept: { readonly disks?: readonly object[]; readonly images?: readonly object[] },
  deletionPolicy: string,
  done: string[],
): ControllerContext => {
  const layout = { type: 'Distribute' };
  const gluster = {
    management: 'Manage',
    volume: 'gv0',
    servers: [],
    layout,
    replicaSets: [],
    deletionPolicy,
  };
  const pool = {
    metadata: { name: 's', uid: 'u', generation: 1, deletionTimestamp: 'x' },
    spec: { driver: 'gluster', hostPoolRefs: [], gluster },
  } as unknown as StoragePool;
  const store = (items: readonly object[]) => ({ store: { byIndex: () => items, get: () => pool } });
  const session = {
    state: () => ({ kind: 'opening' }),
    login: () => undefined,
    take: async ({ what }: { readonly what: string }) => void done.push(what),
    look: async () => ({ components: [], detail: undefined }),
    retryMs: () => 1,
  };
  return {
    clusterId: 'c',
    kinds: {
      storagePools: store([]),
      disks: store(kept.disks ?? []),
      images: store(kept.images ?? []),
      hosts: store([]),
      hostPools: store([]),
    },
    storage: { session: () => session },
    promises: { promised: () => 0 },
    effect: (_: string, run: () => Promise<unknown>) => run(),
  } as unknown as ControllerContext;
};

const taken = async (
  kept: Parameters<typeof contextWith>[0],
  policy: string,
): Promise<{ readonly done: readonly string[]; readonly error: unknown }> => {
  const done: string[] = [];
  const world = { ...worldOf({ served: true, deleting: true, erases: true }), server: { kind: 'opening' } };
  const sight = sightOf({}, served({ kind: 'step', step: erase, health: healthy }, {}, true));
  const error = await take(
    contextWith(kept, policy, done),
    world as typeof world & ReturnType<typeof worldOf>,
    sight,
    { kind: 'server', step: erase },
    new AbortController().signal,
  ).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { done, error };
};

describe('the erasure of what a pool has on its servers', () => {
  it('is done while nothing is kept there', async () => {
    expect(await taken({}, 'Delete')).toEqual({ done: ['delete volume'], error: undefined });
  });

  it.each([
    ['a disk came', { disks: [{ metadata, status: {} }] }, 'Delete'],
    ['an image came', { images: [{ metadata }] }, 'Delete'],
    ['it is to be kept now', {}, 'Retain'],
  ])('is not done when %s since it was planned', async (_, kept, policy) => {
    const { done, error } = await taken(kept, policy);
    expect(done).toEqual([]);
    expect(error).toMatchObject({ name: 'Fault', kind: 'conflict' });
  });
});
