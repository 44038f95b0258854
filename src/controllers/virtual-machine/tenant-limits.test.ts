/** What a tenant must not reach through a spec, or through the status of objects in its own namespace. */
import { describe, expect, it } from 'vitest';
import type { DiskShape } from '../../drivers/hypervisor/shape.ts';
import { decide } from './decide.ts';
import { desireOf } from './desire.ts';
import {
  sampleCandidate,
  sampleDisk,
  sampleMachine,
  sampleSight,
  sampleSighting,
  sampleWorld,
} from './sample-world.ts';
import { statusOf } from './status.ts';
import { reportOf } from './status-report.ts';
import { type Lack, type NicWorld, ok, type VmWorld } from './world.ts';

const forbidden: Lack = { condition: 'Placed', reason: 'HostPoolNotFound', message: 'no such pool' };
const reserved: Lack = { condition: 'NetworkReady', reason: 'NetworkNotFound', message: 'no such network' };
const mac = '52:54:00:00:00:01';
const nic = (network: string, change: Partial<NicWorld> = {}): NicWorld => ({
  name: 'eth0',
  network,
  mac,
  shape: ok({
    name: 'eth0',
    mac,
    model: 'Virtio',
    link: 'Up',
    backend: { kind: 'network', network: `ovcp-${network}` },
    guard: { mac: true, ip: true, ips: [] },
  }),
  ...change,
});
const desired = (world: VmWorld, seen: VmWorld | undefined) => {
  if (world.resources.kind === 'lack') throw new Error('the sample world has resources');
  const sighting = seen && sampleSighting(seen, { kind: 'running' });
  return desireOf(world, world.resources.value, { kind: 'none' }, sighting);
};

describe('a pool that the namespace may not use', () => {
  it('takes no machine, whatever its status says of a host', () => {
    for (const status of [{}, { host: 'kvm.node1' }]) {
      const world = sampleWorld(sampleMachine({}, { status }), { forbidden });
      const { plan, reason } = decide(world, sampleSight([]));
      expect({ kind: plan.kind, reason }).toEqual({ kind: 'wait', reason: 'HostPoolNotFound' });
    }
  });

  it('keeps a machine that is on one of its hosts', () => {
    const world = sampleWorld(sampleMachine(), { forbidden });
    expect(decide(world, sampleSight([sampleSighting(world, { kind: 'running' })])).reason).toBe('Running');
  });

  it('shows nothing of its hosts', () => {
    const hosts = [{ name: 'kvm.node1', id: 'node1', candidate: sampleCandidate({ memoryMiB: 1 }) }];
    const base = sampleWorld(sampleMachine({}, { status: {} }), { hosts, forbidden });
    const world = { ...base, vm: { ...base.vm, status: {} } };
    const seen = sampleSight([]);
    const status = statusOf(world, seen, decide(world, seen).plan, undefined, 0);
    expect(status.unplaced).toBeUndefined();
    expect(JSON.stringify(status)).not.toContain('node1');
  });
});

describe('a network that the namespace may not use', () => {
  it('is not reached by changing a card that the machine has', () => {
    const before = sampleWorld(sampleMachine(), { nics: [nic('lan')] });
    const { shape, lacks } = desired(
      sampleWorld(sampleMachine(), { nics: [nic('dmz', { reserved })] }),
      before,
    );
    expect(shape.nics.map(({ backend }) => backend)).toEqual([{ kind: 'network', network: 'ovcp-lan' }]);
    expect(lacks).toEqual([reserved]);
  });

  it('stays plugged where it is plugged, and takes no new card', () => {
    const world = sampleWorld(sampleMachine(), { nics: [nic('lan', { reserved })] });
    const before = sampleWorld(sampleMachine(), { nics: [nic('lan')] });
    expect(desired(world, before)).toMatchObject({ lacks: [], shape: { nics: [{ mac }] } });
    expect(desired(world, undefined)).toMatchObject({ lacks: [reserved], shape: { nics: [] } });
  });
});

describe('a disk that another one replaced under the same name', () => {
  const [oldUid, newUid] = ['d0000000-0000-4000-8000-00000000000a', 'd0000000-0000-4000-8000-00000000000b'];
  const serialOf = (uid: string): string => uid.replaceAll('-', '').slice(0, 20);

  it('is shown as attached for as long as it is in the running machine', () => {
    const disk: DiskShape = { ...sampleDisk, name: 'data', serial: serialOf(oldUid) };
    const entry = { name: 'data', diskName: 'old', diskUid: oldUid, attached: false };
    const world = sampleWorld(sampleMachine({}, { status: { disks: [entry] } }), {
      disks: [
        {
          name: 'data',
          diskName: 'new',
          diskUid: newUid,
          hostLocal: true,
          state: { kind: 'ready', shape: { ...disk, serial: serialOf(newUid) }, claimed: false },
        },
      ],
    });
    const sighting = sampleSighting(world, { kind: 'running' });
    const running = { ...sighting.running, disks: [disk] } as NonNullable<typeof sighting.running>;
    expect(reportOf(world, { ...sighting, running }, false).disks).toEqual([{ ...entry, attached: true }]);
    expect(reportOf(world, { ...sighting, running: { ...running, disks: [] } }, false).disks).toMatchObject([
      { diskName: 'new', attached: false },
    ]);
  });
});

describe('a new machine while a host of the pool is down', () => {
  it('is placed on another one, unless something may have been made for it before', () => {
    const [first, second] = sampleWorld().hosts;
    if (first === undefined || second === undefined) throw new Error('two hosts');
    const hosts = [first, { ...second, candidate: { ...second.candidate, reachable: false } }];
    const base = sampleWorld(sampleMachine(), { hosts });
    const world = { ...base, vm: { ...base.vm, status: {} } };
    const seen = sampleSight([], { unseen: ['node2'] });
    expect(decide(world, seen).reason).toBe('HostUnreachable');
    expect(decide({ ...world, fresh: true }, seen).plan).toEqual({
      kind: 'step',
      step: { kind: 'place', host: 'kvm.node1' },
    });
  });
});
