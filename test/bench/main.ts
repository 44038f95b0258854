/**
 * `node test/bench/main.ts [--page] [--keep] [row…]`: measures the rows named, or all; a table on the terminal and
 * bench-results/bench.json. `--page` writes docs/figures.md too; `--keep` keeps the rows of bench-results/bench.json
 * that are not measured now. Ends with 1 when a gate is missed.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { apiWrites } from './figures/api-writes.ts';
import { attach } from './figures/attach.ts';
import { burst } from './figures/burst.ts';
import { destroy } from './figures/destroy.ts';
import { disksAtOnce } from './figures/disks-at-once.ts';
import { heldConnection } from './figures/held-connection.ts';
import { idle } from './figures/idle.ts';
import { images } from './figures/images.ts';
import { kvmCreate } from './figures/kvm-create.ts';
import { memory } from './figures/memory.ts';
import { restart } from './figures/restart.ts';
import { sweep } from './figures/sweep.ts';
import { type Figure, isMet, page, type Report, type RowRun, type Skipped, table } from './harness/figure.ts';

const rows: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  'api-writes': apiWrites,
  restart,
  idle,
  burst,
  'kvm-create': kvmCreate,
  'virsh-destroy': destroy,
  attach,
  images,
  sweep,
  'disks-at-once': disksAtOnce,
  'held-connection': heldConnection,
  memory,
};

const machineWords = (): string => {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  return `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${gib} GiB, Node ${process.versions.node}`;
};

const load = (): number => loadavg()[0] ?? 0;

/** A row that fails is told as not measured, and the others go on. */
const measure = async (names: readonly string[]): Promise<Report> => {
  const figures: Figure[] = [];
  const skipped: Skipped[] = [];
  const runs: RowRun[] = [];
  for (const name of names) {
    process.stderr.write(`measuring ${name}\n`);
    const startedMs = Date.now();
    const loadBefore = load();
    try {
      figures.push(...((await rows[name]?.()) ?? []));
    } catch (error) {
      skipped.push({ row: name, why: (error as Error).message });
    }
    const seconds = (Date.now() - startedMs) / 1000;
    const startedAt = new Date(startedMs).toISOString();
    runs.push({ row: name, startedAt, seconds, loadBefore, loadAfter: load() });
  }
  return { machine: machineWords(), runs, figures, skipped };
};

const resultsPath = 'bench-results/bench.json';

/** Today's rows and, in the order of the table, those of the last run. */
const withKept = async (report: Report, measured: readonly string[]): Promise<Report> => {
  const text = await readFile(resultsPath, 'utf8').catch(() => undefined);
  if (text === undefined) return report;
  const former = JSON.parse(text) as Report;
  const isKept = ({ row }: { readonly row: string }): boolean => !measured.includes(row);
  const order = Object.keys(rows);
  const inOrder = <T extends { readonly row: string }>(all: readonly T[]): readonly T[] =>
    all.toSorted((a, b) => order.indexOf(a.row) - order.indexOf(b.row));
  return {
    ...report,
    runs: inOrder([...former.runs.filter(isKept), ...report.runs]),
    figures: inOrder([...former.figures.filter(isKept), ...report.figures]),
    skipped: inOrder([...former.skipped.filter(isKept), ...report.skipped]),
  };
};

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    options: { page: { type: 'boolean' }, keep: { type: 'boolean' } },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => rows[name] === undefined);
  if (unknown.length > 0) {
    process.stderr.write(`no such row: ${unknown.join(', ')}; there are ${Object.keys(rows).join(', ')}\n`);
    return 2;
  }
  const names = positionals.length === 0 ? Object.keys(rows) : positionals;
  const measured = await measure(names);
  const report = values.keep === true ? await withKept(measured, names) : measured;
  await mkdir('bench-results', { recursive: true });
  await writeFile(resultsPath, `${JSON.stringify(report, null, 2)}\n`);
  if (values.page === true) await writeFile('docs/figures.md', page(report));
  process.stdout.write(`${table(report)}\n`);
  const missed = report.figures.some((figure) => !isMet(figure) && figure.gate?.weight === 'gate');
  return missed || report.skipped.length > 0 ? 1 : 0;
};

process.exitCode = await main();
