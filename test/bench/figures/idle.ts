/** A fleet at rest: what the operator asks of the API server and of its hosts when nothing happens. */
import type { AuditEntry } from '../../../hack/lab/audit.ts';
import { sleep } from '../harness/cluster.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import type { Counts } from '../harness/operator-protocol.ts';
import { converge, startSimulatedLab } from '../harness/simulated-lab.ts';

const row = 'idle';
const hosts = 4;
const auditPeriodSeconds = 120;

export const requestsByKind = (entries: readonly AuditEntry[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { verb, resource, userAgent } of entries) {
    if (!userAgent.startsWith('ovcp-operator')) continue;
    const name = `${verb} ${resource}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
};

const words = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([name, count]) => `${count} ${name}`).join(', ');

export const isRenewal = (name: string): boolean => name.endsWith(' leases') || name.startsWith('watch ');

const callsBetween = (before: Counts, after: Counts): ReadonlyMap<string, number> =>
  new Map(
    Object.entries(after.calls)
      .map(([name, count]) => [name, count - (before.calls[name] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );

const measure = async (machines: number, seconds: number): Promise<readonly Figure[]> => {
  const lab = await startSimulatedLab({ hosts, audit: 'all' });
  try {
    const { cluster, operator } = lab;
    await lab.burst('resting', machines, 'none');
    await converge(lab);
    const first = (await cluster.plane.audit()).length;
    const callsBefore = await operator.counts();
    const cpuBefore = (await operator.usage()).cpuMs;
    await sleep(seconds * 1000);
    const entries = (await cluster.plane.audit()).slice(first);
    const calls = callsBetween(callsBefore, await operator.counts());
    const cpuMs = (await operator.usage()).cpuMs - cpuBefore;
    const requests = requestsByKind(entries);
    const others = [...requests].filter(([name]) => !isRenewal(name));
    const surveys = calls.get('survey') ?? 0;
    const strange = [...calls].filter(([name]) => name !== 'survey');
    const allowed = hosts * (Math.floor(seconds / auditPeriodSeconds) + 1);
    const span = `${machines} machines, ${seconds} s`;
    return [
      {
        row,
        what: `${span}: API requests but lease and watches`,
        value: others.reduce((sum, [, count]) => sum + count, 0),
        unit: 'requests',
        gate: atMost(0),
        note: words(requests),
      },
      {
        row,
        what: `${span}: host calls but surveys`,
        value: strange.reduce((sum, [, count]) => sum + count, 0),
        unit: 'calls',
        gate: atMost(0),
        note: words(new Map(strange)),
      },
      {
        row,
        what: `${span}: surveys of ${hosts} hosts, one per ${auditPeriodSeconds} s`,
        value: surveys,
        unit: 'calls',
        gate: atMost(allowed),
      },
      { row, what: `${span}: CPU`, value: cpuMs / (seconds * 10), unit: '% of a core' },
    ];
  } finally {
    await lab.close();
  }
};

export const idle = async (): Promise<readonly Figure[]> => {
  const seconds = Number(process.env['IDLE_SECONDS'] ?? 300);
  return [...(await measure(10, seconds)), ...(await measure(1000, seconds))];
};
