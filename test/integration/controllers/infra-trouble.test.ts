import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  has,
  type Lab,
  machine,
  natNetwork,
  operatorUser,
  type RunningOperator,
  simulatedPool,
  startLab,
  storagePool,
  type Thing,
} from './operator-lab.ts';

const VM = 'virtualmachine.ovcp.dev';
const inDefault = { namespace: 'default' };

const message = (thing: Thing | undefined, type: string): string | undefined =>
  thing?.status?.conditions?.find((it) => it.type === type)?.message;

describe('hosts in trouble', () => {
  let lab: Lab;
  let running: RunningOperator;

  beforeAll(async () => {
    lab = await startLab();
    running = await lab.startOperator();
  });
  afterAll(async () => lab.close());

  const ready = (pool: string) => lab.until('hostpool', pool, (it) => has(it, 'Ready', 'True', 'Ready'));

  it('tells of a host that does not answer, and of its return', async () => {
    await lab.apply(simulatedPool('far', ['f1', 'f2']));
    await ready('far');
    lab.world.host.partition('f1');
    const down = await lab.until('host', 'far.f1', (it) => has(it, 'Reachable', 'False', 'HostUnreachable'));
    expect(has(down, 'Ready', 'False', 'HostUnreachable')).toBe(true);
    expect(has(down, 'Schedulable', 'False', 'HostUnreachable')).toBe(true);
    expect(has(down, 'Claimed', 'True')).toBe(true);
    expect(down?.status).toMatchObject({ capacity: { cpus: 8 } });
    const pool = await lab.until('hostpool', 'far', (it) => has(it, 'Ready', 'True', 'SomeHostsNotReady'));
    expect(message(pool, 'Ready')).toBe('Some hosts are not ready: far.f1.');
    lab.world.host.heal('f1');
    await lab.until('host', 'far.f1', (it) => has(it, 'Ready', 'True', 'Ready'));
    await ready('far');
  });

  it('places nothing on a machine that is listed twice', async () => {
    await lab.apply(simulatedPool('first', ['twin']));
    await ready('first');
    await lab.apply(simulatedPool('second', ['twin', 'other']));
    const twin = await lab.until('host', 'second.twin', (it) => has(it, 'Ready', 'False', 'DuplicateHost'));
    expect(message(twin, 'Ready')).toBe('This is the same machine as first.twin.');
    expect(has(twin, 'Schedulable', 'False', 'DuplicateHost')).toBe(true);
    expect(has(twin, 'Stalled', 'True', 'DuplicateHost')).toBe(true);
    await lab.until('host', 'second.other', (it) => has(it, 'Schedulable', 'True'));
    await lab.plane.mustKubectl(['delete', 'hostpool', 'first', '--wait=false']);
    await lab.until('host', 'second.twin', (it) => has(it, 'Ready', 'True', 'Ready'));
    await lab.until('hostpool', 'first', (it) => it === undefined);
  });

  it('leaves the host of another installation alone', async () => {
    lab.world.ensureHost({ name: 'theirs', cpus: 8, memoryMiB: 16_384 }).claimedBy = 'elsewhere';
    await lab.apply(simulatedPool('foreign', ['theirs']), storagePool('on-foreign', 'foreign'));
    const host = await lab.until('host', 'foreign.theirs', (it) =>
      has(it, 'Claimed', 'False', 'ClaimedByOther'),
    );
    expect(has(host, 'Schedulable', 'False', 'ClaimedByOther')).toBe(true);
    await lab.until('storagepool', 'on-foreign', (it) => has(it, 'Ready', 'False', 'ClaimedByOther'));
    expect(lab.world.get('theirs').places.size).toBe(0);
    await lab.plane.mustKubectl(['delete', 'storagepool', 'on-foreign', '--timeout=300s']);
  });

  it('keeps a host that was taken out of its pool while a machine is on it', async () => {
    await lab.apply(simulatedPool('lease', ['l1', 'l2']));
    await ready('lease');
    await lab.apply({
      apiVersion: 'ovcp.dev/v1alpha1',
      kind: 'Host',
      metadata: { name: 'lease.l2' },
      spec: { hostPoolRef: { name: 'lease' }, hostName: 'l2', unschedulable: true },
    });
    await lab.until('host', 'lease.l2', (it) => has(it, 'Schedulable', 'False', 'Unschedulable'));
    await lab.apply(machine('stays', 'lease'));
    const vm = await lab.until(VM, 'stays', (it) => has(it, 'Ready', 'True'), inDefault);
    expect(vm?.status?.['host']).toBe('lease.l1');

    await lab.apply(simulatedPool('lease', ['l2']));
    const leaving = await lab.until('host', 'lease.l1', (it) => has(it, 'Schedulable', 'False', 'Leaving'));
    expect(message(leaving, 'Schedulable')).toBe(
      'The host was taken out of its pool and still holds machines.',
    );
    expect(has(leaving, 'Ready', 'True')).toBe(true);

    await lab.apply(machine('stays', 'lease', { powerState: 'PoweredOff', shutdown: { mode: 'Hard' } }));
    await lab.until(VM, 'stays', (it) => it?.status?.['powerState'] === 'PoweredOff', inDefault);
    await lab.plane.mustKubectl(['delete', VM, 'stays', '-n', 'default', '--timeout=300s']);
    await lab.until('host', 'lease.l1', (it) => it === undefined);
    expect(lab.world.get('l1').machines.size).toBe(0);
  });

  it('waits for the machines of a pool that is deleted, and names them', async () => {
    await lab.apply(simulatedPool('busy', ['b1']), machine('keeper', 'busy'));
    await lab.until(VM, 'keeper', (it) => has(it, 'Ready', 'True'), inDefault);
    await lab.plane.mustKubectl(['delete', 'hostpool', 'busy', '--wait=false']);
    const pool = await lab.until('hostpool', 'busy', (it) =>
      has(it, 'Deleting', 'True', 'WaitingForDependents'),
    );
    expect(message(pool, 'Deleting')).toBe('Machines still name the pool: default/keeper.');
    await lab.plane.mustKubectl(['delete', VM, 'keeper', '-n', 'default', '--timeout=300s']);
    await lab.until('hostpool', 'busy', (it) => it === undefined);
    expect(await lab.get('host', 'busy.b1')).toBeUndefined();
  });

  it('says which Secret is missing, and connects once it is there', async () => {
    const hosts = [
      { name: 's1', uri: 'qemu+ssh://root@192.0.2.11/system', credentialsSecretRef: { name: 'node1' } },
    ];
    await lab.apply({
      apiVersion: 'ovcp.dev/v1alpha1',
      kind: 'HostPool',
      metadata: { name: 'real' },
      spec: { driver: 'libvirt', libvirt: { hosts } },
    });
    const lacking = await lab.until('host', 'real.s1', (it) => has(it, 'Ready', 'False', 'SecretNotFound'));
    expect(message(lacking, 'Ready')).toBe('Secret node1 does not exist in the namespace of the operator.');
    expect(has(lacking, 'Stalled', 'True', 'SecretNotFound')).toBe(true);
    await lab.plane.mustKubectl([
      'create',
      'secret',
      'generic',
      'node1',
      '-n',
      'ovcp-system',
      '--from-literal=ssh-privatekey=k',
      '--from-literal=known_hosts=h',
    ]);
    const host = await lab.until('host', 'real.s1', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(host?.status).toMatchObject({ credentialsSecretRef: { name: 'node1' }, uri: hosts[0]?.uri });
  });

  it('writes nothing but the lease when it starts again', async () => {
    await lab.apply(storagePool('calm', 'far'), natNetwork('calm', 'far'));
    const disks = [{ name: 'root', template: { size: '1Gi', storagePoolRef: { name: 'calm' } } }];
    const networks = [{ name: 'eth0', networkRef: { name: 'calm' } }];
    await lab.apply(machine('calm', 'far', { disks, networks }));
    await lab.until(VM, 'calm', (it) => has(it, 'Ready', 'True'), inDefault);
    // Totals are told up to half a minute late; only then is the fleet settled.
    const late = { limitMs: 60_000 };
    await lab.until('storagepool', 'calm', (it) => it?.status?.['disks'] === 1, late);
    const host = String((await lab.get(VM, 'calm', 'default'))?.status?.['host']);
    await lab.until('host', host, (it) => it?.status?.['machines'] === 1, late);
    await lab.until(
      'hostpool',
      'far',
      (it) => (it?.status?.['allocated'] as { cpus?: number } | undefined)?.cpus === 1,
      late,
    );
    await lab.quiet(running);
    await running.stop();
    const before = (await lab.plane.audit(operatorUser)).length;
    lab.world.calls.clearLog();
    running = await lab.startOperator();
    await lab.quiet(running);
    const writes = (await lab.plane.audit(operatorUser)).slice(before);
    expect(writes.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)).toEqual([]);
    expect(lab.world.calls.log()).toEqual([]);
  });
});
