/**
 * A burst of creates on hosts without latency: how many machines per second come to run, and how many writes per
 * second the operator makes against a bare client that sends the very same writes (noted in that burst, for another
 * namespace) over the same transport to the same API server.
 */
import { clock, inParallel, type Json } from '../harness/cluster.ts';
import { aim, atLeast, type Figure } from '../harness/figure.ts';
import { collection, type DiskShape, namespaceObject } from '../harness/objects.ts';
import type { Write } from '../harness/operator-protocol.ts';
import {
  createMachines,
  imageFlags,
  type SimulatedLab,
  startSimulatedLab,
} from '../harness/simulated-lab.ts';

const row = 'burst';

/** Writes of one object stay in their order; objects are independent. */
const chainsOf = (writes: readonly Write[]): readonly (readonly Write[])[] => {
  const chains = new Map<string, Write[]>();
  for (const write of writes) {
    const key = chainKey(write);
    const chain = chains.get(key) ?? [];
    chain.push(write);
    chains.set(key, chain);
  }
  return [...chains.values()];
};

const chainKey = ({ method, path, body }: Write): string => {
  const [plain = ''] = path.split('?');
  if (method !== 'POST') return plain.replace(/\/status$/, '');
  const { metadata } = JSON.parse(body) as { readonly metadata: { readonly name: string } };
  return `${plain}/${metadata.name}`;
};

type Uids = ReadonlyMap<string, string>;

/** The same write for another namespace: its name and the uids of its machines change, preconditions on versions go. */
const moved = (write: Write, from: string, to: string, uids: Uids): Write => ({
  ...write,
  path: write.path.replace(`/namespaces/${from}/`, `/namespaces/${to}/`),
  body: write.body
    .replaceAll(`"namespace":"${from}"`, `"namespace":"${to}"`)
    .replaceAll(/"resourceVersion":"\d+",?/g, '')
    .replaceAll(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, (uid) => uids.get(uid) ?? uid)
    .replaceAll(',}', '}'),
});

const list = async (lab: SimulatedLab, namespace: string): Promise<readonly Json[]> => {
  const answer = await lab.cluster.call({
    method: 'GET',
    path: collection('virtualmachines', namespace),
    timeoutMs: 120_000,
  });
  return (answer as Json).items ?? [];
};

const uidsBetween = (from: readonly Json[], to: readonly Json[]): Uids => {
  const byName = new Map(to.map(({ metadata }) => [metadata.name, metadata.uid]));
  return new Map(from.map(({ metadata }) => [metadata.uid, byName.get(metadata.name) ?? metadata.uid]));
};

/** Disks get new uids as they are made, which their own later writes must not name. */
const withoutDiskUid = (write: Write): Write =>
  write.path.includes('/virtualdisks/')
    ? {
        ...write,
        body: write.body.replace(/("metadata":\{[^}]*?)"uid":"[^"]*",?/, '$1').replaceAll(',}', '}'),
      }
    : write;

interface Load {
  readonly from: string;
  readonly count: number;
  readonly shape: DiskShape;
  /** Writes at a time. */
  readonly width: number;
}

/** How long the bare client takes for the creates and the operator's writes, in ms. */
const replay = async (
  lab: SimulatedLab,
  writes: readonly Write[],
  { from, count, shape, width }: Load,
): Promise<number> => {
  const to = from.replace(/^load/, 'bare');
  await lab.cluster.apply(namespaceObject(to));
  const before = await list(lab, from);
  const createdMs = clock.monotonicMs();
  await createMachines(lab.cluster, to, count, shape);
  const createMs = clock.monotonicMs() - createdMs;
  const uids = uidsBetween(before, await list(lab, to));
  const chains = chainsOf(writes).map((chain) =>
    chain.map((write) => withoutDiskUid(moved(write, from, to, uids))),
  );
  const startedMs = clock.monotonicMs();
  await inParallel(chains, width, async (chain) => {
    for (const write of chain) await lab.cluster.send(write);
  });
  return createMs + clock.monotonicMs() - startedMs;
};

