import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { changedLines, type DemoHosts, type DemoStorage, fillSamples, readSamples } from './quickstart.ts';

const image = {
  url: 'http://192.0.2.1:80/guest.qcow2',
  checksum: `sha256:${'a'.repeat(64)}`,
  format: 'qcow2',
} as const;
const fill = (hosts: DemoHosts, storage?: DemoStorage) =>
  new Map(
    fillSamples(readSamples(storage !== undefined), { hosts, image, storage }).map((it) => [
      it.file,
      { ...it, object: parse(it.text) },
    ]),
  );

describe('fillSamples', () => {
  it('puts hosts and image in, says so, and leaves every other sample as it is', () => {
    const filled = fill({
      kind: 'libvirt',
      hosts: [{ name: 'node1', uri: 'qemu+ssh://root@192.0.2.2/system', secret: 'node1' }],
    });
    expect(filled.get('10-host-pool.yaml')?.object).toMatchObject({
      metadata: { name: 'kvm' },
      spec: {
        libvirt: {
          hosts: [
            {
              name: 'node1',
              uri: 'qemu+ssh://root@192.0.2.2/system',
              credentialsSecretRef: { name: 'node1' },
            },
          ],
        },
        allowedNamespaces: { from: 'Selector' },
      },
    });
    expect(filled.get('50-image.yaml')?.changes).toContain(`+     checksum: ${image.checksum}`);
    const untouched = readSamples().filter(({ file }) => !/^(10|50)/.test(file));
    for (const { file, text } of untouched) {
      expect(filled.get(file)).toMatchObject({ text, changes: [] });
    }
  });

  it('puts storage servers in, and their image and machine in the place of those of the quickstart', () => {
    const servers = ['g1', 'g2', 'g3'].map((name, at) => ({ name, address: `198.51.100.${at}` }));
    const filled = fill(
      { kind: 'libvirt', hosts: [] },
      {
        gluster: { servers, brickFolder: '/b' },
        iscsi: { address: '198.51.100.9', portal: '198.51.100.9:3260', folder: '/l/san' },
      },
    );
    const { gluster } = filled.get('21-gluster.yaml')?.object.spec ?? {};
    expect(gluster.servers.map(({ address }: { address: string }) => address)).toEqual(
      servers.map(({ address }) => address),
    );
    expect(gluster.replicaSets[0].bricks).toEqual(
      servers.map(({ name }, at) => ({ name: `a${at + 1}`, server: name, path: '/b/gv0' })),
    );
    expect(filled.get('22-iscsi.yaml')?.object.spec.iscsi).toMatchObject({
      target: { address: '198.51.100.9', portals: ['198.51.100.9:3260'] },
      backing: { files: { path: '/l/san' } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
    });
    expect(filled.get('50-image.yaml')?.object.spec).toMatchObject({
      storagePoolRef: { name: 'gv0' },
      source: { url: image.url },
    });
    expect(filled.get('60-machine.yaml')).toMatchObject({ folder: 'deploy/samples/storage', changes: [] });
    expect(filled.get('20-storage-pool.yaml')?.object.spec.driver).toBe('dir');
  });

  it('makes hosts and storage simulated', () => {
    const filled = fill({ kind: 'simulated', hosts: [{ name: 'node1', latencyMs: 5 }] });
    expect(filled.get('10-host-pool.yaml')?.object.spec).toEqual({
      driver: 'simulated',
      simulated: { hosts: [{ name: 'node1', cpus: 16, memory: '64Gi', latencyMs: 5 }] },
      allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
    });
    expect(filled.get('20-storage-pool.yaml')?.object.spec).not.toHaveProperty('dir');
  });

  it("points everything at the user's own pool and leaves the sample pool out", () => {
    const filled = fill({ kind: 'own', pool: 'rack-7', simulated: false });
    expect(filled.has('10-host-pool.yaml')).toBe(false);
    expect(filled.get('20-storage-pool.yaml')?.object.spec.hostPoolRefs).toEqual([{ name: 'rack-7' }]);
    expect(filled.get('30-virtual-network.yaml')?.object.spec.backends[0].hostPoolRef).toEqual({
      name: 'rack-7',
    });
    expect(filled.get('60-machine.yaml')?.object.spec.hostPoolRef).toEqual({ name: 'rack-7' });
  });
});

it('shows the lines of one side only', () => {
  expect(changedLines('a\nb\nb\nc\n', 'a\nb\nd\n')).toEqual(['- b', '- c', '+ d']);
});
