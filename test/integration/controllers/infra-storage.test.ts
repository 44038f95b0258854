import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedVolume } from '../../../src/drivers/storage/simulated/world.ts';
import { Fault } from '../../../src/runtime/fault.ts';
import {
  has,
  type Lab,
  type RunningOperator,
  simulatedPool,
  startLab,
  storagePool,
  type Thing,
} from './operator-lab.ts';

const message = (thing: Thing | undefined, type: string): string | undefined =>
  thing?.status?.conditions?.find((it) => it.type === type)?.message;

const served = (name: string, server: object = {}) =>
  storagePool(name, 'hp', {
    topology: 'Shared',
    simulated: { server: { serves: 'Files', ...server } },
  });

const disk = (name: string, pool: string, more: object = {}) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualDisk',
  metadata: { name, namespace: 'default' },
  spec: { storagePoolRef: { name: pool }, size: '1Gi', source: { type: 'Blank' }, ...more },
});

describe('a StoragePool with a server on a real API server', () => {
  let lab: Lab;
  let operator: RunningOperator;

  beforeAll(async () => {
    lab = await startLab();
    operator = await lab.startOperator();
    await lab.apply(simulatedPool('hp', ['h1', 'h2'], { auditPeriodSeconds: 30 }));
    await lab.until('hostpool', 'hp', (it) => has(it, 'Ready', 'True', 'Ready'));
  });
  afterAll(async () => lab.close());
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const each of undo.splice(0)) each();
  });

  const volume = (name: string): SimulatedVolume => {
    const found = lab.storage.volumes.get(name);
    if (found === undefined) throw new Error(`no volume ${name}`);
    return found;
  };
  const healthy = (name: string) => lab.until('storagepool', name, (it) => has(it, 'Ready', 'True', 'Ready'));
  /** The timer of the audit would come much later: a change of the spec makes the pool look now. */
  const touch = (name: string, latencyMs: number) => lab.apply(served(name, { latencyMs }));
  const remove = (kind: string, name: string, ...more: string[]) =>
    lab.plane.mustKubectl(['delete', kind, name, '--timeout=30s', ...more]);

  it('is made on the server, then mounted on every host, and can be used', async () => {
    await lab.apply(served('made'), disk('first', 'made'));
    const pool = await healthy('made');
    expect(pool?.status).toMatchObject({
      health: { state: 'Healthy' },
      origin: 'Made',
      hostsReady: 2,
      heal: { pending: 0, splitBrain: 0 },
      capacity: '1Ti',
    });
    expect(lab.storage.log()).toEqual(['create made', 'start made'].map((it) => it.split(' ')[0]));
    await lab.until('virtualdisk', 'first', (it) => has(it, 'Ready', 'True'), { namespace: 'default' });
    const row = await lab.plane.mustKubectl(['get', 'osp', 'made', '--no-headers']);
    expect(row.split(/\s+/).slice(0, 5)).toEqual(['made', 'simulated', '1Ti', expect.any(String), 'Healthy']);
  });

  it('asks the server no more often than it has to', async () => {
    await lab.quiet(operator);
    const before = lab.storage.counts().get('see') ?? 0;
    for (const host of ['h1', 'h2']) lab.world.events.emit({ kind: 'resync', host });
    await lab.quiet(operator);
    expect((lab.storage.counts().get('see') ?? 0) - before).toBeLessThanOrEqual(1);
  });

  it('names the brick that is down, counts the healing down, and is well again', async () => {
    lab.storage.setBrick('made', 'a2', false);
    await touch('made', 1);
    const torn = await lab.until('storagepool', 'made', (it) => has(it, 'Ready', 'True', 'StorageDegraded'));
    expect(torn?.status).toMatchObject({
      health: { state: 'Degraded', message: 'Brick a/a2 is down.' },
      heal: { pending: 3 },
    });
    const parts = torn?.status?.['components'] as readonly { name: string; state: string }[];
    expect(parts.filter(({ state }) => state !== 'Up').map(({ name }) => name)).toEqual(['a/a2']);
    expect(has(torn, 'Reconciling', 'True')).toBe(true);
    const metrics = (await operator.operator.metrics.render()).body;
    expect(metrics).toContain('ovcp_storage_pool_health{pool="made",state="Degraded"} 1');
    expect(metrics).toContain('ovcp_storage_pool_components{pool="made",kind="brick",state="Down"} 1');
    expect(metrics).toContain('ovcp_storage_pool_heal_pending{pool="made"} 3');
    lab.storage.setBrick('made', 'a2', true);
    const well = await healthy('made');
    expect(well?.status).toMatchObject({ health: { state: 'Healthy' }, heal: { pending: 0 } });
  });

  it('cannot be used without a quorum, says so, and comes back', async () => {
    for (const brick of ['a1', 'a2']) lab.storage.setBrick('made', brick, false);
    await touch('made', 2);
    const lost = await lab.until('storagepool', 'made', (it) => has(it, 'Ready', 'False', 'QuorumLost'));
    expect(message(lost, 'Ready')).toBe('Bricks a/a1, a/a2 are down.');
    for (const brick of ['a1', 'a2']) lab.storage.setBrick('made', brick, true);
    await healthy('made');
  });

  it('shows its hosts although the server cannot be asked', async () => {
    undo.push(lab.storage.fail({ method: 'see', times: 1_000 }));
    await touch('made', 3);
    const silent = await lab.until('storagepool', 'made', (it) =>
      has(it, 'Ready', 'True', 'ServerUnreachable'),
    );
    expect(silent?.status).toMatchObject({ hostsReady: 2, health: { state: 'Degraded' } });
    const parts = silent?.status?.['components'] as readonly { state: string }[];
    expect(new Set(parts.map(({ state }) => state))).toEqual(new Set(['Unknown']));
    for (const each of undo.splice(0)) each();
    await healthy('made');
  });

  it('mounts again what was unmounted, and never writes a second marker', async () => {
    const pool = await lab.get('storagepool', 'made');
    const path = `/simulated/${pool?.metadata.uid}`;
    const marks = () => lab.world.calls.log().filter(({ method }) => method === 'storage.writeSharedMarker');
    const before = marks().length;
    lab.world.get('h2').unmounted.add(path);
    lab.world.events.emit({ kind: 'resync', host: 'h2' });
    await expect.poll(() => lab.world.get('h2').unmounted.has(path), { timeout: 10_000 }).toBe(false);
    await lab.quiet(operator);
    expect((await lab.get('storagepool', 'made'))?.status).toMatchObject({ hostsReady: 2 });
    expect(marks()).toHaveLength(before);
  });

  it('goes on where a step failed, before or after it took effect', async () => {
    undo.push(lab.storage.fail({ method: 'create', when: 'after' }));
    undo.push(
      lab.storage.fail({
        method: 'start',
        fault: () => new Fault('invalid', 'The brick is in use.', { reason: 'BrickInUse' }),
      }),
    );
    await lab.apply(served('stubborn'));
    const told = await lab.until('storagepool', 'stubborn', (it) => has(it, 'Ready', 'False', 'BrickInUse'));
    expect(message(told, 'Ready')).toBe('The brick is in use.');
    expect(told?.status?.['hosts']).toHaveLength(2);
    await healthy('stubborn');
    expect(lab.storage.volumes.get('stubborn')?.started).toBe(true);
  });

  it('refuses to go while disks are on it, names them, and then leaves the volume', async () => {
    await lab.plane.mustKubectl(['delete', 'storagepool', 'made', '--wait=false']);
    const held = await lab.until('storagepool', 'made', (it) =>
      has(it, 'Deleting', 'True', 'WaitingForDependents'),
    );
    expect(message(held, 'Deleting')).toBe('The pool still holds disks (default/first).');
    await remove('virtualdisk', 'first', '-n', 'default');
    await lab.until('storagepool', 'made', (it) => it === undefined);
    expect(volume('made').started).toBe(true);
    expect(lab.world.hosts().some(({ places }) => places.has(`/simulated/${held?.metadata.uid}`))).toBe(
      false,
    );
    expect(lab.storage.log()).not.toContain('delete');
  });

  it('adopts a volume that is there, and leaves it whatever the policy says', async () => {
    await lab.apply(served('made', { deletionPolicy: 'Delete' }));
    const pool = await healthy('made');
    expect(pool?.status).toMatchObject({ origin: 'Adopted' });
    await remove('storagepool', 'made');
    expect(volume('made').started).toBe(true);
  });

  it('erases what it made only when nothing is left on it', async () => {
    await lab.apply(
      served('gone', { deletionPolicy: 'Delete' }),
      disk('kept', 'gone', { reclaimPolicy: 'Retain' }),
    );
    const pool = await healthy('gone');
    const kept = await lab.until('virtualdisk', 'kept', (it) => has(it, 'Ready', 'True'), {
      namespace: 'default',
    });
    await remove('virtualdisk', 'kept', '-n', 'default');
    await lab.plane.mustKubectl(['delete', 'storagepool', 'gone', '--wait=false']);
    const file = `ovcp-disk-${kept?.metadata.uid}.qcow2`;
    const held = await lab.until('storagepool', 'gone', (it) =>
      (message(it, 'Deleting') ?? '').includes(file),
    );
    expect(has(held, 'Deleting', 'True', 'WaitingForDependents')).toBe(true);
    expect(volume('gone').started).toBe(true);
    const place = {
      clusterId: 'test',
      poolUid: pool?.metadata.uid ?? '',
      poolName: 'gone',
      path: `/simulated/${pool?.metadata.uid}`,
      topology: 'Shared',
    } as const;
    lab.world.hand.deleteVolume('h1', place, file);
    lab.world.events.emit({ kind: 'resync', host: 'h1' });
    await lab.until('storagepool', 'gone', (it) => it === undefined);
    expect(lab.storage.volumes.has('gone')).toBe(false);
    expect(lab.world.hosts().some(({ places }) => places.has(place.path))).toBe(false);
  });

  it('says that a Secret is missing, and that a driver is', async () => {
    const bricks = ['g1', 'g2', 'g3'].map((server) => ({ name: server, server, path: '/bricks/x' }));
    const gluster = {
      management: 'Manage',
      volume: 'x',
      servers: ['g1', 'g2', 'g3'].map((name, at) => ({
        name,
        address: `192.0.2.${at + 21}`,
        credentialsSecretRef: { name: 'gluster-ssh' },
      })),
      layout: { type: 'Replicate', replica: 3 },
      replicaSets: [{ name: 'a', bricks }],
    };
    const pool = { ...storagePool('x', 'hp'), spec: {} };
    const spec = { driver: 'gluster', hostPoolRefs: [{ name: 'hp' }], roles: ['Disks'], gluster };
    await lab.apply({ ...pool, spec });
    const lack = await lab.until('storagepool', 'x', (it) => has(it, 'Stalled', 'True', 'SecretNotFound'));
    expect(message(lack, 'Ready')).toBe(
      'Secret gluster-ssh does not exist in the namespace of the operator.',
    );
    expect(lack?.status?.['hosts']).toMatchObject([{ reason: 'Unsupported' }, { reason: 'Unsupported' }]);
    await lab.plane.mustKubectl(['create', 'secret', 'generic', 'gluster-ssh', '-n', 'ovcp-system']);
    await lab.until('storagepool', 'x', (it) => has(it, 'Stalled', 'True', 'Unsupported'));
    await remove('storagepool', 'x');
  });
});
