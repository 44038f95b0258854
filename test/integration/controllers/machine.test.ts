import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit } from '../../../hack/lab/audit.ts';
import { has, type Lab, machine, type RunningOperator, simulatedPool, startLab } from './operator-lab.ts';

const inDefault = { namespace: 'default' };
const kind = 'virtualmachine.ovcp.dev';

describe('a machine on a simulated host', () => {
  let lab: Lab;
  let running: RunningOperator;

  beforeAll(async () => {
    lab = await startLab();
    running = await lab.startOperator();
    await lab.apply(simulatedPool('sim', ['a1', 'a2']));
    await lab.until('host.ovcp.dev', 'sim.a1', (it) => has(it, 'Schedulable', 'True'));
  });
  afterAll(async () => lab.close());

  const writesOf = async (name: string) =>
    (await readAudit(lab.plane.auditLogPath)).filter(
      (it) =>
        it.userAgent.startsWith('ovcp-operator') && it.name === name && it.resource === 'virtualmachines',
    );

  const runs = (name: string) =>
    lab.until(kind, name, (it) => has(it, 'Ready', 'True', 'Running'), inDefault);

  it('is made, runs and goes with at most four writes and three events', async () => {
    // What a guest tells of itself is one more write, and comes when the guest likes.
    lab.world.guests.setDefault({ agent: false });
    await lab.apply(machine('counted', 'sim'));
    const vm = await runs('counted');
    expect(vm?.status).toMatchObject({ powerState: 'PoweredOn', resources: { cpus: 1, memory: '256Mi' } });
    await lab.plane.mustKubectl(['delete', kind, 'counted', '-n', 'default', '--timeout=300s']);
    await lab.quiet(running);
    const writes = await writesOf('counted');
    expect(
      writes.length,
      JSON.stringify(writes.map(({ verb, subresource }) => `${verb} ${subresource}`)),
    ).toBeLessThanOrEqual(4);
    const eventsOf = async (name: string): Promise<readonly string[]> => {
      const text = await lab.plane.mustKubectl([
        'get',
        'events.events.k8s.io',
        '-n',
        'default',
        '-o',
        'json',
      ]);
      const { items } = JSON.parse(text) as { items: { regarding: { name: string }; reason: string }[] };
      return items.filter(({ regarding }) => regarding.name === name).map(({ reason }) => reason);
    };
    await expect.poll(() => eventsOf('counted')).toContain('Started');
    const told = await eventsOf('counted');
    expect(told.length, told.join()).toBeLessThanOrEqual(3);
  });

  it('is stopped and started as its spec says, and is healthy when off', async () => {
    await lab.apply(machine('power', 'sim'));
    await runs('power');
    await lab.apply(machine('power', 'sim', { powerState: 'PoweredOff' }));
    const off = await lab.until(kind, 'power', (it) => has(it, 'Ready', 'True', 'PoweredOff'), inDefault);
    expect(off?.status).toMatchObject({ powerState: 'PoweredOff' });
    await lab.apply(machine('power', 'sim'));
    await runs('power');
  });

  it('comes back after somebody destroyed it', async () => {
    await lab.apply(machine('healed', 'sim'));
    const vm = await runs('healed');
    const uuid = String(vm?.status?.['uuid']);
    lab.world.calls.clearLog();
    lab.world.hand.destroy(uuid);
    await lab.until(kind, 'healed', (it) => has(it, 'Ready', 'True', 'Running'), inDefault);
    await lab.quiet(running);
    expect(lab.world.hand.machine(uuid)?.machine.power.kind).toBe('running');
  });

  it('is placed nowhere when it is larger than every host, and says so of each', async () => {
    await lab.apply(machine('huge', 'sim', { memory: '64Gi' }));
    const vm = await lab.until(kind, 'huge', (it) => has(it, 'Ready', 'False', 'NoHostFits'), inDefault);
    expect(vm?.status?.['unplaced']).toHaveLength(2);
  });

  it('is placed as soon as another goes and leaves room', async () => {
    await lab.apply(simulatedPool('small', ['b1']));
    await lab.until('host.ovcp.dev', 'small.b1', (it) => has(it, 'Schedulable', 'True'));
    await lab.apply(machine('first', 'small', { memory: '12Gi' }));
    await runs('first');
    await lab.apply(machine('second', 'small', { memory: '12Gi' }));
    await lab.until(kind, 'second', (it) => has(it, 'Ready', 'False', 'NoHostFits'), inDefault);
    await lab.plane.mustKubectl(['delete', kind, 'first', '-n', 'default', '--timeout=300s']);
    await runs('second');
  });
});
