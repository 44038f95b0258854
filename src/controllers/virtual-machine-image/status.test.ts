import { describe, expect, it } from 'vitest';
import { parseWith } from '../../api/kit.ts';
import { virtualMachineImageStatus } from '../../api/virtual-machine-image.ts';
import { statusEqual } from '../../runtime/equal.ts';
import { Fault } from '../../runtime/fault.ts';
import {
  absent,
  complete,
  deleted,
  sampleDigest,
  sampleHost,
  sampleImage,
  sampleWorld,
  sightOf,
} from './sample-world.ts';
import { statusOf } from './status.ts';
import type { ImageSight, ImageWorld } from './world.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const brief = (world: ImageWorld, seen: ImageSight | undefined, fault?: Fault) => {
  const status = statusOf(world, seen, fault, nowMs);
  expect(() => parseWith(virtualMachineImageStatus, status)).not.toThrow();
  const conditions = (status.conditions ?? []).map((it) => `${it.type}=${it.status} ${it.reason}`);
  return { ...status, conditions };
};
const world = sampleWorld(sampleImage());
const settled = ['Ready=True Ready', 'Reconciling=False Reconciled', 'Stalled=False NotStalled'];

describe('the status of an image', () => {
  it('says where it is, how large, and what was verified', () => {
    expect(brief(world, sightOf([absent('kvm.n1'), complete('kvm.n2')]))).toEqual({
      copies: [{ host: 'kvm.n2', state: 'Ready' }],
      virtualSize: '256Mi',
      digest: sampleDigest,
      observedGeneration: 1,
      conditions: settled,
    });
  });

  it('lists copies by host, with the percent of those that are made, and stays ready', () => {
    const imports = new Map([['kvm.n1', { kind: 'running' as const, host: 'kvm.n1', percent: 42.7 }]]);
    const given = { ...world, imports, demanded: new Set(['kvm.n1']) };
    const status = brief(given, sightOf([absent('kvm.n1'), complete('kvm.n2')]));
    expect(status.copies).toEqual([
      { host: 'kvm.n1', state: 'Importing', percent: 42 },
      { host: 'kvm.n2', state: 'Ready' },
    ]);
    expect(status.conditions).toEqual(settled);
  });

  it('is in progress before the first copy', () => {
    const status = brief(world, sightOf([absent('kvm.n1'), absent('kvm.n2')]));
    expect(status.copies).toEqual([{ host: 'kvm.n2', state: 'Importing' }]);
    expect(status.conditions).toEqual([
      'Ready=False Importing',
      'Reconciling=True Importing',
      'Stalled=False NotStalled',
    ]);
  });

  it.each([
    ['unreachable', 'DownloadFailed', 'Reconciling=True DownloadFailed', 'Stalled=False NotStalled'],
    ['unreachable', 'CertificateInvalid', 'Reconciling=True CertificateInvalid', 'Stalled=False NotStalled'],
    ['invalid', 'ImageUrlRefused', 'Reconciling=False Reconciled', 'Stalled=True ImageUrlRefused'],
    [
      'invalid',
      'ImageChecksumMismatch',
      'Reconciling=False Reconciled',
      'Stalled=True ImageChecksumMismatch',
    ],
  ] as const)('tells of an import that failed: %s %s', (kind, reason, reconciling, stalled) => {
    const fault = new Fault(kind, 'the server said no', { reason });
    const imports = new Map([
      [
        'kvm.n1',
        {
          kind: 'failed' as const,
          host: 'kvm.n1',
          fault,
          dueMs: nowMs + 1,
          maxImageBytes: world.maxImageBytes,
        },
      ],
    ]);
    const status = statusOf({ ...world, imports }, sightOf([absent('kvm.n1')]), undefined, nowMs);
    expect(status.copies).toEqual([{ host: 'kvm.n1', state: 'Failed', message: 'the server said no' }]);
    expect(status.conditions?.map((it) => `${it.type}=${it.status} ${it.reason}`)).toEqual([
      `Ready=False ${reason}`,
      reconciling,
      stalled,
    ]);
    expect(status.conditions?.[0]?.message).toBe('The import failed: the server said no.');
  });

  it('says the same again when the next operator reads that the file was refused', () => {
    const fault = new Fault('invalid', 'the image has another checksum', { reason: 'ImageChecksumMismatch' });
    const imports = new Map([
      [
        'kvm.n1',
        { kind: 'failed' as const, host: 'kvm.n1', fault, dueMs: 0, maxImageBytes: world.maxImageBytes },
      ],
    ]);
    const seen = sightOf([absent('kvm.n1'), absent('kvm.n2')]);
    const first = statusOf({ ...world, imports }, seen, undefined, nowMs);
    const next = statusOf(sampleWorld(sampleImage({ status: first })), seen, undefined, nowMs + 1);
    expect(statusEqual(first, next)).toBe(true);
  });

  it('keeps what is recorded of a host that cannot be asked, and drops what was lost', () => {
    const status = {
      copies: [
        { host: 'kvm.n1', state: 'Ready' as const },
        { host: 'kvm.n9', state: 'Ready' as const },
        { host: 'kvm.n2', state: 'Ready' as const },
      ],
      virtualSize: '256Mi',
      digest: sampleDigest,
    };
    const hosts = [sampleHost('kvm.n1', { usable: false }), sampleHost('kvm.n2', { declaredDown: 'burnt' })];
    const given = sampleWorld(sampleImage({ status }), { hosts });
    const told = brief(given, sightOf([], ['kvm.n1']));
    expect(told).toMatchObject({
      copies: [{ host: 'kvm.n1', state: 'Ready' }],
      virtualSize: '256Mi',
      digest: sampleDigest,
    });
    expect(told.conditions[0]).toBe('Ready=Unknown HostUnreachable');
  });

  it('names no host in a shared pool', () => {
    const shared = { ...world, shared: true };
    expect(brief(shared, sightOf([complete('kvm.n1')])).copies).toEqual([{ state: 'Ready' }]);
    expect(brief(shared, sightOf([absent('kvm.n1')])).copies).toEqual([{ state: 'Importing' }]);
  });

  it('says that it is being deleted and what it waits for', () => {
    const given = sampleWorld(sampleImage(deleted), { dependents: ['machine web-1'] });
    expect(brief(given, sightOf([complete('kvm.n1')])).conditions).toContain(
      'Deleting=True WaitingForDependents',
    );
  });

  it('is unknown when nobody could look', () => {
    expect(brief(world, undefined).conditions[0]).toBe('Ready=Unknown StorageNotReady');
    expect(brief(world, undefined).copies).toBeUndefined();
  });
});