/** Takes the bare client's objects away again: an operator that came back would take them for its own. */
const forget = async ({ cluster }: SimulatedLab, namespace: string): Promise<void> => {
  for (const plural of ['virtualmachines', 'virtualdisks']) {
    const path = collection(plural, namespace);
    const answer = (await cluster.call({ method: 'GET', path, timeoutMs: 120_000 })) as Json;
    await inParallel(answer.items ?? [], 16, async ({ metadata }) => {
      const at = `${path}/${metadata.name}`;
      const body = { metadata: { finalizers: null } };
      await cluster.call({ method: 'PATCH', path: at, body, contentType: 'application/merge-patch+json' });
      await cluster.call({ method: 'DELETE', path: at });
    });
  }
};

const targets = { none: 100, blank: 50, linkedClone: 50 } as const;
const words = {
  none: 'without disks',
  blank: 'with one blank disk each',
  linkedClone: 'with one linked clone each',
} as const;

/** One burst by the operator and the same writes by the bare client. */
interface Round {
  readonly count: number;
  readonly tookMs: number;
  readonly cpuMs: number;
  readonly writes: number;
  readonly bareMs: number;
  readonly width: number;
}

const playRound = async (
  lab: SimulatedLab,
  namespace: string,
  count: number,
  shape: DiskShape,
): Promise<Round> => {
  const { operator, cluster } = lab;
  if (shape === 'linkedClone') await lab.importImage(namespace);
  await operator.record();
  const cpuBefore = (await operator.usage()).cpuMs;
  const { fromMs, toMs } = await lab.burst(namespace, count, shape);
  const cpuMs = (await operator.usage()).cpuMs - cpuBefore;
  await operator.quiet();
  const { writes, peak: width } = await operator.recorded();
  await operator.stop();
  // Events may still be on their way when the last machine runs.
  const counted = writes.filter(({ path, atMs }) => path.includes(`/${namespace}/`) && atMs <= toMs);
  const bareMs = await replay(lab, counted, { from: namespace, count, shape, width });
  const to = namespace.replace(/^load/, 'bare');
  await forget(lab, to);
  await operator.start(cluster.plane.kubeconfig, imageFlags);
  await operator.quiet();
  return { count, tookMs: toMs - fromMs, cpuMs, writes: counted.length, bareMs, width };
};

const sum = (rounds: readonly Round[], of: (round: Round) => number): number =>
  rounds.reduce((total, round) => total + of(round), 0);

const figuresOf = (shape: DiskShape, rounds: readonly Round[]): readonly Figure[] => {
  const count = sum(rounds, (round) => round.count);
  const tookMs = sum(rounds, (round) => round.tookMs);
  const writes = sum(rounds, (round) => round.writes);
  const cpuMs = sum(rounds, (round) => round.cpuMs);
  // The creates of the load are in both times.
  const own = ((count + writes) * 1000) / tookMs;
  const bare = ((count + writes) * 1000) / sum(rounds, (round) => round.bareMs);
  const width = Math.max(...rounds.map((round) => round.width));
  return [
    {
      row,
      what: `${rounds.length} × ${count / rounds.length} machines ${words[shape]}, created to Running`,
      value: (count * 1000) / tookMs,
      unit: 'machines/s',
      gate: aim(targets[shape]),
      note: `${(writes / count).toFixed(2)} writes and ${(cpuMs / count).toFixed(1)} ms of the operator's CPU per machine`,
    },
    {
      row,
      what: `${words[shape]}: writes against a bare client`,
      value: (own * 100) / bare,
      unit: '%',
      gate: atLeast(60),
      note: `${own.toFixed(0)} against ${bare.toFixed(0)} writes/s, ${width} at a time, the creates of the load counted on both sides`,
    },
  ];
};

const measure = async (count: number, shape: DiskShape, rounds: number): Promise<readonly Figure[]> => {
  const lab = await startSimulatedLab({ hosts: 10, audit: false });
  try {
    await lab.operator.guests({ agent: false });
    await lab.burst('warm', Math.min(100, count), shape === 'linkedClone' ? 'blank' : shape);
    await lab.operator.quiet();
    const played: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      played.push(await playRound(lab, `load-${shape.toLowerCase()}-${round}`, count, shape));
    }
    return figuresOf(shape, played);
  } finally {
    await lab.close();
  }
};

export const burst = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['BURST_MACHINES'] ?? 1000);
  const rounds = Number(process.env['BURST_ROUNDS'] ?? 2);
  const shapes = (process.env['BURST_SHAPES'] ?? 'none,blank,linkedClone').split(',') as DiskShape[];
  const figures: Figure[] = [];
  for (const shape of shapes) figures.push(...(await measure(count, shape, rounds)));
  return figures;
};
