import { describe, expect, it } from 'vitest';
import { encodeMove } from '../api/disk-move.ts';
import { MOVE_ANNOTATION } from '../api/identity.ts';
import type { StoragePool } from '../api/storage-pool.ts';
import type { VirtualDisk } from '../api/virtual-disk.ts';
import type { StoreReader } from '../kube/contract.ts';
import { Fault } from '../runtime/fault.ts';
import { createTestClock } from '../runtime/test-clock.ts';
import { createStoragePromises, promiseLimit, roughly, withPromise } from './storage-promises.ts';
import { moveTarget } from './virtual-disk/sample-move.ts';
import { madeStatus, sampleDisk } from './virtual-disk/sample-world.ts';

const GiB = 1024 ** 3;
type Listener = Parameters<StoreReader<VirtualDisk>['subscribe']>[0];

const storeOf = () => {
  const listeners: Listener[] = [];
  const kept = new Map<string, VirtualDisk>();
  const store = {
    list: () => [...kept.values()],
    subscribe: (listener: Listener) => {
      listeners.push(listener);
      return () => undefined;
    },
  } as unknown as StoreReader<VirtualDisk>;
  return {
    store,
    set: (name: string, now: VirtualDisk | undefined) => {
      const old = kept.get(name);
      if (now === undefined) kept.delete(name);
      else kept.set(name, now);
      for (const listener of listeners) listener({ key: name, old, new: now } as Parameters<Listener>[0]);
    },
  };
};

const pool = (name: string, uid: string): StoragePool => ({
  ...moveTarget.pool,
  metadata: { ...moveTarget.pool.metadata, name, uid },
  spec: { ...moveTarget.pool.spec, overProvisionPercent: 200 },
  status: { capacity: '5Gi' },
});
const local = pool('local', 'p1');
const far = pool('far', 'p2');
const disk = (uid: string, change: Parameters<typeof sampleDisk>[1] = {}): VirtualDisk =>
  sampleDisk({ size: '3Gi' }, { ...change, metadata: { uid, ...change.metadata } });

describe('what is promised on a storage pool', () => {
  it('is what disks have, and what those shall have that we began with', () => {
    const { store, set } = storeOf();
    const promises = createStoragePromises(store);
    set('a', disk('a', { metadata: { finalizers: [] } }));
    expect(promises.promised(local)).toBe(0);
    set('a', disk('a'));
    expect(promises.promised(local)).toBe(3 * GiB);
    set('a', disk('a', { status: madeStatus({ size: '4Gi' }) }));
    expect(promises.promised(local)).toBe(4 * GiB);
    set('a', undefined);
    expect(promises.promised(local)).toBe(0);
  });

  it('is promised twice while a disk moves', () => {
    const { store, set } = storeOf();
    const promises = createStoragePromises(store);
    const record = { disk: 'a', from: { pool: 'p1' }, to: { pool: 'p2' }, phase: 'Copying' } as const;
    const annotations = { [MOVE_ANNOTATION]: encodeMove(record) };
    set('a', disk('a', { metadata: { annotations }, status: madeStatus() }));
    expect([promises.promised(local), promises.promised(far)]).toEqual([GiB, GiB]);
    const dropping = { [MOVE_ANNOTATION]: encodeMove({ ...record, phase: 'Dropping' }) };
    set('a', disk('a', { metadata: { annotations: dropping }, status: madeStatus() }));
    expect([promises.promised(local), promises.promised(far)]).toEqual([GiB, 0]);
  });

  it('is never more than it may be, and a hold counts until the cache shows the disk', () => {
    const { store, set } = storeOf();
    const promises = createStoragePromises(store);
    expect(promiseLimit(local)).toBe(10 * GiB);
    expect(promises.refusal(local, 'a', 10 * GiB)).toBeUndefined();
    promises.hold(local, 'a', 3 * GiB);
    expect(promises.refusal(local, 'a', 10 * GiB)).toBeUndefined();
    expect(promises.refusal(local, 'b', 8 * GiB)).toBe(
      'StoragePool local has promised 3Gi to disks and may promise 10Gi (200 % of its capacity); this would be 8Gi more.',
    );
    set('a', disk('a'));
    expect(promises.promised(local)).toBe(3 * GiB);
    promises.hold(local, 'b', 7 * GiB);
    expect(promises.refusal(local, 'c', 1)).toBeDefined();
    promises.release('b');
    expect(promises.refusal(local, 'c', 7 * GiB)).toBeUndefined();
  });

  it('has no limit without a percentage, and waits for a size that is not known', () => {
    const promises = createStoragePromises(storeOf().store);
    const { overProvisionPercent: _, ...rest } = local.spec;
    expect(promises.refusal({ ...local, spec: rest }, 'a', 1_000 * GiB)).toBeUndefined();
    expect(promises.refusal({ ...local, status: {} }, 'a', 1)).toContain('not known');
    expect([0, 1023, 1536, 10.24 * GiB].map(roughly)).toEqual(['0', '1023', '1.5Ki', '10.2Gi']);
  });

  it('is held while a write is on its way, and longer when nobody knows what became of it', async () => {
    const promises = createStoragePromises(storeOf().store);
    const clock = createTestClock();
    const run = (error: Fault): Promise<void> =>
      withPromise({ promises, clock }, local, 'a', 4 * GiB, async () => {
        throw error;
      });
    await expect(run(new Fault('conflict', 'no'))).rejects.toMatchObject({ kind: 'conflict' });
    expect(promises.promised(local)).toBe(0);
    await expect(run(new Fault('unreachable', 'silence'))).rejects.toMatchObject({ kind: 'unreachable' });
    expect(promises.promised(local)).toBe(4 * GiB);
    await clock.advance(180_000);
    expect(promises.promised(local)).toBe(0);
    await expect(
      withPromise({ promises, clock }, local, 'a', 11 * GiB, () => Promise.resolve()),
    ).rejects.toMatchObject({ kind: 'conflict' });
  });
});
