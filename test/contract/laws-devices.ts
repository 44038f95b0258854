import { expect } from 'vitest';
import { compare } from '../../src/drivers/hypervisor/compare.ts';
import type {
  Capability,
  HypervisorPool,
  VmIdentity,
  VmStep,
} from '../../src/drivers/hypervisor/contract.ts';
import type { VmShape } from '../../src/drivers/hypervisor/shape.ts';
import {
  clean,
  type DriverFixture,
  define,
  freshDisk,
  identity,
  type Law,
  mib,
  never,
  nicShape,
  plainShape,
  takeAll,
} from './fixture.ts';
import { look } from './laws-power.ts';

const capabilitiesOf = async (
  { host }: DriverFixture,
  pool: HypervisorPool,
): Promise<readonly Capability[]> => {
  const seen = (await pool.hosts(never)).find((one) => one.host === host);
  expect(seen?.kind).toBe('reachable');
  return seen?.kind === 'reachable' ? seen.facts.capabilities : [];
};

/** The step twice; what is only `started` is waited for. */
const takeTwice = async (
  fixture: DriverFixture,
  pool: HypervisorPool,
  vm: VmIdentity,
  step: VmStep,
  holds: (running: VmShape) => boolean,
): Promise<void> => {
  for (let time = 0; time < 2; time += 1) {
    await pool.take(vm, step, never);
    await expect
      .poll(async () => {
        const running = (await look(fixture, pool, vm))?.running;
        return running !== undefined && holds(running);
      })
      .toBe(true);
  }
};

export const deviceLaws: readonly Law[] = [
  {
    id: 'H-22',
    title: 'what is attached, changed and detached live is seen',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      const can = new Set(await capabilitiesOf(fixture, pool));
      const first = nicShape(fixture);
      const shape = { ...plainShape, cdroms: [{ name: 'install' }], nics: [first] };
      await takeAll(pool, vm, [define(fixture, vm, shape), { kind: 'start', host }]);
      const twice = (step: VmStep, holds: (running: VmShape) => boolean): Promise<void> =>
        takeTwice(fixture, pool, vm, step, holds);

      const disk = await freshDisk(fixture, pool);
      const { serial } = disk;
      if (can.has('DiskHotplug')) {
        await twice({ kind: 'attachDisk', host, disk }, ({ disks }) =>
          disks.some((one) => one.serial === serial),
        );
        if (can.has('DiskLiveGrow')) {
          const sizeBytes = 32 * mib;
          await twice(
            { kind: 'growDisk', host, serial, sizeBytes },
            ({ disks }) => disks[0]?.sizeBytes === sizeBytes,
          );
        }
        await twice({ kind: 'detachDisk', host, serial }, ({ disks }) => disks.length === 0);
      }
      const nic = nicShape(fixture, 'eth1');
      if (can.has('NicHotplug')) {
        await twice({ kind: 'attachNic', host, nic }, ({ nics }) => nics.some(({ mac }) => mac === nic.mac));
        await twice({ kind: 'detachNic', host, mac: nic.mac }, ({ nics }) => nics.length === 1);
      }
      if (can.has('NicLinkState')) {
        const down = { ...first, link: 'Down' } as const;
        await twice({ kind: 'updateNic', host, nic: down }, ({ nics }) => nics[0]?.link === 'Down');
      }
      if (can.has('MediaChange')) {
        const { path } = disk.attachment;
        await twice(
          { kind: 'changeMedia', host, cdrom: { name: 'install', path } },
          ({ cdroms }) => cdroms[0]?.path === path,
        );
        await twice(
          { kind: 'changeMedia', host, cdrom: { name: 'install' } },
          ({ cdroms }) => cdroms[0]?.path === undefined,
        );
      }
      await clean(fixture, pool, vm);
    },
  },
  {
    id: 'H-28',
    title: 'a machine made from a shape compares as equal to it',
    check: async (fixture, pool) => {
      const { host } = fixture;
      const vm = identity(fixture);
      const capabilities = await capabilitiesOf(fixture, pool);
      const [root, data] = [await freshDisk(fixture, pool, 'root'), await freshDisk(fixture, pool, 'data')];
      const shape: VmShape = {
        ...plainShape,
        cpu: { sockets: 1, cores: 2, threads: 1 },
        disks: [{ ...root, bootOrder: 1 }, data],
        cdroms: [{ name: 'install' }],
        nics: [nicShape(fixture), { ...nicShape(fixture, 'eth1'), model: 'E1000e', link: 'Down' }],
      };
      await pool.take(vm, define(fixture, vm, shape), never);
      const off = await look(fixture, pool, vm);
      expect(off === undefined ? undefined : compare(host, shape, off, capabilities)).toEqual({
        running: [],
        nextDiffers: [],
      });
      await pool.take(vm, { kind: 'start', host }, never);
      const on = await look(fixture, pool, vm);
      expect(on === undefined ? undefined : compare(host, shape, on, capabilities)).toEqual({
        running: [],
        nextDiffers: [],
      });
      await clean(fixture, pool, vm);
    },
  },
];
