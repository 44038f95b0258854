/** What vitest's JSON report says: totals of each suite, and the names of what failed. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

export interface Total {
  passed: number;
  failed: number;
  skipped: number;
}

export interface Report {
  /** By project, in the given order. */
  readonly totals: ReadonlyMap<string, Total>;
  /** File, `>` and the name of the test; or the file and what became of it. */
  readonly failures: readonly string[];
}

interface RawTest {
  readonly fullName: string;
  readonly status: string;
}

interface RawFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly RawTest[];
}

/** Files below `test/` are of the suite that the folder names, all others are unit tests. */
const projectOf = (file: string): string => /^test\/([^/]+)\//.exec(file)?.[1] ?? 'unit';

const failuresOf = ({ name, status, message, assertionResults }: RawFile): string[] => {
  const failed = assertionResults.filter((it) => it.status === 'failed');
  // A file whose set-up failed has no failed test, only tests that did not run.
  if (failed.length === 0 && status === 'failed') return [`${name}: ${message.split('\n')[0]}`];
  return failed.map((it) => `${name} > ${it.fullName}`);
};

/** Files by their path from `root`. */
const readFiles = (path: string, root: string): readonly RawFile[] => {
  try {
    const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as { testResults: readonly RawFile[] };
    return testResults.map((file) => ({ ...file, name: relative(root, file.name) }));
  } catch {
    return [];
  }
};

/** Reads a report of these projects; one that is missing, or without a test that passed, is a failure, never zero tests. */
export const readReport = (path: string, projects: readonly string[], root = process.cwd()): Report => {
  const files = readFiles(path, root);
  const failures: string[] = [];
  const totals = new Map<string, Total>();
  for (const project of projects) {
    const own = files.filter((file) => projectOf(file.name) === project);
    const tests = own.flatMap((file) => file.assertionResults);
    const passed = tests.filter(({ status }) => status === 'passed').length;
    const told = own.flatMap(failuresOf);
    if (passed === 0 && told.length === 0) told.push(`${project}: no test has passed`);
    const failed = told.length;
    const counted = tests.filter(({ status }) => status === 'failed' || status === 'passed').length;
    totals.set(project, { passed, failed, skipped: tests.length - counted });
    failures.push(...told);
  }
  return { totals, failures };
};
