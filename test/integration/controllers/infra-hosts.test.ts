import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has, type Lab, machine, natNetwork, simulatedPool, startLab, storagePool } from './operator-lab.ts';

describe('pools and hosts on a real API server', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await startLab();
    await lab.startOperator();
  });
  afterAll(async () => lab.close());

  const hostReady = (name: string) =>
    lab.until('host.ovcp.dev', name, (it) => has(it, 'Schedulable', 'True'));

  it('makes a Host for each that the pool lists, claims it and reports it', async () => {
    await lab.apply(simulatedPool('one', ['a1', 'a2']));
    const host = await hostReady('one.a1');
    expect(host?.spec).toEqual({ hostPoolRef: { name: 'one' }, hostName: 'a1', unschedulable: false });
    expect(host?.metadata.finalizers).toEqual(['ovcp.dev/protect']);
    expect(host?.status).toMatchObject({
      capacity: { cpus: 8, memory: '16Gi' },
      allocated: { cpus: 0, memory: '0' },
      machines: 0,
      hypervisor: { driver: 'simulated' },
    });
    expect(lab.world.get('a1').claimedBy).toBe('test');
    const pool = await lab.until('hostpool', 'one', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(pool?.status).toMatchObject({
      hosts: { total: 2, ready: 2 },
      capacity: { cpus: 16, memory: '32Gi' },
    });
    expect(has(pool, 'Reconciling', 'False')).toBe(true);
  });

  it('runs a machine without disks on it', async () => {
    await lab.apply(machine('m1', 'one'));
    const vm = await lab.until('virtualmachine.ovcp.dev', 'm1', (it) => has(it, 'Running', 'True'), {
      namespace: 'default',
    });
    expect(vm?.status?.['host']).toMatch(/^one\.a[12]$/);
  });

  it('prepares storage and runs a machine with a disk', async () => {
    await lab.apply(storagePool('st', 'one'));
    const pool = await lab.until('storagepool', 'st', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(pool?.status).toMatchObject({
      hosts: [
        { name: 'one.a1', ready: true },
        { name: 'one.a2', ready: true },
      ],
      capacity: '2Ti',
    });
    const disks = [{ name: 'root', template: { size: '1Gi', storagePoolRef: { name: 'st' } } }];
    await lab.apply(machine('m2', 'one', { disks }));
    await lab.until('virtualmachine.ovcp.dev', 'm2', (it) => has(it, 'Ready', 'True'), {
      namespace: 'default',
    });
  });

  it('makes networks on every host and runs a machine with a card', async () => {
    await lab.apply(natNetwork('lan', 'one'));
    const network = await lab.until('virtualnetwork', 'lan', (it) => has(it, 'Ready', 'True', 'Ready'));
    expect(network?.status).toMatchObject({ hostsReady: 2 });
    const [made] = lab.world.get('a1').networks.values();
    expect(made).toMatchObject({
      active: true,
      autostart: true,
      shape: {
        kind: 'NAT',
        cidr: '192.168.150.0/24',
        dhcp: { start: '192.168.150.2', end: '192.168.150.254' },
      },
    });
    await lab.apply(machine('m3', 'one', { networks: [{ name: 'eth0', networkRef: { name: 'lan' } }] }));
    await lab.until('virtualmachine.ovcp.dev', 'm3', (it) => has(it, 'Ready', 'True'), {
      namespace: 'default',
    });
  });
});
