import { describe, expect, it } from 'vitest';
import type { StoragePool } from '../../api/storage-pool.ts';
import { isAuditDue, restMs } from './audit.ts';

const pool = (topology: 'HostLocal' | 'Shared', ready: readonly boolean[] | undefined): StoragePool =>
  ({
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: {
      name: 'fast',
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {
      driver: 'dir',
      hostPoolRefs: [{ name: 'kvm' }],
      topology,
      roles: ['Disks'],
      dir: { path: '/srv/ovcp' },
      maxImageSize: '1Gi',
      allowedNamespaces: { from: 'None' },
    },
    ...(ready === undefined
      ? {}
      : { status: { hosts: ready.map((it, index) => ({ name: `kvm.n${index}`, ready: it })) } }),
  }) satisfies StoragePool;

describe('isAuditDue', () => {
  it('leaves the ready folders of hosts alone, but not for ever', () => {
    expect(isAuditDue(pool('HostLocal', [true, true]), 120_000)).toBe(false);
    expect(isAuditDue(pool('HostLocal', [true, true]), restMs)).toBe(true);
    expect(isAuditDue(pool('HostLocal', [true, true]), Number.POSITIVE_INFINITY)).toBe(true);
  });

  it('looks at what is shared, and at what is not ready, each time', () => {
    expect(isAuditDue(pool('Shared', [true]), 0)).toBe(true);
    expect(isAuditDue(pool('HostLocal', [true, false]), 0)).toBe(true);
    expect(isAuditDue(pool('HostLocal', undefined), 0)).toBe(true);
  });
});
