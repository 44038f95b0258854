import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitTo } from './fit.ts';
import { host } from './host.ts';
import { hostPool } from './host-pool.ts';
import { storagePool } from './storage-pool.ts';
import { virtualDisk } from './virtual-disk.ts';
import { virtualMachine } from './virtual-machine.ts';
import { virtualMachineImage } from './virtual-machine-image.ts';
import { virtualNetwork } from './virtual-network.ts';

const kinds = [
  host,
  hostPool,
  storagePool,
  virtualDisk,
  virtualMachine,
  virtualMachineImage,
  virtualNetwork,
] as const;
const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'Ready',
  message: 'All is well.',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

describe('a status that is made to fit', () => {
  it('comes back as it is when it fits', () => {
    const status = { observedGeneration: 1, conditions: [condition], ipAddress: '192.0.2.1' };
    expect(fitTo(virtualMachine.status)(status)).toEqual(status);
  });

  it('loses what is too much, and nothing else', () => {
    const fitted = fitTo(host.status)({
      conditions: [condition, { ...condition, type: 'Reachable', message: 'x'.repeat(5000) }],
      hostUuid: 'u'.repeat(5000),
      hypervisor: { driver: 'libvirt', type: 'Q'.repeat(100), version: '9.0.0' },
      capacity: { cpus: 4_294_967_295, memory: '1Gi' },
      capabilities: ['DiskHotplug', '<script>'],
    });
    expect(fitted).toEqual({
      conditions: [condition, { ...condition, type: 'Reachable', message: 'x'.repeat(2048) }],
      hostUuid: 'u'.repeat(36),
      hypervisor: { driver: 'libvirt', type: 'Q'.repeat(32), version: '9.0.0' },
      capacity: { cpus: 1_000_000, memory: '1Gi' },
      capabilities: ['DiskHotplug'],
    });
  });

  it('leaves out what lacks a part that it needs', () => {
    const status = { networks: [{ name: 'eth0' }, { name: 'eth1', mac: '52:54:00:00:00:01' }] };
    expect(fitTo(virtualMachine.status)(status)).toEqual({
      networks: [{ name: 'eth1', mac: '52:54:00:00:00:01' }],
    });
  });

  it('holds no half character, which would never come back as it was sent', () => {
    const status = { guest: { os: `Debian \ud83d` } };
    expect(fitTo(virtualMachine.status)(status)).toEqual({ guest: { os: 'Debian \ufffd' } });
  });

  it.each(kinds.map((kind) => [kind.kind, kind] as const))('fits %s, whatever is in it', (_name, kind) => {
    const fit = fitTo(kind.status);
    const long = fc.string({ maxLength: 40, unit: 'binary' }).map((text) => text.repeat(200));
    const hostile = fc.oneof(long, fc.integer(), fc.double(), fc.constant(null), fc.jsonValue());
    const fields = Object.keys(kind.status.shape);
    const record = fc.dictionary(
      fc.constantFrom('name', 'host', 'state', 'mac', 'uid', 'ready', 'message'),
      hostile,
    );
    const value = fc.oneof(hostile, record, fc.array(record, { maxLength: 70 }), fc.array(hostile));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fields), value), (status) => {
        const fitted = fit(status);
        expect(kind.status.safeParse(fitted).error?.issues).toBeUndefined();
        expect(fit(fitted)).toEqual(fitted);
      }),
      { numRuns: 60 },
    );
  });
});
