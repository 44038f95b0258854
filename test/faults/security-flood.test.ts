/** A tenant that makes as much noise as it can, and Secrets that must be heard nowhere (reliability.md C4). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from './lab.ts';
import { formsOf, readMetrics, readObjects } from './leaks.ts';
import { blank, card, machine, secret } from './objects.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Scene } from './scene.ts';
import { hard, setTenants, type Tenants, tenant, victim } from './tenants.ts';

let lab: Lab;
let operator: OperatorProcess;
let tenants: Tenants;
let scene: Scene;
const lines: string[] = [];

beforeAll(async () => {
  lab = await startLab();
  operator = await lab.start({ lines });
  tenants = await setTenants(lab);
  scene = tenants.scene;
});
afterAll(() => lab.close());

describe('S19: a spec that flips all the time', () => {
  it('keeps nobody else waiting, and costs no more writes than changes', async () => {
    await scene.make('flip', { networks: [card('eth0', tenant)], ...hard });
    await scene.running('flip');
    const ends = new AbortController();
    let flips = 0;
    const flipping = (async () => {
      while (!ends.signal.aborted) {
        flips += 1;
        await scene.patch('flip', { powerState: flips % 2 === 0 ? 'PoweredOn' : 'PoweredOff' });
      }
    })();
    await lab.api.apply(machine('calm', victim, tenant, hard));
    await tenants.ready('VirtualMachine', 'calm', victim);
    ends.abort();
    await flipping;
    await scene.patch('flip', { powerState: 'PoweredOn' });
    await scene.told('VirtualMachine', 'flip', 'Ready', 'True', 'Running');
    const writes = (await lab.plane.audit()).filter(
      (it) => it.name === 'flip' && it.subresource === 'status' && it.userAgent.startsWith('ovcp-operator'),
    );
    expect(writes.length).toBeLessThanOrEqual(4 + 2 * flips);
    expect(lab.world.violations()).toEqual([]);
    await tenants.drop('flip');
  });
});

describe('S27: Secrets', () => {
  const canary = (what: string): string => `c4n4ry-${what}-9f2b`;
  const canaries = ['user-data', 'network-data', 'password', 'token', 'ssh-key', 'tls-key'].map(canary);

  const nameThem = async (): Promise<void> => {
    const { url, checksum } = lab.image;
    await lab.api.apply(
      secret('cloud', tenant, {
        userData: `#cloud-config\n# ${canary('user-data')}`,
        networkData: canary('network-data'),
      }),
      secret('basic', tenant, { username: 'tenant', password: canary('password') }),
      secret('bearer', tenant, { token: canary('token') }),
      secret('host', 'ovcp-system', {
        'ssh-privatekey': `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary('ssh-key')}\n-----END OPENSSH PRIVATE KEY-----`,
        'tls.key': canary('tls-key'),
      }),
      {
        apiVersion: 'ovcp.dev/v1alpha1',
        kind: 'HostPool',
        metadata: { name: 'real' },
        spec: {
          driver: 'libvirt',
          libvirt: {
            hosts: [
              {
                name: 'n1',
                uri: 'qemu+ssh://root@127.0.0.1:1/system',
                credentialsSecretRef: { name: 'host' },
              },
            ],
          },
          allowedNamespaces: { from: 'All' },
        },
      },
      imageWith('by-password', `${url}?never=1`, checksum, 'basic'),
      imageWith('by-token', url.replace('/tiny', '/gone'), checksum, 'bearer'),
    );
    await scene.make('careful', {
      disks: [blank('root', tenant)],
      networks: [card('eth0', tenant)],
      cloudInit: { userDataSecretRef: { name: 'cloud' }, networkDataSecretRef: { name: 'cloud' } },
      ...hard,
    });
  };
  const imageWith = (name: string, url: string, checksum: string, credentials: string) => ({
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'VirtualMachineImage',
    metadata: { name, namespace: tenant },
    spec: {
      storagePoolRef: { name: tenant },
      source: { url, checksum, credentialsSecretRef: { name: credentials } },
      format: 'qcow2',
    },
  });

  it('are used, and turn up in no object, event, log line or metric', async () => {
    await nameThem();
    await scene.told('VirtualMachineImage', 'by-token', 'Ready', 'False', 'ImageUrlNotFound');
    await lab.api.until('the pool is spoken of', () => lab.api.get('HostPool', 'real')?.status?.conditions);
    await scene.running('careful');
    await tenants.drop('careful');
    await operator.quiet();
    const metrics = await readMetrics(await operator.operator.listening);
    const places = { objects: await readObjects(lab.plane), log: lines.join('\n'), metrics };
    expect(places.metrics).toContain('# TYPE');
    expect(places.objects).toContain('by-token');
    for (const [place, text] of Object.entries(places)) {
      for (const form of canaries.flatMap(formsOf))
        expect(text.includes(form), `${form} in ${place}`).toBe(false);
    }
  });
});
