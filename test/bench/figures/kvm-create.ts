/**
 * Real machines: what the operator adds to the time that libvirt takes. Each round creates a machine through the API,
 * noting how long its define and start took, and then sends the same two calls bare from our wire client. What is
 * added is all time but that of the two calls: how long QEMU takes to start varies by more than the whole gate.
 */
import { atMost, type Figure, quantile } from '../harness/figure.ts';
import { type KvmLab, kvmNamespace, startKvmLab, timed, tinyGuest } from '../harness/kvm-lab.ts';
import { runs } from '../harness/machines.ts';
import { nowMs } from '../harness/now.ts';
import { collection, machinePath } from '../harness/objects.ts';

const row = 'kvm-create';
const ownCalls: ReadonlySet<string> = new Set(['DOMAIN_DEFINE_XML_FLAGS', 'DOMAIN_CREATE_WITH_FLAGS']);
const never = new AbortController().signal;
const inactive = 2;
const secure = 1;

interface Round {
  /** From the request to create until the status says Running. */
  readonly totalMs: number;
  /** Of it, inside the calls that define and start. */
  readonly libvirtMs: number;
  readonly bareMs: number;
}

/** The operator's description under another name and uuid, without its tag. */
const anonymous = (xml: string, name: string, uuid: string): string =>
  xml
    .replace(/<name>[^<]*<\/name>/, `<name>${name}</name>`)
    .replace(/<uuid>[^<]*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    .replace(/<metadata>[^]*?<\/metadata>/, '');

const bare = async ({ domains }: KvmLab, xml: string, name: string): Promise<number> => {
  const uuid = crypto.randomUUID();
  const text = anonymous(xml, name, uuid);
  let dom = await domains.defineXml(text, 0, never);
  await domains.undefine(dom, 0, never);
  const ms = await timed(async () => {
    dom = await domains.defineXml(text, 0, never);
    dom = await domains.create(dom, 0, never);
  });
  await domains.destroy(dom, 0, never);
  await domains.undefine(dom, 0, never);
  return ms;
};

const playRound = async (lab: KvmLab, name: string): Promise<Round> => {
  const { cluster, machines, operator, domains } = lab;
  const key = `${kvmNamespace}/${name}`;
  await operator.driven();
  const fromMs = nowMs();
  const path = collection('virtualmachines', kvmNamespace);
  await cluster.call({ method: 'POST', path, body: tinyGuest(name) });
  const totalMs = (await machines.when(key, runs)) - fromMs;
  const steps = (await operator.driven()).filter(({ call }) => ownCalls.has(call));
  const libvirtMs = steps.reduce((sum, it) => sum + it.toMs - it.fromMs, 0);
  const [dom] = (await domains.listAll(never)).filter((it) => it.name.startsWith(`${kvmNamespace}.${name}.`));
  if (dom === undefined) throw new Error(`${name} is not on its host`);
  const xml = await domains.getXml(dom, inactive | secure, never);
  await cluster.call({ method: 'DELETE', path: machinePath(name, kvmNamespace) });
  await machines.when(key, (vm) => vm === undefined);
  return { totalMs, libvirtMs, bareMs: await bare(lab, xml, `bare-${name}`) };
};

const ms = (value: number): string => `${value.toFixed(0)} ms`;

const figuresOf = (rounds: readonly Round[]): readonly Figure[] => {
  const added = rounds.map(({ totalMs, libvirtMs }) => totalMs - libvirtMs);
  const beside = (q: number): string => {
    const [total, calls, bareCalls] = (['totalMs', 'libvirtMs', 'bareMs'] as const).map((field) =>
      ms(
        quantile(
          rounds.map((round) => round[field]),
          q,
        ),
      ),
    );
    return `${total} in all, define and start ${calls} of it; the same calls bare ${bareCalls}`;
  };
  const what = `create to Running, time added to libvirt's, ${rounds.length} rounds`;
  const figure = (name: string, q: number, gateMs: number): Figure => ({
    row,
    what: `${what}: ${name}`,
    value: quantile(added, q),
    unit: 'ms',
    gate: atMost(gateMs),
    note: beside(q),
  });
  return [figure('P50', 0.5, 50), figure('P95', 0.95, 200)];
};

export const kvmCreate = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['KVM_ROUNDS'] ?? 30);
  const lab = await startKvmLab();
  try {
    await playRound(lab, 'warm');
    const rounds: Round[] = [];
    for (let round = 0; round < count; round += 1) rounds.push(await playRound(lab, `r${round}`));
    return figuresOf(rounds);
  } finally {
    await lab.close();
  }
};
