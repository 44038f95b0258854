/** API writes by the operator over the life of one machine, as the API server's own audit log has them. */
import type { AuditEntry } from '../../../hack/lab/audit.ts';
import { has } from '../harness/cluster.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import { type DiskShape, machine, machinePath, namespaceObject } from '../harness/objects.ts';
import { type SimulatedLab, startSimulatedLab } from '../harness/simulated-lab.ts';

const row = 'api-writes';
/** A guest that boots this long is heard of only after it was told that the machine runs, however busy this machine is. */
export const lateMs = 10_000;
const namespace = 'lives';
const writeVerbs = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

export const isWriteOfOperator = (entry: AuditEntry): boolean =>
  entry.userAgent.startsWith('ovcp-operator') && writeVerbs.has(entry.verb);

/** `patch status`, `create`, …: what the writes of one kind were, in order. */
const nameOf = ({ verb, subresource, code }: AuditEntry): string =>
  `${verb}${subresource === '' ? '' : ` ${subresource}`}${code >= 400 ? ` (${code})` : ''}`;

export interface Life {
  readonly machine: readonly string[];
  readonly disk: readonly string[];
  readonly events: number;
}

const untilGone = async ({ cluster }: SimulatedLab, path: string): Promise<void> => {
  await cluster.until(path, (it) => it === undefined);
};

/** One machine from its creation to its end, and what the operator wrote meanwhile. */
export const live = async (
  lab: SimulatedLab,
  name: string,
  shape: DiskShape,
  guest: 'silent' | 'talking' = 'silent',
): Promise<Life> => {
  const { cluster, operator } = lab;
  const before = (await cluster.plane.audit()).length;
  const running = (await operator.progress()).ready;
  await cluster.apply(namespaceObject(namespace), machine(name, namespace, shape));
  await cluster.until(
    machinePath(name, namespace),
    (it) =>
      it?.status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === 'Running') ?? false,
  );
  if ((await operator.progress()).ready !== running + 1) throw new Error('another machine came or went');
  if (guest === 'talking') {
    await cluster.until(machinePath(name, namespace), (it) => has(it, 'GuestAgentConnected', 'True'));
  }
  await operator.quiet(3_000);
  await cluster.call({ method: 'DELETE', path: machinePath(name, namespace) });
  await untilGone(lab, machinePath(name, namespace));
  await operator.quiet(3_000);
  // Events of hosts and pools, which may have become ready a moment ago, are in another namespace.
  const entries = (await cluster.plane.audit())
    .slice(before)
    .filter((entry) => isWriteOfOperator(entry) && entry.namespace === namespace);
  const of = (resource: string) => entries.filter((it) => it.resource === resource);
  return {
    machine: of('virtualmachines').map(nameOf),
    disk: of('virtualdisks').map(nameOf),
    events: of('events').length,
  };
};

const figuresOf = (what: string, life: Life, disks: 0 | 1): Figure[] => [
  {
    row,
    what: `machine ${what}: writes to the machine`,
    value: life.machine.length,
    unit: 'writes',
    gate: atMost(4),
    note: life.machine.join(', '),
  },
  ...(disks === 0
    ? []
    : [
        {
          row,
          what: `machine ${what}: writes to its disk`,
          value: life.disk.length,
          unit: 'writes',
          gate: atMost(4),
          note: life.disk.join(', '),
        },
      ]),
  {
    row,
    what: `machine ${what}: Events`,
    value: life.events,
    unit: 'events',
    gate: atMost(3),
  },
];

export const apiWrites = async (): Promise<readonly Figure[]> => {
  const lab = await startSimulatedLab({ hosts: 2, audit: 'writes' });
  try {
    await lab.operator.guests({ agent: false });
    const bare = await live(lab, 'bare', 'none');
    const blank = await live(lab, 'blank', 'blank');
    await lab.operator.guests({ agent: true, bootMs: lateMs });
    const talking = await live(lab, 'talking', 'none', 'talking');
    return [
      ...figuresOf('without disks', bare, 0),
      ...figuresOf('with one templated disk', blank, 1),
      {
        row,
        what: "the guest's own report of addresses and name, on top",
        value: talking.machine.length - bare.machine.length,
        unit: 'writes',
        gate: atMost(1),
        note: 'coalesced; KubeVirt writes 28 times over the same life without it',
      },
    ];
  } finally {
    await lab.close();
  }
};
