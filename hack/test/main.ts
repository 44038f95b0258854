/**
 * `make test` and `make check`: every stage in order, cheapest first, and one plain line with the total at the end.
 * A stage that is not vitest's (types, lint, drift) counts as one test.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readReport, type Total } from './report.ts';

type Stage =
  | { readonly kind: 'command'; readonly name: string; readonly argv: readonly string[] }
  | { readonly kind: 'vitest'; readonly name: string; readonly projects: readonly string[] };

interface Done {
  /** By what is shown: a command, or a suite. */
  readonly rows: readonly { readonly name: string; readonly total: Total }[];
  /** What failed, as a person looks for it in the text above. */
  readonly failures: readonly string[];
}

const reports = join('node_modules', '.cache', 'ovcp-test');

const checkStages: readonly Stage[] = [
  { kind: 'command', name: 'types', argv: ['tsc', '-p', '.'] },
  { kind: 'command', name: 'lint and import fences', argv: ['oxlint', '--type-aware', '--quiet'] },
  { kind: 'command', name: 'formatting', argv: ['biome', 'ci', '.'] },
  { kind: 'command', name: 'generated files', argv: ['node', 'hack/generate/api/main.ts', '--check'] },
  { kind: 'command', name: 'repository hygiene', argv: ['node', 'hack/test/hygiene.ts'] },
  { kind: 'vitest', name: 'unit tests', projects: ['unit'] },
];

const setup = 'Debian packages and tools';

const realStages: readonly Stage[] = [
  { kind: 'command', name: setup, argv: ['node', 'hack/test/setup.ts'] },
  // Of one run, because vitest fills its workers with files of all of them.
  {
    kind: 'vitest',
    name: 'tests on real servers',
    projects: ['integration', 'contract', 'faults', 'e2e'],
  },
];

const run = (argv: readonly string[]): Promise<number> =>
  new Promise((resolve) => {
    const [command = '', ...rest] = argv;
    const plain = process.env['CI'] === undefined ? {} : { NO_COLOR: '1', FORCE_COLOR: '0' };
    const env = { ...process.env, ...plain };
    const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit'], env });
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });

const runVitest = async (name: string, projects: readonly string[]): Promise<Done> => {
  const file = join(reports, `${name.replaceAll(' ', '-')}.json`);
  rmSync(file, { force: true });
  const chosen = projects.flatMap((project) => ['--project', project]);
  const argv = ['vitest', 'run', ...chosen, '--reporter=default', '--reporter=json'];
  const code = await run([...argv, `--outputFile.json=${file}`]);
  const { totals, failures } = readReport(file, projects);
  const rows = [...totals].map(([project, total]) => ({ name: project, total }));
  if (code === 0 || failures.length > 0) return { rows, failures };
  // A run that failed outside of any test (an unhandled rejection, a crash of a worker) is a failure too.
  const crashed = { name: 'vitest itself', total: { passed: 0, failed: 1, skipped: 0 } };
  return { rows: [...rows, crashed], failures: [`${name}: vitest ended with ${code}`] };
};

const runStage = async (stage: Stage): Promise<Done> => {
  if (stage.kind === 'vitest') return runVitest(stage.name, stage.projects);
  const code = await run(stage.argv);
  const [passed, failed] = code === 0 ? [1, 0] : [0, 1];
  return {
    rows: [{ name: stage.name, total: { passed, failed, skipped: 0 } }],
    failures: code === 0 ? [] : [`${stage.name}: ${stage.argv.join(' ')} ended with ${code}`],
  };
};

const wordsOf = ({ passed, failed, skipped }: Total): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

const main = async (): Promise<void> => {
  mkdirSync(reports, { recursive: true });
  const only = process.argv[2];
  const stages = only === 'check' ? checkStages : [...checkStages, ...realStages];
  const sum: Total = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const allFailures: string[] = [];
  for (const stage of stages) {
    const startedMs = performance.now();
    process.stdout.write(`\n== ${stage.name}\n`);
    const { rows, failures } = await runStage(stage);
    const seconds = `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s`;
    for (const [index, { name, total }] of rows.entries()) {
      sum.passed += total.passed;
      sum.failed += total.failed;
      sum.skipped += total.skipped;
      const word = total.failed === 0 ? 'ok  ' : 'FAIL';
      lines.push(`${word} ${name.padEnd(28)} ${index === 0 ? seconds : '        "'}  ${wordsOf(total)}`);
    }
    allFailures.push(...failures);
    // Without its tools and packages the rest can only fail in confusing ways.
    if (stage.name === setup && failures.length > 0) break;
  }
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
  if (allFailures.length > 0) process.stdout.write(`Failed:\n  ${allFailures.join('\n  ')}\n\n`);
  process.stdout.write(`${wordsOf(sum)}\n`);
  process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
};

await main();
