/**
 * `make test` and `make check`: every suite in order, cheapest first, and one plain line with the total at the end.
 * A stage that is not a vitest project (types, lint, drift) counts as one test.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

interface Total {
  passed: number;
  failed: number;
  skipped: number;
}

type Stage =
  | { readonly kind: 'command'; readonly name: string; readonly argv: readonly string[] }
  | { readonly kind: 'vitest'; readonly name: string };

const reports = join('node_modules', '.cache', 'ovcp-test');

const checkStages: readonly Stage[] = [
  { kind: 'command', name: 'types', argv: ['tsc', '-p', '.'] },
  { kind: 'command', name: 'lint and import fences', argv: ['oxlint', '--type-aware', '--quiet'] },
  { kind: 'command', name: 'formatting', argv: ['biome', 'ci', '.'] },
  { kind: 'command', name: 'generated files', argv: ['node', 'hack/generate/api/main.ts', '--check'] },
  { kind: 'command', name: 'repository hygiene', argv: ['node', 'hack/test/hygiene.ts'] },
  { kind: 'vitest', name: 'unit' },
];

const realStages: readonly Stage[] = [
  { kind: 'command', name: 'Debian packages and tools', argv: ['node', 'hack/test/setup.ts'] },
  { kind: 'vitest', name: 'integration' },
  { kind: 'vitest', name: 'contract' },
  { kind: 'vitest', name: 'faults' },
  { kind: 'vitest', name: 'e2e' },
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

/** Reads vitest's JSON report; a missing or empty one is a failure, never zero tests. */
const readReport = (file: string): Total => {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const count = (key: string): number => Number(report[key] ?? 0);
    const failedSuites = count('numFailedTestSuites');
    const failed = Math.max(count('numFailedTests'), failedSuites > 0 ? 1 : 0);
    return {
      passed: count('numPassedTests'),
      failed,
      skipped: count('numPendingTests') + count('numTodoTests'),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
};

const runStage = async (stage: Stage): Promise<Total> => {
  if (stage.kind === 'command') {
    const code = await run(stage.argv);
    return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  }
  const file = join(reports, `${stage.name}.json`);
  rmSync(file, { force: true });
  const argv = ['vitest', 'run', '--project', stage.name, '--reporter=default', '--reporter=json'];
  const code = await run([...argv, `--outputFile.json=${file}`]);
  const total = readReport(file);
  // A run that failed outside any test (an unhandled rejection, a crash of a worker) is a failure too.
  return code !== 0 && total.failed === 0 ? { ...total, failed: 1 } : total;
};

const main = async (): Promise<void> => {
  mkdirSync(reports, { recursive: true });
  const only = process.argv[2];
  const stages = only === 'check' ? checkStages : [...checkStages, ...realStages];
  const sum: Total = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const stage of stages) {
    const startedMs = performance.now();
    process.stdout.write(`\n== ${stage.name}\n`);
    const total = await runStage(stage);
    sum.passed += total.passed;
    sum.failed += total.failed;
    sum.skipped += total.skipped;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const counts = `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`;
    lines.push(
      `${total.failed === 0 ? 'ok  ' : 'FAIL'} ${stage.name.padEnd(28)} ${seconds.padStart(7)} s  ${counts}`,
    );
    // Without its tools and packages the rest can only fail in confusing ways.
    if (stage.name === 'Debian packages and tools' && total.failed > 0) break;
  }
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
};

await main();
