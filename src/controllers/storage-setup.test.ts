import { describe, expect, it } from 'vitest';
import type { Host } from '../api/host.ts';
import type { HostPool } from '../api/host-pool.ts';
import type { StoragePool, StoragePoolSpec } from '../api/storage-pool.ts';
import { glusterOptions } from '../api/storage-pool-gluster.ts';
import { ALLOWED_OPTIONS } from '../drivers/storage/gluster/options.ts';
import {
  clientNames,
  endpointOf,
  erasesOnDeletion,
  hostOfUri,
  serverCredentialsOf,
  setupOf,
} from './storage-setup.ts';

const servers = [
  { name: 'g1', address: '192.0.2.21', credentialsSecretRef: { name: 'ssh' } },
  {
    name: 'g2',
    address: 'g2.example.org',
    sshPort: 2222,
    user: 'ovcp',
    credentialsSecretRef: { name: 'ssh' },
  },
];
const base = {
  driver: 'gluster',
  hostPoolRefs: [{ name: 'kvm' }],
  roles: ['Disks'],
  allowedNamespaces: { from: 'None' },
  maxImageSize: '100Gi',
} as const;
const replicaSets = [
  {
    name: 'a',
    bricks: [
      { name: 'a1', server: 'g1', path: '/b' },
      { name: 'a2', server: 'g2', path: '/b' },
    ],
  },
];
const managed: StoragePoolSpec = {
  ...base,
  gluster: {
    management: 'Manage',
    volume: 'gv0',
    servers,
    layout: { type: 'Replicate', replica: 2 },
    replicaSets,
    force: true,
    clients: ['198.51.100.1'],
    deletionPolicy: 'Delete',
  },
};
const observed: StoragePoolSpec = { ...base, gluster: { management: 'Observe', volume: 'gv0', servers } };

const poolOf = (spec: StoragePoolSpec, hosts: readonly string[] = []): StoragePool => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'gv0', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
  spec,
  status: { hosts: hosts.map((name) => ({ name, ready: true })) },
});

describe('setup of a storage server', () => {
  it('is made of the spec, the clients and the defaults of SSH', () => {
    const setup = setupOf(poolOf(managed), ['192.0.2.12', '192.0.2.11']);
    expect(setup?.wish).toEqual({
      kind: 'gluster',
      management: 'Manage',
      volume: 'gv0',
      layout: { type: 'Replicate', replica: 2, arbiter: false },
      replicaSets,
      options: {},
      force: true,
      clients: ['192.0.2.11', '192.0.2.12', '198.51.100.1'],
    });
    expect(setup?.servers).toEqual([
      { name: 'g1', address: '192.0.2.21', port: 22, user: 'root', secret: 'ssh' },
      { name: 'g2', address: 'g2.example.org', port: 2222, user: 'ovcp', secret: 'ssh' },
    ]);
  });

  it('lets nobody in where it only observes', () => {
    const wish = setupOf(poolOf(observed), ['192.0.2.11'])?.wish;
    expect(wish).toMatchObject({ management: 'Observe', clients: [], replicaSets: [] });
  });

  it('erases on deletion only what is managed and said to go', () => {
    expect(erasesOnDeletion(poolOf(managed))).toBe(true);
    expect(erasesOnDeletion(poolOf(observed))).toBe(false);
  });

  it('reads the documented keys of a Secret alone', () => {
    const data = new Map([
      ['ssh-privatekey', Buffer.from('key')],
      ['known_hosts', Buffer.from('g1 ssh-ed25519 AAAA')],
      ['other', Buffer.from('x')],
    ]);
    const credentials = serverCredentialsOf(data);
    expect(credentials).toEqual({ sshPrivateKey: 'key', sshKnownHosts: 'g1 ssh-ed25519 AAAA' });
    const [server] = setupOf(poolOf(managed), [])?.servers ?? [];
    expect(server && endpointOf(server, credentials)).toEqual({
      name: 'g1',
      address: '192.0.2.21',
      ssh: { host: '192.0.2.21', port: 22, user: 'root', credentials },
    });
  });
});

it('the API admits the options that the Gluster driver sets, and no others', () => {
  expect([...ALLOWED_OPTIONS].toSorted()).toEqual(glusterOptions.toSorted());
});

describe('hosts that may mount', () => {
  it.each([
    ['qemu+ssh://root@192.0.2.11/system', '192.0.2.11'],
    ['qemu+tls://h1.example.org:16514/system?no_verify=0', 'h1.example.org'],
    ['qemu+ssh://root@[2001:db8::1]:22/system', '2001:db8::1'],
    ['qemu:///system', undefined],
    ['qemu+unix:///system?socket=%2Frun%2Flibvirt', undefined],
  ])('%s is reached at %s', (uri, host) => {
    expect(hostOfUri(uri)).toBe(host);
  });

  const hostPool = (name: string, uris: Readonly<Record<string, string>>): HostPool =>
    ({
      metadata: { name },
      spec: {
        driver: 'libvirt',
        libvirt: { hosts: Object.entries(uris).map(([host, uri]) => ({ name: host, uri })) },
      },
    }) as unknown as HostPool;
  const pools = new Map([
    ['kvm', hostPool('kvm', { h1: 'qemu+ssh://192.0.2.11/system', h2: 'qemu+ssh://192.0.2.12/system' })],
    ['old', hostPool('old', { x: 'qemu+ssh://192.0.2.31/system', y: 'qemu+ssh://192.0.2.32/system' })],
  ]);

  it('are those of its pools, those that leave, and those of former pools that still hold something', () => {
    const leaving = {
      spec: { hostName: 'h3' },
      status: { uri: 'qemu+ssh://192.0.2.13/system' },
    } as unknown as Host;
    const names = clientNames(
      poolOf(managed, ['kvm.h1', 'old.y']),
      (name) => pools.get(name),
      (name) => (name === 'kvm' ? [leaving] : []),
    );
    expect(names).toEqual(['192.0.2.11', '192.0.2.12', '192.0.2.13', '192.0.2.32']);
  });
});
