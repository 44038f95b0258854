/** A restart of the operator on a fleet that is as it should be: nothing may be written, no host changed. */
import { atMost, type Figure } from '../harness/figure.ts';
import { converge, imageFlags, startSimulatedLab } from '../harness/simulated-lab.ts';
import { isWriteOfOperator } from './api-writes.ts';

const row = 'restart';

export const restart = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['RESTART_MACHINES'] ?? 1000);
  const lab = await startSimulatedLab({ hosts: 10, audit: 'all' });
  try {
    const { cluster, operator } = lab;
    await lab.burst('fleet', count, 'blank');
    await converge(lab);
    const mutatingBefore = (await operator.counts()).mutating;
    await operator.stop();
    const before = (await cluster.plane.audit()).length;
    const startedMs = Date.now();
    await operator.start(cluster.plane.kubeconfig, imageFlags);
    await operator.quiet(500);
    const settledMs = Date.now() - startedMs - 500;
    await operator.quiet(5_000);
    const entries = (await cluster.plane.audit()).slice(before);
    const ours = entries.filter((it) => it.userAgent.startsWith('ovcp-operator'));
    const writes = ours.filter((it) => isWriteOfOperator(it) && it.resource !== 'leases');
    const lists = ours.filter(({ verb }) => verb === 'list').length;
    const mutating = (await operator.counts()).mutating - mutatingBefore;
    const what = [...new Set(writes.map((it) => `${it.verb} ${it.resource}`))].join(', ');
    return [
      {
        row,
        what: `${count} machines with a disk each: API writes but the lease`,
        value: writes.length,
        unit: 'writes',
        gate: atMost(0),
        note: what === '' ? `${lists} list requests` : what,
      },
      { row, what: 'mutating calls on hosts', value: mutating, unit: 'calls', gate: atMost(0) },
      { row, what: 'from start to the last pass', value: settledMs / 1000, unit: 's' },
    ];
  } finally {
    await lab.close();
  }
};
