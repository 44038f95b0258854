import { describe, expect, it } from 'vitest';
import type { Chunk, StorageWork, VolumeSeen } from '../host-storage.ts';
import { checkMarked, forgetGroup, prepareGroup, seeGroup } from './storage-group.ts';
import type { Workshop } from './storage-shop.ts';
import { deleteVolume, listVolumes, seeVolume } from './storage-volumes.ts';
import { doWork } from './storage-work.ts';
import { createFakeGroup, EXTENT, type FakeGroup, OLD } from './testing-group.ts';

const never = new AbortController().signal;
const quiet = (): void => undefined;
const disk = 'ovcp-disk-d1.raw';

const shopOf = ({ remote }: FakeGroup, change: { poolUid?: string; hostUuid?: string } = {}): Workshop => ({
  remote,
  bulk: remote,
  hostUuid: change.hostUuid ?? 'h1',
  sleep: async () => undefined,
  place: {
    clusterId: 'c',
    poolUid: change.poolUid ?? 'p1',
    poolName: 'fast',
    path: '/dev/vg0',
    topology: 'HostLocal',
    volumeGroup: 'vg0',
  },
});

const withForeign = (extents = 64): FakeGroup => {
  const group = createFakeGroup(extents);
  group.volumes.set('precious', Buffer.alloc(EXTENT, OLD));
  return group;
};

const work = (shop: Workshop, it: StorageWork): Promise<void> => doWork(shop, it, quiet, never);

async function* content(): AsyncGenerator<Chunk> {
  yield new Uint8Array(EXTENT).fill(1);
  yield { hole: EXTENT };
  yield new Uint8Array(100).fill(2);
}

const wanted = (bytes: number): Buffer =>
  Buffer.concat([Buffer.alloc(EXTENT, 1), Buffer.alloc(EXTENT), Buffer.alloc(100, 2)], bytes);

const seenOf = async (shop: Workshop): Promise<VolumeSeen | undefined> => {
  const sight = await seeVolume(shop, disk, never);
  return sight.kind === 'present' ? sight.volume : undefined;
};

const markedShop = async (group: FakeGroup): Promise<Workshop> => {
  const shop = shopOf(group);
  await prepareGroup(shop, never);
  return shop;
};

const unmarked = ({ volumes }: FakeGroup): readonly string[] =>
  [...volumes.keys()].filter((name) => !name.startsWith('ovcp-pool-')).toSorted();

describe('a volume group', () => {
  it('is marked, used and let go of; what others keep in it stays', async () => {
    const group = withForeign();
    const shop = shopOf(group);
    expect(await seeGroup(shop, never)).toEqual({ kind: 'absent' });
    await expect(checkMarked(shop, never)).rejects.toMatchObject({ reason: 'StorageNotReady' });
    await prepareGroup(shop, never);
    await prepareGroup(shop, never);
    expect(await seeGroup(shop, never)).toEqual({
      kind: 'ready',
      capacityBytes: 64 * EXTENT,
      availableBytes: 62 * EXTENT,
      sharedMarker: true,
    });
    await checkMarked(shop, never);
    await forgetGroup(shop, never);
    await forgetGroup(shop, never);
    expect([...group.volumes.keys()]).toEqual(['precious']);
    // Stopping the pool would have deactivated what others keep.
    expect(group.forbidden).toEqual([]);
  });

  it('belongs to one StoragePool on one host', async () => {
    const group = withForeign();
    await prepareGroup(shopOf(group), never);
    for (const rival of [{ poolUid: 'p2' }, { hostUuid: 'h2' }]) {
      const shop = shopOf(group, rival);
      await expect(prepareGroup(shop, never)).rejects.toMatchObject({ kind: 'denied', reason: 'NameTaken' });
      expect(await seeGroup(shop, never)).toMatchObject({ kind: 'broken', reason: 'NameTaken' });
      await expect(checkMarked(shop, never)).rejects.toMatchObject({ name: 'Fault' });
    }
    expect(group.volumes.size).toBe(2);
  });

  it('of two that mark it at once keeps the first by name', async () => {
    const group = withForeign();
    const shops = ['p1', 'p2', 'p3'].map((poolUid) => shopOf(group, { poolUid }));
    const ends = await Promise.allSettled(shops.map((shop) => prepareGroup(shop, never)));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect([...group.volumes.keys()].filter((name) => name.startsWith('ovcp-pool-'))).toHaveLength(1);
  });

  it('that is not there is named', async () => {
    const group = createFakeGroup(4);
    group.exists = false;
    await expect(prepareGroup(shopOf(group), never)).rejects.toMatchObject({
      kind: 'invalid',
      reason: 'VolumeGroupNotFound',
      message: 'The volume group vg0 does not exist on the host.',
    });
  });
});

