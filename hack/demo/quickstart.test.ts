import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { changedLines, type DemoHosts, fillSamples, readSamples } from './quickstart.ts';

const image = {
  url: 'http://192.0.2.1:80/guest.qcow2',
  checksum: `sha256:${'a'.repeat(64)}`,
  format: 'qcow2',
} as const;
const fill = (hosts: DemoHosts) =>
  new Map(fillSamples(readSamples(), hosts, image).map((it) => [it.file, { ...it, object: parse(it.text) }]));

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
