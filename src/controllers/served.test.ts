import { describe, expect, it } from 'vitest';
import { hostInitiatorIqn } from '../api/identity.ts';
import type { StoragePool, StoragePoolSpec } from '../api/storage-pool.ts';
import { portalOf } from '../api/storage-pool-iscsi.ts';
import { isServed, loginOf, secretOf, servedAttachmentOf } from './served.ts';
import { erasesOnDeletion, setupOf } from './storage-setup.ts';
import { secretsFor } from './virtual-machine/secrets.ts';
import type { DiskWorld } from './virtual-machine/world.ts';

const spec = {
  driver: 'iscsi',
  hostPoolRefs: [{ name: 'kvm' }],
  roles: ['Disks'],
  allowedNamespaces: { from: 'All' },
  maxImageSize: '100Gi',
  iscsi: {
    target: {
      software: 'TGT',
      address: '192.0.2.31',
      credentialsSecretRef: { name: 'san-ssh' },
      portals: ['192.0.2.31:3260', '[2001:db8::31]:3261'],
    },
    backing: { type: 'Files', files: { path: '/srv/san' } },
    chap: { credentialsSecretRef: { name: 'san-chap' } },
    attach: 'QEMU',
  },
} as const satisfies StoragePoolSpec;
const poolOf = (change: Partial<StoragePool> = {}): StoragePool => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'san', uid: 'p1', resourceVersion: '1', generation: 1, creationTimestamp: '' },
  spec,
  ...change,
});
const known = poolOf({ status: { observedGeneration: 1, login: { version: 'v1' } } });

describe('an iSCSI pool', () => {
  it('is opened with its target, its portals and the name that hosts log in with', () => {
    expect(setupOf(poolOf(), [])).toEqual({
      wish: {
        kind: 'iscsi',
        software: 'TGT',
        portals: [
          { address: '192.0.2.31', port: 3260 },
          { address: '2001:db8::31', port: 3261 },
        ],
        backing: { type: 'Files', path: '/srv/san' },
      },
      login: { user: 'ovcp-san', secret: 'san-chap' },
      servers: [{ name: 'target', address: '192.0.2.31', port: 22, user: 'root', secret: 'san-ssh' }],
    });
    expect(erasesOnDeletion(poolOf())).toBe(false);
    expect(isServed(poolOf())).toBe(true);
  });

  it('is reached at an address and a port', () => {
    expect(portalOf('san.example.org:3260')).toEqual({ address: 'san.example.org', port: 3260 });
    expect(portalOf('[2001:db8::31]:3261')).toEqual({ address: '2001:db8::31', port: 3261 });
  });

  it('has a login that is another one with every version of its Secret', () => {
    expect(loginOf(poolOf())).toEqual({ kind: 'unknown' });
    expect(loginOf(known)).toEqual({ kind: 'known', user: 'ovcp-san', version: 'v1' });
    const { chap: _chap, ...open } = spec.iscsi;
    expect(loginOf(poolOf({ spec: { ...spec, iscsi: open } }))).toEqual({ kind: 'none' });
    expect(secretOf('c', known, 'v1').uuid).not.toBe(secretOf('c', known, 'v2').uuid);
    expect(secretOf('c', known, 'v1').usage).toBe('ovcp/c/p1/v1');
  });

  it('gives a host a disk by names that are derived from uids', () => {
    expect(servedAttachmentOf('c', known, 'd1', 'h1')).toEqual({
      kind: 'network',
      protocol: 'iscsi',
      portal: { address: '192.0.2.31', port: 3260 },
      targetIqn: 'iqn.2025-01.dev.ovcp:disk.d1',
      lun: 1,
      initiator: hostInitiatorIqn('h1'),
      auth: { user: 'ovcp-san', secretUuid: secretOf('c', known, 'v1').uuid },
      format: 'raw',
    });
  });
});

describe('secrets of a machine', () => {
  const diskOf = (name: string, storagePool: string, pool: StoragePool | undefined): DiskWorld => ({
    name,
    diskName: name,
    storagePool,
    hostLocal: false,
    state: {
      kind: 'ready',
      claimed: true,
      shape: {
        name,
        serial: name,
        bus: 'Virtio',
        sizeBytes: 1,
        attachment:
          pool === undefined
            ? { kind: 'file', path: '/a', format: 'raw', backing: [] }
            : servedAttachmentOf('c', pool, name, 'h1'),
      },
    },
  });
  const disks = [diskOf('a', 'local', undefined), diskOf('b', 'san', known), diskOf('c', 'san', known)];
  const need = { poolName: 'san', secretUuid: secretOf('c', known, 'v1').uuid };

  it('are put before it starts, once for a pool', () => {
    expect(secretsFor({ disks }, { kind: 'start', host: 'h' })).toEqual([need]);
  });

  it('are put before a disk that needs one is attached', () => {
    const shapeOf = (at: number) => {
      const state = disks[at]?.state;
      if (state?.kind !== 'ready') throw new Error('all disks are ready');
      return state.shape;
    };
    expect(secretsFor({ disks }, { kind: 'attachDisk', host: 'h', disk: shapeOf(1) })).toEqual([need]);
    expect(secretsFor({ disks }, { kind: 'attachDisk', host: 'h', disk: shapeOf(0) })).toEqual([]);
  });

  it('are not put for anything else', () => {
    expect(secretsFor({ disks }, { kind: 'shutdown', host: 'h' })).toEqual([]);
  });
});
