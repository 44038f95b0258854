import { describe, expect, it } from 'vitest';
import type { VmStep } from '../../drivers/hypervisor/contract.ts';
import { loginsFor } from './logins.ts';
import { sampleDisk } from './sample-world.ts';
import type { DiskWorld } from './world.ts';

const GiB = 1024 ** 3;
const lun = (name: string): DiskWorld => ({
  name,
  diskName: `web-1.${name}`,
  diskUid: `uid-${name}`,
  storagePool: 'san',
  hostLocal: false,
  served: 'block',
  state: {
    kind: 'ready',
    claimed: true,
    shape: {
      ...sampleDisk,
      name,
      serial: `serial-${name}`,
      sizeBytes: GiB,
      attachment: { kind: 'block', path: `/dev/disk/by-id/${name}`, format: 'raw' },
    },
  },
});
const file: DiskWorld = {
  name: 'file',
  diskName: 'web-1.file',
  diskUid: 'uid-file',
  storagePool: 'local',
  hostLocal: true,
  state: { kind: 'ready', shape: sampleDisk, claimed: true },
};
const volume: DiskWorld = { ...lun('volume'), storagePool: 'fast', hostLocal: true, served: undefined };
const world = { disks: [lun('root'), lun('data'), file, volume] };
const host = 'node1';
const needed = (step: VmStep) => loginsFor(world, step);
const need = (name: string, more: object = {}) => ({
  poolName: 'san',
  diskUid: `uid-${name}`,
  sizeBytes: GiB,
  inUse: false,
  ...more,
});

describe('what a host has to be logged in to', () => {
  it('is every LUN of a machine that starts, and neither files nor volumes of the host itself', () => {
    expect(needed({ kind: 'start', host })).toEqual([need('root'), need('data')]);
  });

  it('is the LUN that is attached', () => {
    expect(needed({ kind: 'attachDisk', host, disk: { ...sampleDisk, serial: 'serial-data' } })).toEqual([
      need('data'),
    ]);
  });

  it('is looked at anew when a LUN has grown under its machine', () => {
    expect(needed({ kind: 'growDisk', host, serial: 'serial-root', sizeBytes: 2 * GiB })).toEqual([
      need('root', { sizeBytes: 2 * GiB, inUse: true }),
    ]);
  });

  it('is nothing for steps that open no disk', () => {
    for (const kind of ['destroy', 'shutdown', 'undefine'] as const)
      expect(needed({ kind, host })).toEqual([]);
  });
});
