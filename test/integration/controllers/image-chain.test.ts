import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileServer, startFileServer } from '../../../hack/lab/http-server.ts';
import { checksumOf, copiesOf, isReady, mib, uidOf } from './image-lab.ts';
import { has, type Lab, machine, simulatedPool, startLab, storagePool } from './operator-lab.ts';

/** The whole operator: what the image controller fetches is what disks and machines stand on. */
describe('from an image to a machine', () => {
  let lab: Lab;
  let server: FileServer;
  const disk = randomBytes(mib);
  const namespace = 'default';

  beforeAll(async () => {
    server = await startFileServer({ routes: { '/disk.raw': { kind: 'file', content: { bytes: disk } } } });
    lab = await startLab();
    await lab.startOperator({ flags: ['--image-allow-cidr', '127.0.0.0/8'] });
    await lab.apply(simulatedPool('kvm', ['n1', 'n2']), storagePool('local', 'kvm'));
    await lab.until('storagepool', 'local', isReady);
  });
  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });

  it('runs a machine whose disk is a linked clone, and keeps the copy under it until it goes', async () => {
    await lab.apply(
      {
        apiVersion: 'ovcp.dev/v1alpha1',
        kind: 'VirtualMachineImage',
        metadata: { name: 'tiny', namespace },
        spec: {
          storagePoolRef: { name: 'local' },
          source: { url: `${server.url}/disk.raw`, checksum: checksumOf(disk) },
          format: 'raw',
        },
      },
      machine('web-1', 'kvm', {
        disks: [
          {
            name: 'root',
            template: { size: '2Gi', storagePoolRef: { name: 'local' }, imageRef: { name: 'tiny' } },
          },
        ],
      }),
    );
    const vm = await lab.until('virtualmachine.ovcp.dev', 'web-1', (it) => has(it, 'Running', 'True'), {
      namespace,
    });
    const host = String(vm?.status?.['host']);
    const image = await lab.until('virtualmachineimage', 'tiny', isReady, { namespace });
    expect(copiesOf(image)).toContainEqual({ host, state: 'Ready' });
    const volumes = () =>
      lab.world
        .hosts()
        .flatMap(({ places }) => [...places.values()])
        .flatMap(({ directory }) => [...directory.volumes.values()]);
    const file = `ovcp-image-${uidOf(image)}.qcow2`;
    expect(volumes().filter(({ backingPath }) => backingPath?.endsWith(file) === true)).toHaveLength(1);

    await lab.plane.mustKubectl(['delete', 'virtualmachineimage', 'tiny', '-n', namespace, '--timeout=300s']);
    expect(volumes().filter(({ name }) => name === file)).toHaveLength(1);
    await lab.plane.mustKubectl([
      'delete',
      'virtualmachine.ovcp.dev',
      'web-1',
      '-n',
      namespace,
      '--timeout=300s',
    ]);
    await lab.until('virtualdisk', 'web-1.root', (it) => it === undefined, { namespace });
    expect(volumes()).toEqual([]);
  });
});
