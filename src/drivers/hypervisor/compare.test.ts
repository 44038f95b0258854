import {
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  subarray,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../runtime/test-clock.ts';
import { compare } from './compare.ts';
import type { Capability, HypervisorPool, Sighting, VmIdentity } from './contract.ts';
import type { CdromShape, DiskShape, FileAttachment, NetworkAttachment, NicShape, VmShape } from './shape.ts';
import { createSimulatedDriver } from './simulated/driver.ts';
import { simulatedCapabilities } from './simulated/state.ts';
import { createWorld } from './simulated/world.ts';

const host = 'one';
const never = new AbortController().signal;
const gib = 1024 ** 3;
const bootOrder = constantFrom(undefined, 1, 2, 3, 4, 5, 6);

const initiator = 'iqn.2026-01.dev.ovcp:host.a';
const secretUuid = '5cf4c5a2-0d7e-5b5d-9e57-3f0f6c3b7a11';
const targetsOf = (name: string): readonly [string, string] => [
  `iqn.2026-01.dev.ovcp:${name}-1`,
  `iqn.2026-01.dev.ovcp:${name}-2`,
];

const disk = (name: string) =>
  record<DiskShape>({
    name: constantFrom(name),
    serial: constantFrom(`serial-${name}`),
    bus: constantFrom('Virtio', 'SCSI', 'SATA'),
    attachment: oneof(
      record<FileAttachment>({
        kind: constantFrom('file'),
        path: constantFrom(`/disks/${name}.qcow2`, `/disks/other-${name}.qcow2`),
        format: constantFrom('qcow2', 'raw'),
        backing: constantFrom([], [{ path: '/disks/image.qcow2', format: 'qcow2' }]),
      }),
      record<NetworkAttachment>({
        kind: constantFrom('network'),
        protocol: constantFrom('iscsi'),
        portal: constantFrom({ address: '192.0.2.31', port: 3260 }, { address: '192.0.2.32', port: 3260 }),
        targetIqn: constantFrom(...targetsOf(name)),
        lun: constantFrom(1),
        initiator: constantFrom(initiator),
        auth: constantFrom(undefined, { user: 'ovcp', secretUuid }),
        format: constantFrom('raw'),
      }),
    ),
    sizeBytes: integer({ min: 1, max: 4 }).map((size) => size * gib),
    bootOrder,
  });
const cdrom = (name: string) =>
  record<CdromShape>({
    name: constantFrom(name),
    path: constantFrom(undefined, '/a.iso', '/b.iso'),
    bootOrder,
  });
const nic = (name: string, at: number) =>
  record<NicShape>({
    name: constantFrom(name),
    mac: constantFrom(`52:54:00:00:00:0${at}`),
    model: constantFrom('Virtio', 'E1000e'),
    link: constantFrom('Up', 'Down'),
    backend: constantFrom<NicShape['backend']>(
      { kind: 'bridge', bridge: 'br0' },
      { kind: 'bridge', bridge: 'br1', vlan: 12 },
    ),
    guard: record({ mac: boolean(), ip: boolean(), ips: constantFrom([], ['10.0.0.1', '10.0.0.2']) }),
    bootOrder,
  });
const some = <T>(items: readonly T[]) => subarray([...items]);
const shape = record({
  cores: integer({ min: 1, max: 3 }),
  memoryMiB: constantFrom(64, 128),
  disks: record({ a: disk('a'), b: disk('b'), c: disk('c') }).chain((all) => some(Object.values(all))),
  cdroms: record({ a: cdrom('x'), b: cdrom('ovcp-seed') }).chain((all) => some(Object.values(all))),
  nics: record({ a: nic('eth0', 0), b: nic('eth1', 1) }).chain((all) => some(Object.values(all))),
  autostart: boolean(),
}).map(({ cores, ...rest }): VmShape => ({ ...rest, cpu: { sockets: 1, cores, threads: 1 }, hardware: {} }));
const capabilities = subarray([...simulatedCapabilities]);

const sighting = (running: VmShape | undefined, next: VmShape | undefined): Sighting => ({
  host,
  ownership: { kind: 'none' },
  power: running === undefined ? { kind: 'off', cause: 'Unknown' } : { kind: 'running' },
  running,
  next,
});
const reversed = (it: VmShape): VmShape => ({
  ...it,
  disks: it.disks.toReversed(),
  cdroms: it.cdroms.toReversed(),
  nics: it.nics
    .toReversed()
    .map((one) => ({ ...one, guard: { ...one.guard, ips: one.guard.ips.toReversed() } })),
});

const empty: VmShape = {
  cpu: { sockets: 1, cores: 1, threads: 1 },
  memoryMiB: 64,
  disks: [],
  cdroms: [],
  nics: [],
  hardware: {},
  autostart: false,
};
const root: DiskShape = {
  name: 'root',
  serial: 'r',
  bus: 'Virtio',
  attachment: { kind: 'file', path: '/var/lib/ovcp/r.qcow2', format: 'qcow2', backing: [] },
  sizeBytes: 2 * gib,
};
const eth0: NicShape = {
  name: 'eth0',
  mac: '52:54:00:00:00:01',
  model: 'Virtio',
  link: 'Up',
  backend: { kind: 'bridge', bridge: 'br0' },
  guard: { mac: true, ip: true, ips: [] },
};
const deltas = (desired: VmShape, running: VmShape, can: readonly Capability[] = simulatedCapabilities) =>
  compare(host, desired, sighting(running, desired), can).running.map(
    ({ path, from, to, impact, step }) => `${path}: ${from} -> ${to} ${impact} ${step?.kind ?? '-'}`,
  );

describe('what differs, in words of the spec', () => {
  const withDisk = (rest: Partial<DiskShape> = {}): VmShape => ({ ...empty, disks: [{ ...root, ...rest }] });
  const withNic = (rest: Partial<NicShape> = {}): VmShape => ({ ...empty, nics: [{ ...eth0, ...rest }] });
  const withMedium = (path?: string): VmShape => ({ ...empty, cdroms: [{ name: 'install', path }] });
  const rows: readonly (readonly [string, VmShape, VmShape, string])[] = [
    ['memory', { ...empty, memoryMiB: 128 }, empty, 'spec.memory: 64Mi -> 128Mi PowerCycle -'],
    ['attach', withDisk(), empty, 'spec.disks[root]: none -> 2Gi Virtio Live attachDisk'],
    ['attach SATA', withDisk({ bus: 'SATA' }), empty, 'spec.disks[root]: none -> 2Gi SATA PowerCycle -'],
    ['detach', empty, withDisk(), 'spec.disks[root]: 2Gi Virtio -> none Live detachDisk'],
    ['grow', withDisk({ sizeBytes: 3 * gib }), withDisk(), 'spec.disks[root].size: 2Gi -> 3Gi Live growDisk'],
    ['shrink', withDisk({ sizeBytes: gib }), withDisk(), 'spec.disks[root].size: 2Gi -> 1Gi Unsupported -'],
    ['bus', withDisk({ bus: 'SCSI' }), withDisk(), 'spec.disks[root].bus: Virtio -> SCSI PowerCycle -'],
    ['boot', withDisk({ bootOrder: 1 }), withDisk(), 'spec.disks[root].bootOrder: none -> 1 PowerCycle -'],
    ['medium', withMedium('/x/b.iso'), withMedium(), 'spec.cdroms[install]: empty -> b.iso Live changeMedia'],
    ['drive', withMedium(), empty, 'spec.cdroms[install]: none -> empty PowerCycle -'],
    ['card', withNic(), empty, 'spec.networks[eth0]: none -> 52:54:00:00:00:01 on bridge br0 Live attachNic'],
    [
      'link',
      withNic({ link: 'Down' }),
      withNic(),
      'spec.networks[eth0].linkState: Up -> Down Live updateNic',
    ],
    [
      'model',
      withNic({ model: 'E1000e' }),
      withNic(),
      'spec.networks[eth0].model: Virtio -> E1000e PowerCycle -',
    ],
    [
      'network of another kind',
      withNic({ backend: { kind: 'network', network: 'lan' } }),
      withNic(),
      'spec.networks[eth0]: bridge br0 -> network lan PowerCycle -',
    ],
  ];
  test.each(rows)('%s', (_name, desired, running, text) => {
    expect(deltas(desired, running)).toEqual([text]);
  });

  test('without capabilities everything waits for a power cycle', () => {
    expect(deltas(withDisk(), empty, [])).toEqual(['spec.disks[root]: none -> 2Gi Virtio PowerCycle -']);
    expect(deltas(withNic({ link: 'Down' }), withNic(), [])).toEqual([
      'spec.networks[eth0].linkState: Up -> Down PowerCycle -',
    ]);
  });

  test('a guard the host cannot keep is unsupported and never a reason to redefine', () => {
    const seen = withNic({ guard: { mac: false, ip: false, ips: [] } });
    const { running, nextDiffers } = compare(host, withNic(), sighting(seen, seen), []);
    expect(running.map(({ impact }) => impact)).toEqual(['Unsupported']);
    expect(nextDiffers).toEqual([]);
  });

  test('hardware counts only where the wish states it', () => {
    const seen = { ...empty, hardware: { machineType: 'pc-q35-7.2', cpuModel: 'EPYC' } };
    expect(deltas(empty, seen)).toEqual([]);
    expect(deltas({ ...empty, hardware: { machineType: 'pc-q35-9.2' } }, seen)).toEqual([
      'status.hardware.machineType: pc-q35-7.2 -> pc-q35-9.2 PowerCycle -',
    ]);
  });

  test('a live attach never takes a boot order that a running device holds', () => {
    const [comparison] = compare(
      host,
      {
        ...empty,
        disks: [
          { ...root, bootOrder: 2 },
          { ...root, name: 'new', serial: 'n', bootOrder: 1 },
        ],
      },
      sighting({ ...empty, disks: [{ ...root, bootOrder: 1 }] }, empty),
      simulatedCapabilities,
    ).running;
    expect(comparison?.step).toMatchObject({
      kind: 'attachDisk',
      disk: { serial: 'n', bootOrder: undefined },
    });
  });
});

describe('properties', () => {
  test('a shape equals itself, in any order', () => {
    assert(
      property(shape, capabilities, (wish, can) => {
        const seen = reversed(wish);
        expect(compare(host, wish, sighting(seen, seen), can)).toEqual({ running: [], nextDiffers: [] });
      }),
    );
  });

  test('a machine that is off has no deltas, and without a definition everything differs', () => {
    assert(
      property(shape, shape, (wish, seen) => {
        expect(compare(host, wish, sighting(undefined, seen), []).running).toEqual([]);
        expect(compare(host, wish, sighting(seen, undefined), []).nextDiffers).toEqual(['spec']);
      }),
    );
  });

  test('a step is there exactly when the impact is Live, and paths are sorted', () => {
    assert(
      property(shape, shape, capabilities, (wish, seen, can) => {
        const { running } = compare(host, wish, sighting(seen, seen), can);
        for (const { impact, step, from, to } of running) {
          expect(step !== undefined).toBe(impact === 'Live');
          expect(from).not.toBe(to);
        }
        const paths = running.map(({ path }) => path);
        expect(paths).toEqual(paths.toSorted((a, b) => (a < b ? -1 : Number(a > b))));
      }),
    );
  });

  const vm: VmIdentity = {
    clusterId: 'c',
    uid: 'u',
    uuid: '00000000-0000-4000-8000-000000000001',
    namespace: 'n',
    name: 'm',
    domainName: 'n.m.u',
  };
  const openPool = (wish: VmShape): HypervisorPool => {
    const bridges = ['br0', 'br1'];
    const world = createWorld({ clock: createTestClock(), random: () => 0.5 });
    for (const name of ['a', 'b', 'c']) {
      // What a server holds is grown there before the machine is told.
      const sizeBytes = wish.disks.find((each) => each.name === name)?.sizeBytes ?? gib;
      for (const target of targetsOf(name)) {
        world.fabric.targets.set(target, { lun: 1, sizeBytes, admitted: new Set([initiator]) });
      }
    }
    world.ensureHost({ name: host, cpus: 4, memoryMiB: 4096 }).secrets.set(secretUuid, 'iscsi');
    return createSimulatedDriver(world).open({ hosts: [{ name: host, cpus: 4, memoryMiB: 4096, bridges }] });
  };

  test('all live steps, and then a redefine and a power cycle, reach the wish', async () => {
    await assert(
      asyncProperty(shape, shape, capabilities, async (before, wish, can) => {
        const pool = openPool(wish);
        const record = { clusterId: 'c', uid: 'u', namespace: 'n', name: 'm', startDue: false };
        const look = async (): Promise<Sighting> => {
          const [found] = (await pool.see(vm, host, never)).sightings;
          expect(found).toBeDefined();
          return found as Sighting;
        };
        await pool.take(vm, { kind: 'define', host, shape: before, record }, never);
        await pool.take(vm, { kind: 'start', host }, never);
        for (const { step } of compare(host, wish, await look(), can).running) {
          if (step !== undefined) {
            await pool.take(vm, step, never);
          }
        }
        const pending = compare(host, wish, await look(), can).running;
        // A boot order that had to wait is all that live steps may leave over as new.
        expect(pending.filter(({ impact }) => impact === 'Live')).toEqual([]);
        await pool.take(vm, { kind: 'redefine', host, shape: wish, record }, never);
        await pool.take(vm, { kind: 'destroy', host }, never);
        await pool.take(vm, { kind: 'start', host }, never);
        expect(compare(host, wish, await look(), simulatedCapabilities)).toEqual({
          running: [],
          nextDiffers: [],
        });
        await pool.close();
      }),
      { numRuns: 300 },
    );
  });
});
