import { expect } from 'vitest';
import { DISK_LUN, diskTargetIqn, hostInitiatorIqn, unitSerial, unitWwn } from '../../src/api/identity.ts';
import { devicePathOf, type LoginWish } from '../../src/drivers/hypervisor/host-logins.ts';
import {
  clean,
  type DriverFixture,
  define,
  freshUid,
  identity,
  type Law,
  mib,
  never,
  plainShape,
  takeAll,
} from './fixture.ts';

const hostUid = freshUid();
const freshWish = (): LoginWish => {
  const uid = freshUid();
  return {
    targetIqn: diskTargetIqn(uid),
    lun: DISK_LUN,
    portals: [{ address: '192.0.2.31', port: 3260 }],
    initiator: hostInitiatorIqn(hostUid),
    wwn: unitWwn(uid),
    serial: unitSerial(uid),
    sizeBytes: 16 * mib,
    inUse: false,
  };
};
const serve = ({ hands, host }: DriverFixture, wish: LoginWish, sizeBytes?: number): Promise<void> => {
  if (hands.serve === undefined) throw new Error('the driver cannot serve a disk');
  return hands.serve(host, wish, sizeBytes);
};

export const loginLaws: readonly Law[] = [
  {
    id: 'L-01',
    title: 'connecting and disconnecting twice equals once',
    check: async (fixture, pool) => {
      const [logins, wish] = [pool.hostLogins(fixture.host), freshWish()];
      await serve(fixture, wish, 16 * mib);
      const mine = async () =>
        (await logins.see(never)).logins.filter(({ targetIqn }) => targetIqn === wish.targetIqn);
      for (const _time of [1, 2]) {
        await logins.connect(wish, never);
        expect(await mine()).toMatchObject([{ paths: [{ portal: wish.portals[0], state: 'Up' }] }]);
      }
      for (const _time of [1, 2]) {
        await logins.disconnect(wish, never);
        expect(await mine()).toEqual([]);
      }
    },
  },
  {
    id: 'L-02',
    title: 'looking changes nothing',
    check: async (fixture, pool) => {
      const [logins, wish] = [pool.hostLogins(fixture.host), freshWish()];
      await serve(fixture, wish, 16 * mib);
      await logins.connect(wish, never);
      const before = await fixture.hands.snapshot(fixture.host);
      await logins.see(never);
      expect(await fixture.hands.snapshot(fixture.host)).toBe(before);
      await logins.disconnect(wish, never);
    },
  },
  {
    id: 'L-03',
    title: 'a target that refuses is told',
    check: async (fixture, pool) => {
      const [logins, wish] = [pool.hostLogins(fixture.host), freshWish()];
      const refused = { name: 'Fault', kind: 'unreachable', reason: 'LoginFailed' };
      await expect(logins.connect(wish, never)).rejects.toMatchObject(refused);
      await serve(fixture, { ...wish, initiator: hostInitiatorIqn(freshUid()) }, 16 * mib);
      await expect(logins.connect(wish, never)).rejects.toMatchObject(refused);
      const seen = await logins.see(never);
      expect(seen.logins.some(({ targetIqn }) => targetIqn === wish.targetIqn)).toBe(false);
    },
  },
  {
    id: 'L-04',
    title: 'what a machine has open is not taken away',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const [logins, wish, vm] = [pool.hostLogins(host), freshWish(), identity(fixture)];
      await serve(fixture, wish, 16 * mib);
      await logins.connect(wish, never);
      const attachment = { kind: 'block', path: devicePathOf(wish), format: 'raw' } as const;
      const disk = { name: 'lun', serial: 'lun', bus: 'Virtio', attachment, sizeBytes: 16 * mib } as const;
      await takeAll(pool, vm, [
        define(fixture, vm, { ...plainShape, disks: [disk] }),
        { kind: 'start', host },
      ]);
      await expect(logins.disconnect(wish, never)).rejects.toMatchObject({ name: 'Fault', kind: 'busy' });
      const [sighting] = (await pool.see(vm, host, never)).sightings;
      expect(sighting?.power).toEqual({ kind: 'running' });
      await clean(fixture, pool, vm);
      await logins.disconnect(wish, never);
    },
  },
  {
    id: 'L-05',
    title: 'a device has the size that was asked for',
    check: async (fixture, pool) => {
      const [logins, wish] = [pool.hostLogins(fixture.host), freshWish()];
      await serve(fixture, wish, 16 * mib);
      await logins.connect(wish, never);
      await serve(fixture, wish, 32 * mib);
      await logins.connect({ ...wish, sizeBytes: 32 * mib, inUse: true }, never);
      const larger = { ...wish, sizeBytes: 64 * mib, inUse: true };
      await expect(logins.connect(larger, never)).rejects.toMatchObject({ kind: 'unreachable' });
      await logins.disconnect(wish, never);
    },
  },
];
