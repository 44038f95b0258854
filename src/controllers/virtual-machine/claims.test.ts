import { describe, expect, it } from 'vitest';
import type { VmStep } from '../../drivers/hypervisor/contract.ts';
import { checkClaims } from './claims.ts';
import { sampleDisk, sampleMachine, sampleWorld } from './sample-world.ts';
import type { DiskWorld } from './world.ts';

const disk = (claimed: boolean): DiskWorld => ({
  name: 'root',
  diskName: 'web-1-root',
  storagePool: 'local',
  hostLocal: false,
  served: undefined,
  state: { kind: 'ready', shape: sampleDisk, claimed },
});
const vm = sampleMachine();
const world = sampleWorld(vm, { disks: [disk(true)] });
const lost = sampleWorld(vm, { disks: [disk(false)] });
const start: VmStep = { kind: 'start', host: 'node1' };
const attach: VmStep = { kind: 'attachDisk', host: 'node1', disk: sampleDisk };
const conflict = expect.objectContaining({ kind: 'conflict' });

describe('claims right before a step', () => {
  it('are there, and it is taken', () => {
    for (const step of [start, attach]) expect(() => checkClaims(world, world, step)).not.toThrow();
  });

  it('went to another machine since the pass began', () => {
    for (const step of [start, attach]) expect(() => checkClaims(world, lost, step)).toThrow(conflict);
  });

  it('are not those of a disk that was taken out of the list: it may be in the definition still', () => {
    const out = sampleWorld(vm, { disks: [] });
    for (const step of [start, attach]) expect(() => checkClaims(world, out, step)).toThrow(conflict);
  });

  it('are those of another machine, or of none, when the object is another one', () => {
    const other = sampleMachine({}, { metadata: { uid: 'another' } });
    expect(() => checkClaims(world, sampleWorld(other, { disks: [disk(true)] }), start)).toThrow(conflict);
    expect(() => checkClaims(world, undefined, start)).toThrow(conflict);
  });

  it('are given back by a machine that was switched off meanwhile', () => {
    const off = sampleWorld(sampleMachine({ powerState: 'PoweredOff' }), { disks: [disk(true)] });
    expect(() => checkClaims(world, off, start)).toThrow(conflict);
  });

  it('do not matter to steps that open no disk', () => {
    for (const step of [
      { kind: 'destroy', host: 'node1' },
      { kind: 'detachDisk', host: 'node1', serial: sampleDisk.serial },
    ] as const satisfies readonly VmStep[])
      expect(() => checkClaims(world, lost, step)).not.toThrow();
  });
});
