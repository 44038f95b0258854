/** Laws of the folder of a pool on a host, whatever is in it. */
import { expect } from 'vitest';
import type { HostStorage, StoragePlace } from '../../src/drivers/hypervisor/host-storage.ts';
import { type Law, mib, never, volumeName } from './fixture.ts';
import { prepared } from './laws-storage.ts';

/** Whether the marker of a shared place is seen; what is seen instead when there is no place. */
const markerIn = async (storage: HostStorage, place: StoragePlace): Promise<unknown> => {
  const seen = await storage.seePlace(place, never);
  return seen.kind === 'ready' ? seen.sharedMarker : seen;
};

export const placeLaws: readonly Law[] = [
  {
    id: 'S-02',
    title: 'looking at places and volumes changes nothing',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop, blank } = await prepared(fixture, pool);
      const volume = volumeName();
      await storage.take(place, blank(volume), never);
      const before = await fixture.hands.snapshot(fixture.host);
      await storage.seePlace(place, never);
      await storage.list(place, never);
      await seen(volume);
      await seen(volumeName());
      expect(await fixture.hands.snapshot(fixture.host)).toBe(before);
      await drop(volume);
    },
  },
  {
    id: 'S-03',
    title: 'deleting what is absent is done',
    check: async (fixture, pool) => {
      const { drop, seen } = await prepared(fixture, pool);
      const volume = volumeName();
      await drop(volume);
      expect(await seen(volume)).toBeUndefined();
    },
  },
  {
    id: 'S-04',
    title: 'a place is absent until prepared, and forgetting it keeps the files',
    check: async (fixture, pool) => {
      const { storage, place, seen, drop, blank } = await prepared(fixture, pool);
      const volume = volumeName();
      await storage.take(place, blank(volume), never);
      await storage.take(place, { kind: 'forgetPlace' }, never);
      await storage.take(place, { kind: 'forgetPlace' }, never);
      expect(await storage.seePlace(place, never)).toEqual({ kind: 'absent' });
      await storage.take(place, { kind: 'preparePlace' }, never);
      expect(await storage.seePlace(place, never)).toMatchObject({ kind: 'ready', sharedMarker: true });
      expect(await seen(volume)).toMatchObject({ complete: true, sizeBytes: 8 * mib });
      await drop(volume);
    },
  },
  {
    id: 'S-14',
    title: 'the marker of a shared pool is seen where it lies',
    check: async (fixture, pool) => {
      const { host, hands, sharedPlace } = fixture;
      const storage = pool.hostStorage(host);
      const marker = (): Promise<unknown> => markerIn(storage, sharedPlace);
      await storage.take(sharedPlace, { kind: 'preparePlace' }, never);
      expect(await marker()).toBe(false);
      await storage.take(sharedPlace, { kind: 'writeSharedMarker' }, never);
      expect(await marker()).toBe(true);
      if (hands.setMounted !== undefined) {
        await hands.setMounted(host, sharedPlace, false);
        expect(await marker()).toBe(false);
        await hands.setMounted(host, sharedPlace, true);
        expect(await marker()).toBe(true);
      }
      await storage.take(sharedPlace, { kind: 'forgetPlace' }, never);
    },
  },
  {
    id: 'S-19',
    title: 'the end of a shared pool takes its marker and nothing else',
    check: async (fixture, pool) => {
      const { host, sharedPlace } = fixture;
      const storage = pool.hostStorage(host);
      const volume = volumeName();
      const marker = (): Promise<unknown> => markerIn(storage, sharedPlace);
      await storage.take(sharedPlace, { kind: 'preparePlace' }, never);
      await storage.take(sharedPlace, { kind: 'writeSharedMarker' }, never);
      await storage.take(
        sharedPlace,
        { kind: 'createBlank', volume, format: 'qcow2', sizeBytes: 8 * mib },
        never,
      );
      await storage.take(sharedPlace, { kind: 'forgetPlace' }, never);
      await storage.take(sharedPlace, { kind: 'preparePlace' }, never);
      expect(await marker()).toBe(true);
      for (const kind of ['forgetPlace', 'forgetPlace'] as const)
        await storage.take(sharedPlace, { kind, withMarker: true }, never);
      await storage.take(sharedPlace, { kind: 'preparePlace' }, never);
      expect(await marker()).toBe(false);
      await storage.take(sharedPlace, { kind: 'writeSharedMarker' }, never);
      expect(await storage.see(sharedPlace, volume, never)).toMatchObject({ kind: 'present' });
      await storage.take(sharedPlace, { kind: 'delete', volume }, never);
      await storage.take(sharedPlace, { kind: 'forgetPlace', withMarker: true }, never);
    },
  },
  {
    id: 'S-15',
    title: 'a name that would leave the folder is refused',
    check: async (fixture, pool) => {
      const { storage, place, blank } = await prepared(fixture, pool);
      for (const name of ['../ovcp-escape', 'a/b', '..', '']) {
        await expect(storage.take(place, blank(name), never), name).rejects.toMatchObject({ name: 'Fault' });
      }
    },
  },
  {
    id: 'S-16',
    title: 'list shows every volume of ours and none of others',
    check: async (fixture, pool) => {
      const { storage, place, drop, blank } = await prepared(fixture, pool);
      const mine = [volumeName(), volumeName()];
      for (const volume of mine) {
        await storage.take(place, blank(volume), never);
      }
      await fixture.hands.putUnfinished?.(fixture.host, place, 'somebody-elses.img');
      const names = (await storage.list(place, never)).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(mine));
      expect(names).not.toContain('somebody-elses.img');
      await drop(...mine);
    },
  },
];
