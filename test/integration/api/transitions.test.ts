import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiCluster, manifest, mustFail, startApiCluster } from './api-cluster.ts';

let cluster: ApiCluster;

beforeAll(async () => {
  cluster = await startApiCluster();
});

afterAll(async () => {
  await cluster.remove();
});

const machine = (disks: readonly object[], rest: object = {}): object =>
  manifest(
    'VirtualMachine',
    { name: 'm' },
    { hostPoolRef: { name: 'kvm' }, sizeRef: { name: 's' }, disks, ...rest },
  );

const templated = (template: object): object => ({
  name: 'root',
  template: { size: '2Gi', storagePoolRef: { name: 'local' }, imageRef: { name: 'tiny' }, ...template },
});

const disk = (spec: object): object =>
  manifest('VirtualDisk', { name: 'd' }, { size: '2Gi', storagePoolRef: { name: 'local' }, ...spec });

describe('VirtualDisk', () => {
  it('grows, in any unit, and never shrinks', async () => {
    await cluster.apply(disk({}));
    await cluster.apply(disk({ size: '2048Mi' }));
    await cluster.apply(disk({ size: '3Gi' }));
    expect(await cluster.refused(disk({ size: '3000Mi' }))).toContain(
      'a disk can only grow: size must not become smaller',
    );
    expect(await cluster.refused(disk({ size: '3G' }))).toContain('a disk can only grow');
  });

  it.each([
    ['storagePoolRef', { storagePoolRef: { name: 'other' } }],
    ['source', { source: { type: 'Image', imageRef: { name: 'tiny' } } }],
    ['format', { format: 'raw' }],
  ])('keeps its %s', async (field, change) => {
    await cluster.apply(disk({ size: '3Gi' }));
    expect(await cluster.refused(disk({ size: '3Gi', ...change }))).toContain(
      `${field} cannot be changed once it is set`,
    );
  });
});

describe('VirtualMachine', () => {
  it('stays in its pool', async () => {
    await cluster.apply(machine([]));
    expect(await cluster.refused(machine([], { hostPoolRef: { name: 'other' } }))).toContain(
      'hostPoolRef cannot be changed once it is set',
    );
  });

  it('keeps what a templated disk was made from, and never shrinks it', async () => {
    await cluster.apply(machine([templated({})]));
    await cluster.apply(machine([templated({ size: '4Gi' })]));
    expect(await cluster.refused(machine([templated({})]))).toContain('a disk can only grow');
    expect(
      await cluster.refused(machine([templated({ size: '4Gi', imageRef: { name: 'other' } })])),
    ).toContain('imageRef cannot be changed once it is set');
    expect(await cluster.refused(machine([templated({ size: '4Gi', clone: 'Full' })]))).toContain(
      'clone cannot be changed once it is set',
    );
  });

  it('lets a disk go from the list and come back', async () => {
    await cluster.apply(machine([]));
    await cluster.apply(machine([templated({ size: '1Gi' })]));
  });

  it('merges lists by name when two apply to one machine', async () => {
    const apply = (manager: string, networks: readonly object[]) =>
      cluster.mustKubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], {
        stdin: JSON.stringify(
          manifest(
            'VirtualMachine',
            { name: 'two' },
            { hostPoolRef: { name: 'kvm' }, sizeRef: { name: 's' }, networks },
          ),
        ),
      });
    await apply('one', [{ name: 'eth0', networkRef: { name: 'a' } }]);
    await apply('two', [{ name: 'eth1', networkRef: { name: 'b' } }]);
    const names = await cluster.mustKubectl(['get', 'ovm', 'two', '-o', 'jsonpath={.spec.networks[*].name}']);
    expect(names).toBe('eth0 eth1');
  });
});

