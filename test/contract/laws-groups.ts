/** A volume group of a host as a place: disks are raw volumes in it, and what others keep there is theirs. */
import { expect } from 'vitest';
import { diskVolumeName } from '../../src/api/identity.ts';
import type { HypervisorPool } from '../../src/drivers/hypervisor/contract.ts';
import type { Chunk, StorageWork, VolumeSeen } from '../../src/drivers/hypervisor/host-storage.ts';
import { type DriverFixture, freshUid, type GroupFixture, type Law, mib, never } from './fixture.ts';

/** All that these laws need of a driver. */
type Fixture = Pick<DriverFixture, 'host' | 'group'>;
export interface GroupLaw extends Law {
  readonly check: (fixture: Fixture, pool: HypervisorPool) => Promise<void>;
}

const quiet = (): void => undefined;
const rawName = (): string => diskVolumeName(freshUid(), 'raw');

/** 3 MiB: two pieces and a hole between them. */
async function* pieces(): AsyncGenerator<Chunk> {
  yield new Uint8Array(mib).fill(7);
  yield { hole: mib };
  yield new Uint8Array(mib).fill(9);
}

const contentOf = (sizeBytes: number): Buffer =>
  Buffer.concat([Buffer.alloc(mib, 7), Buffer.alloc(mib), Buffer.alloc(mib, 9)], sizeBytes);

const prepared = async (fixture: Fixture, pool: HypervisorPool) => {
  const group = groupOf(fixture);
  const { place } = group;
  const storage = pool.hostStorage(fixture.host);
  await storage.take(place, { kind: 'preparePlace' }, never);
  const work = (it: StorageWork, signal: AbortSignal = never): Promise<void> =>
    storage.work(place, it, quiet, signal);
  const seen = async (volume: string): Promise<VolumeSeen | undefined> => {
    const sight = await storage.see(place, volume, never);
    return sight.kind === 'present' ? sight.volume : undefined;
  };
  const drop = async (...volumes: string[]): Promise<void> => {
    for (const volume of volumes) await storage.take(place, { kind: 'delete', volume }, never);
  };
  /** What can be read of it, when the driver keeps content. */
  const expectContent = async (volume: string, wanted: Buffer): Promise<void> => {
    if (!group.keepsContent) return;
    const read: Buffer[] = [];
    const range = { offset: 0, length: wanted.byteLength };
    for await (const chunk of storage.read(place, volume, range, never))
      read.push(chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.alloc(chunk.hole));
    expect(Buffer.concat(read).equals(wanted), `content of ${volume}`).toBe(true);
  };
  return { group, storage, place, work, seen, drop, expectContent };
};

const groupOf = ({ group }: Fixture): GroupFixture => {
  if (group === undefined) throw new Error('this driver has no volume groups');
  return group;
};

const contentLaws: readonly GroupLaw[] = [
  {
    id: 'G-01',
    title: 'a filled volume has its content and zeros, whatever lay there',
    check: async (fixture, pool) => {
      const { work, seen, drop, expectContent } = await prepared(fixture, pool);
      const [blank, volume] = [rawName(), rawName()];
      await work({ kind: 'fill', volume: blank, sizeBytes: 8 * mib });
      expect(await seen(blank)).toMatchObject({ format: 'raw', sizeBytes: 8 * mib, complete: true });
      await expectContent(blank, Buffer.alloc(8 * mib));
      await work({ kind: 'fill', volume, sizeBytes: 8 * mib, chunks: pieces() });
      await expectContent(volume, contentOf(8 * mib));
      // A complete volume is left as it is.
      await work({ kind: 'fill', volume, sizeBytes: 8 * mib });
      await expectContent(volume, contentOf(8 * mib));
      await drop(blank, volume);
      expect(await seen(volume)).toBeUndefined();
    },
  },
  {
    id: 'G-02',
    title: 'a fill that was given up, or is too long, leaves nothing complete',
    check: async (fixture, pool) => {
      const { work, seen, drop, expectContent } = await prepared(fixture, pool);
      const volume = rawName();
      const patience = new AbortController();
      async function* chunks(): AsyncGenerator<Chunk> {
        yield new Uint8Array(mib).fill(1);
        patience.abort();
        yield new Uint8Array(mib).fill(1);
      }
      const given = work({ kind: 'fill', volume, sizeBytes: 4 * mib, chunks: chunks() }, patience.signal);
      await expect(given).rejects.toMatchObject({ name: 'Fault' });
      expect((await seen(volume))?.complete ?? false).toBe(false);
      const long = work({ kind: 'fill', volume, sizeBytes: 2 * mib, chunks: pieces() });
      await expect(long).rejects.toMatchObject({ kind: 'invalid' });
      expect((await seen(volume))?.complete ?? false).toBe(false);
      await work({ kind: 'fill', volume, sizeBytes: 4 * mib, chunks: pieces() });
      await expectContent(volume, contentOf(4 * mib));
      await drop(volume);
    },
  },
  {
    id: 'G-03',
    title: 'growing keeps the content, adds zeros and never shrinks',
    check: async (fixture, pool) => {
      const { work, seen, drop, expectContent } = await prepared(fixture, pool);
      const volume = rawName();
      await work({ kind: 'fill', volume, sizeBytes: 4 * mib, chunks: pieces() });
      for (const sizeBytes of [12 * mib, 12 * mib, 4 * mib]) {
        await work({ kind: 'grow', volume, sizeBytes });
        expect(await seen(volume)).toMatchObject({ sizeBytes: 12 * mib, complete: true });
      }
      await expectContent(volume, contentOf(12 * mib));
      await drop(volume);
    },
  },
  {
    id: 'G-04',
    title: 'a copy has its source’s content, zeros behind it, and outlives it',
    check: async (fixture, pool) => {
      const { work, seen, drop, expectContent } = await prepared(fixture, pool);
      const [from, volume] = [rawName(), rawName()];
      await work({ kind: 'fill', volume: from, sizeBytes: 4 * mib, chunks: pieces() });
      await work({ kind: 'copy', from, volume, format: 'raw', sizeBytes: 8 * mib });
      await drop(from);
      expect(await seen(volume)).toMatchObject({ sizeBytes: 8 * mib, complete: true });
      await expectContent(volume, contentOf(8 * mib));
      await drop(volume);
    },
  },
];

