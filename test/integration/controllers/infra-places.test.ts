import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoragePlace } from '../../../src/drivers/hypervisor/host-storage.ts';
import {
  has,
  type Lab,
  natNetwork,
  simulatedPool,
  startLab,
  storagePool,
  type Thing,
} from './operator-lab.ts';

const message = (thing: Thing | undefined, type: string): string | undefined =>
  thing?.status?.conditions?.find((it) => it.type === type)?.message;

const hostsOf = (thing: Thing | undefined) =>
  thing?.status?.['hosts'] as readonly { name: string; ready: boolean; reason?: string }[] | undefined;

describe('storage and networks on a real API server', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await startLab();
    await lab.startOperator();
    await lab.apply(simulatedPool('hp', ['h1', 'h2']));
    await lab.until('hostpool', 'hp', (it) => has(it, 'Ready', 'True', 'Ready'));
  });
  afterAll(async () => lab.close());

  const placeOf = (pool: Thing | undefined): StoragePlace => ({
    clusterId: 'test',
    poolUid: pool?.metadata.uid ?? '',
    poolName: pool?.metadata.name ?? '',
    path: `/simulated/${pool?.metadata.uid}`,
    topology: 'Shared',
  });

  it('marks a shared folder once, and tells where it is not mounted', async () => {
    await lab.apply(storagePool('shared', 'hp', { topology: 'Shared' }));
    const pool = await lab.until('storagepool', 'shared', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(pool?.status).toMatchObject({ sharedMarker: true, capacity: '1Ti' });
    const place = placeOf(pool);
    lab.world.hand.setMounted('h2', place, false);
    lab.world.events.emit({ kind: 'resync', host: 'h2' });
    const torn = await lab.until('storagepool', 'shared', (it) =>
      has(it, 'Ready', 'True', 'SomeHostsNotReady'),
    );
    expect(hostsOf(torn)?.map(({ name, ready, reason }) => [name, ready, reason])).toEqual([
      ['hp.h1', true, undefined],
      ['hp.h2', false, 'MarkerMissing'],
    ]);
    lab.world.hand.setMounted('h1', place, false);
    lab.world.events.emit({ kind: 'resync', host: 'h1' });
    await lab.until('storagepool', 'shared', (it) => has(it, 'Ready', 'False', 'MarkerMissing'));
    const marks = lab.world.calls.log().filter(({ method }) => method === 'storage.writeSharedMarker');
    expect(marks).toHaveLength(1);
  });

  it('says when a HostPool is missing', async () => {
    await lab.apply(storagePool('lost', 'nowhere'));
    const pool = await lab.until('storagepool', 'lost', (it) =>
      has(it, 'Ready', 'False', 'HostPoolNotFound'),
    );
    expect(message(pool, 'Ready')).toBe('HostPool nowhere does not exist.');
  });

  it('keeps a pool while disks are on it and names them', async () => {
    await lab.apply(storagePool('held', 'hp'), {
      apiVersion: 'ovcp.dev/v1alpha1',
      kind: 'VirtualDisk',
      metadata: { name: 'data', namespace: 'default' },
      spec: { storagePoolRef: { name: 'held' }, size: '1Gi', source: { type: 'Blank' } },
    });
    await lab.until('storagepool', 'held', (it) => has(it, 'Ready', 'True', 'Ready'));
    await lab.plane.mustKubectl(['delete', 'storagepool', 'held', '--wait=false']);
    const pool = await lab.until('storagepool', 'held', (it) =>
      has(it, 'Deleting', 'True', 'WaitingForDependents'),
    );
    expect(message(pool, 'Deleting')).toBe('The pool still holds disks (default/data).');
    await lab.plane.mustKubectl(['delete', 'virtualdisk', 'data', '-n', 'default', '--timeout=300s']);
    await lab.until('storagepool', 'held', (it) => it === undefined);
    const path = `/simulated/${pool?.metadata.uid}`;
    expect(lab.world.hosts().some(({ places }) => places.has(path))).toBe(false);
  });

  it('brings a network back that somebody removed, and leaves foreign ones alone', async () => {
    await lab.apply(natNetwork('lan', 'hp'));
    const network = await lab.until('virtualnetwork', 'lan', (it) => has(it, 'Ready', 'True', 'Ready'));
    const host = lab.world.get('h1');
    const [uuid] = host.networks.keys();
    if (uuid === undefined) throw new Error('no network');
    host.networks.delete(uuid);
    const back = lab.world.calls.log().length;
    lab.world.events.emit({ kind: 'network', host: 'h1' });
    await expect.poll(() => host.networks.get(uuid)?.active, { interval: 10 }).toBe(true);
    const steps = lab.world.calls
      .log()
      .slice(back)
      .map(({ method }) => method);
    expect(steps).toEqual(['network.define', 'network.start']);
    const after = await lab.get('virtualnetwork', 'lan');
    expect(after?.metadata.resourceVersion).toBe(network?.metadata.resourceVersion);
    await lab.plane.mustKubectl(['delete', 'virtualnetwork', 'lan', '--timeout=300s']);
    expect(lab.world.hosts().every(({ networks }) => networks.size === 0)).toBe(true);
  });

  it('tells where a bridge is missing', async () => {
    const backend = (name: string, vlan?: number) => ({
      apiVersion: 'ovcp.dev/v1alpha1',
      kind: 'VirtualNetwork',
      metadata: { name: vlan === undefined ? name : `${name}-vlan` },
      spec: {
        backends: [
          { name: 'b', hostPoolRef: { name: 'hp' }, type: 'Bridge', bridge: { name, ...(vlan && { vlan }) } },
        ],
      },
    });
    await lab.apply(backend('br0'), backend('br7'), backend('br0', 12));
    const good = await lab.until('virtualnetwork', 'br0', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(hostsOf(good)?.[0]).toMatchObject({ name: 'hp.h1', backend: 'b', bridge: 'br0', ready: true });
    const bad = await lab.until('virtualnetwork', 'br7', (it) => has(it, 'Ready', 'False', 'BridgeNotFound'));
    expect(message(bad, 'Ready')).toBe('hp.h1: The bridge br7 does not exist on the host.');
    await lab.until('virtualnetwork', 'br0-vlan', (it) => has(it, 'Ready', 'False', 'UnsupportedByHost'));
  });
});