describe('what never changes', () => {
  it('a VirtualMachineSize', async () => {
    const size = (memory: string) =>
      manifest('VirtualMachineSize', { name: 's' }, { cpu: { cores: 1 }, memory });
    await cluster.apply(size('1Gi'));
    expect(await cluster.refused(size('2Gi'))).toContain(
      'the spec of a VirtualMachineSize cannot be changed',
    );
  });

  it('a VirtualMachineImage', async () => {
    const image = (url: string) =>
      manifest(
        'VirtualMachineImage',
        { name: 'i' },
        {
          storagePoolRef: { name: 'local' },
          source: { url, checksum: `sha256:${'0'.repeat(64)}` },
          format: 'raw',
        },
      );
    await cluster.apply(image('https://images.example.org/a'));
    expect(await cluster.refused(image('https://images.example.org/b'))).toContain(
      'the spec of a VirtualMachineImage cannot be changed',
    );
  });

  it('the driver of a HostPool', async () => {
    await cluster.apply(
      manifest('HostPool', { name: 'p' }, { driver: 'simulated', simulated: { hosts: [] } }),
    );
    const patch = JSON.stringify({ spec: { driver: 'libvirt', simulated: null, libvirt: { hosts: [] } } });
    expect(await mustFail(cluster, ['patch', 'ohp', 'p', '--type=merge', '-p', patch])).toContain(
      'driver cannot be changed once it is set',
    );
  });

  it('topology and path of a StoragePool', async () => {
    const pool = (topology: string, path: string) =>
      manifest(
        'StoragePool',
        { name: 'p' },
        {
          driver: 'dir',
          hostPoolRefs: [{ name: 'p' }],
          topology,
          dir: { path },
          roles: ['Disks'],
        },
      );
    await cluster.apply(pool('HostLocal', '/srv/a'));
    expect(await cluster.refused(pool('Shared', '/srv/a'))).toContain(
      'topology cannot be changed once it is set',
    );
    expect(await cluster.refused(pool('HostLocal', '/srv/b'))).toContain(
      'dir.path cannot be changed once it is set',
    );
  });

  it('volume and layout of a Gluster pool, while an observed one may be managed', async () => {
    const servers = ['g1', 'g2'].map((name, at) => ({
      name,
      address: `192.0.2.${at + 21}`,
      credentialsSecretRef: { name: 'ssh' },
    }));
    const pool = (gluster: object) =>
      manifest(
        'StoragePool',
        { name: 'g' },
        {
          driver: 'gluster',
          hostPoolRefs: [{ name: 'p' }],
          roles: ['Disks'],
          gluster: { volume: 'gv0', servers, ...gluster },
        },
      );
    const bricks = servers.map(({ name }) => ({ name, server: name, path: '/bricks/gv0' }));
    const replicaSets = [{ name: 'a', bricks }];
    await cluster.apply(pool({ management: 'Observe' }));
    const managed = { management: 'Manage', layout: { type: 'Distribute' }, replicaSets };
    await cluster.apply(pool(managed));
    const replicated = { type: 'Replicate', replica: 2 };
    expect(await cluster.refused(pool({ ...managed, layout: replicated, force: true }))).toContain(
      'layout cannot be changed once it is set',
    );
    expect(await cluster.refused(pool({ ...managed, volume: 'gv1' }))).toContain(
      'volume cannot be changed once it is set',
    );
    // A time of only looking is no way around it.
    expect(await cluster.refused(pool({ management: 'Observe' }))).toContain('stays written');
    await cluster.apply(pool({ management: 'Observe', layout: managed.layout }));
    expect(await cluster.refused(pool({ ...managed, layout: replicated, force: true }))).toContain(
      'layout cannot be changed once it is set',
    );
    await cluster.apply(pool(managed));
  });

  it('pool and name of a Host, while unschedulable may change', async () => {
    const host = (spec: object) =>
      manifest('Host', { name: 'p.h' }, { hostPoolRef: { name: 'p' }, hostName: 'h', ...spec });
    await cluster.apply(host({}));
    await cluster.apply(host({ unschedulable: true }));
    expect(await cluster.refused(host({ hostName: 'other' }))).toContain(
      'hostName cannot be changed once it is set',
    );
    expect(await cluster.refused(host({ hostPoolRef: { name: 'q' } }))).toContain(
      'hostPoolRef cannot be changed',
    );
  });
});