export const groupLaws: readonly GroupLaw[] = [
  ...contentLaws,
  {
    id: 'G-05',
    title: 'a group has one StoragePool, and keeps our disks when it is forgotten',
    check: async (fixture, pool) => {
      const { group, storage, place, work, seen, drop } = await prepared(fixture, pool);
      const volume = rawName();
      await work({ kind: 'fill', volume, sizeBytes: 4 * mib });
      const rival = storage.take(group.rival, { kind: 'preparePlace' }, never);
      await expect(rival).rejects.toMatchObject({ kind: 'denied', reason: 'NameTaken' });
      await expect(storage.see(group.rival, volume, never)).rejects.toMatchObject({ name: 'Fault' });
      for (const kind of ['forgetPlace', 'forgetPlace'] as const) await storage.take(place, { kind }, never);
      expect(await storage.seePlace(place, never)).toEqual({ kind: 'absent' });
      await storage.take(place, { kind: 'preparePlace' }, never);
      await storage.take(place, { kind: 'preparePlace' }, never);
      expect(await storage.seePlace(place, never)).toMatchObject({ kind: 'ready', sharedMarker: true });
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 4 * mib });
      await drop(volume);
    },
  },
  {
    id: 'G-06',
    title: 'volumes of others are not listed and stay as they are',
    check: async (fixture, pool) => {
      const { group, storage, place, work, drop } = await prepared(fixture, pool);
      const volume = rawName();
      const before = await group.others();
      await work({ kind: 'fill', volume, sizeBytes: 4 * mib });
      expect((await storage.list(place, never)).map(({ name }) => name)).toEqual([volume]);
      await drop(volume);
      for (const name of group.names)
        await expect(storage.take(place, { kind: 'delete', volume: name }, never)).rejects.toMatchObject({
          kind: 'invalid',
        });
      await storage.take(place, { kind: 'forgetPlace' }, never);
      expect(await group.others()).toEqual(before);
    },
  },
  {
    id: 'G-07',
    title: 'a full group is a Fault with its reason, also when a disk is to grow',
    check: async (fixture, pool) => {
      const { storage, place, work, seen, drop } = await prepared(fixture, pool);
      const volume = rawName();
      const place0 = await storage.seePlace(place, never);
      const free = place0.kind === 'ready' ? place0.availableBytes : 0;
      const large = work({ kind: 'fill', volume, sizeBytes: free + 4 * mib });
      await expect(large).rejects.toMatchObject({ name: 'Fault', reason: 'StoragePoolFull' });
      expect((await seen(volume))?.complete ?? false).toBe(false);
      await work({ kind: 'fill', volume, sizeBytes: 4 * mib, chunks: pieces() });
      const grown = work({ kind: 'grow', volume, sizeBytes: free + 8 * mib });
      await expect(grown).rejects.toMatchObject({ name: 'Fault', reason: 'StoragePoolFull' });
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 4 * mib });
      await drop(volume);
    },
  },
];