describe('a disk in a volume group', () => {
  it('shows its content, zeros, and nothing of what lay there', async () => {
    const group = withForeign();
    const shop = await markedShop(group);
    await work(shop, { kind: 'fill', volume: disk, sizeBytes: 5 * EXTENT, chunks: content() });
    expect(group.volumes.get(disk)?.equals(wanted(5 * EXTENT))).toBe(true);
    await work(shop, {
      kind: 'copy',
      from: disk,
      volume: 'ovcp-disk-d2.raw',
      format: 'raw',
      sizeBytes: 7 * EXTENT,
    });
    expect(group.volumes.get('ovcp-disk-d2.raw')?.equals(wanted(7 * EXTENT))).toBe(true);
    await work(shop, { kind: 'grow', volume: disk, sizeBytes: 9 * EXTENT - 1 });
    expect(group.volumes.get(disk)?.equals(wanted(9 * EXTENT))).toBe(true);
    const names = (await listVolumes(shop, never)).map(({ name }) => name);
    expect(names.toSorted()).toEqual([disk, 'ovcp-disk-d2.raw']);
    for (const name of names) await deleteVolume(shop, name, never);
    expect(unmarked(group)).toEqual(['precious']);
    expect(group.volumes.get('precious')?.every((byte) => byte === OLD)).toBe(true);
  });

  it('is not complete before its last byte, wherever the making is cut off', async () => {
    for (let steps = 0; ; steps += 1) {
      const group = withForeign();
      const shop = await markedShop(group);
      group.failAfter = steps;
      const fill = { kind: 'fill', volume: disk, sizeBytes: 4 * EXTENT } as const;
      const ended = await work(shop, { ...fill, chunks: content() }).then(
        () => true,
        () => false,
      );
      if (ended) break;
      group.failAfter = Number.POSITIVE_INFINITY;
      const seen = await seenOf(shop);
      if (seen?.complete === true)
        expect(group.volumes.get(disk)?.equals(wanted(4 * EXTENT)), `after ${steps}`).toBe(true);
      expect(seen?.growing, `after ${steps}`).toBeUndefined();
      await work(shop, { ...fill, chunks: content() });
      expect(group.volumes.get(disk)?.equals(wanted(4 * EXTENT)), `after ${steps}`).toBe(true);
      expect(unmarked(group)).toEqual([disk, 'precious']);
    }
  });

  it('has one whole copy at every moment while it grows', async () => {
    let states = 0;
    for (let steps = 0; ; steps += 1) {
      const group = withForeign();
      const shop = await markedShop(group);
      await work(shop, { kind: 'fill', volume: disk, sizeBytes: 4 * EXTENT, chunks: content() });
      group.failAfter = group.changes.length + steps;
      const grow = { kind: 'grow', volume: disk, sizeBytes: 8 * EXTENT } as const;
      const ended = await work(shop, grow).then(
        () => true,
        () => false,
      );
      if (ended) break;
      group.failAfter = Number.POSITIVE_INFINITY;
      const seen = await seenOf(shop);
      expect(seen?.complete === true || seen?.growing === true, `after ${steps}`).toBe(true);
      // What is seen to be as wished has left nothing behind.
      if (seen?.complete === true && seen.sizeBytes === 8 * EXTENT && seen.growing !== true)
        expect(unmarked(group), `after ${steps}`).toEqual([disk, 'precious']);
      expect(
        (await listVolumes(shop, never)).map(({ name }) => name),
        `after ${steps}`,
      ).toEqual([disk]);
      await work(shop, grow);
      expect(group.volumes.get(disk)?.equals(wanted(8 * EXTENT)), `after ${steps}`).toBe(true);
      expect(unmarked(group), `after ${steps}`).toEqual([disk, 'precious']);
      states += 1;
    }
    expect(states).toBeGreaterThan(8);
  });

  it('does not grow while a machine has it open, and keeps what the machine writes', async () => {
    const group = withForeign();
    const shop = await markedShop(group);
    await work(shop, { kind: 'fill', volume: disk, sizeBytes: 4 * EXTENT });
    group.open.add(disk);
    const grow = { kind: 'grow', volume: disk, sizeBytes: 8 * EXTENT } as const;
    await expect(work(shop, grow)).rejects.toThrow('in use');
    group.volumes.get(disk)?.fill(5);
    expect(await seenOf(shop)).toMatchObject({ complete: true, sizeBytes: 4 * EXTENT });
    group.open.delete(disk);
    await work(shop, grow);
    expect(group.volumes.get(disk)).toEqual(Buffer.concat([Buffer.alloc(4 * EXTENT, 5)], 8 * EXTENT));
  });

  it('is what it was when the room for growing is taken by somebody else', async () => {
    const group = withForeign(13);
    const shop = await markedShop(group);
    await work(shop, { kind: 'fill', volume: disk, sizeBytes: 2 * EXTENT });
    await expect(work(shop, { kind: 'grow', volume: disk, sizeBytes: 11 * EXTENT })).rejects.toMatchObject({
      reason: 'StoragePoolFull',
      message: expect.stringContaining('copied'),
    });
    expect(await seenOf(shop)).toMatchObject({ complete: true, sizeBytes: 2 * EXTENT });
    // It vanishes between the look and the copy back.
    const grow = { kind: 'grow', volume: disk, sizeBytes: 6 * EXTENT } as const;
    const call = shop.remote.call;
    const taking: Workshop['remote']['call'] = async (name, args, ...rest) => {
      const answer = await call(name, args, ...rest);
      if (name === 'STORAGE_VOL_DELETE' && JSON.stringify(args).includes(`"name":"${disk}"`))
        group.volumes.set('theirs', Buffer.alloc(4 * EXTENT));
      return answer;
    };
    const remote = { ...shop.remote, call: taking };
    await expect(work({ ...shop, remote, bulk: remote }, grow)).rejects.toMatchObject({
      reason: 'StoragePoolFull',
    });
    expect(await seenOf(shop)).toMatchObject({ complete: true, sizeBytes: 2 * EXTENT });
    expect(group.volumes.get(disk)).toEqual(Buffer.alloc(2 * EXTENT));
  });
});
