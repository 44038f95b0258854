/**
 * `node test/bench/main.ts [--page] [row…]`: measures the rows named, or all; a table on the terminal and
 * bench-results/bench.json. `--page` writes docs/figures.md too. Ends with 1 when a gate is missed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { apiWrites } from './figures/api-writes.ts';
import { burst } from './figures/burst.ts';
import { destroy } from './figures/destroy.ts';
import { heldConnection } from './figures/held-connection.ts';
import { idle } from './figures/idle.ts';
import { kvmCreate } from './figures/kvm-create.ts';
import { memory } from './figures/memory.ts';
import { restart } from './figures/restart.ts';
import { type Figure, isMet, page, type Report, type Skipped, table } from './harness/figure.ts';

const rows: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  'api-writes': apiWrites,
  restart,
  idle,
  burst,
  'kvm-create': kvmCreate,
  'virsh-destroy': destroy,
  'held-connection': heldConnection,
  memory,
};

const machineWords = (): string => {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  return `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${gib} GiB, Node ${process.versions.node}`;
};

const measure = async (names: readonly string[]): Promise<Report> => {
  const startedAt = new Date().toISOString();
  const figures: Figure[] = [];
  const skipped: Skipped[] = [];
  for (const name of names) {
    process.stderr.write(`measuring ${name}\n`);
    try {
      figures.push(...((await rows[name]?.()) ?? []));
    } catch (error) {
      skipped.push({ row: name, why: (error as Error).message });
    }
  }
  return { startedAt, machine: machineWords(), figures, skipped };
};

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    options: { page: { type: 'boolean' } },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => rows[name] === undefined);
  if (unknown.length > 0) {
    process.stderr.write(`no such row: ${unknown.join(', ')}; there are ${Object.keys(rows).join(', ')}\n`);
    return 2;
  }
  const report = await measure(positionals.length === 0 ? Object.keys(rows) : positionals);
  await mkdir('bench-results', { recursive: true });
  await writeFile('bench-results/bench.json', `${JSON.stringify(report, null, 2)}\n`);
  if (values.page === true) await writeFile('docs/figures.md', page(report));
  process.stdout.write(`${table(report)}\n`);
  const missed = report.figures.some((figure) => !isMet(figure) && figure.gate?.weight === 'gate');
  return missed || report.skipped.length > 0 ? 1 : 0;
};

process.exitCode = await main();
