import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readReport } from './report.ts';

describe('readReport', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ovcp-report-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const root = '/home/test/work';
  const report = (...testResults: object[]): string => {
    const path = join(folder, 'report.json');
    writeFileSync(path, JSON.stringify({ testResults }));
    return path;
  };
  const file = (name: string, status: string, tests: Readonly<Record<string, string>>, message = '') => ({
    name: `/home/test/work/${name}`,
    status,
    message,
    assertionResults: Object.entries(tests).map(([fullName, its]) => ({ fullName, status: its })),
  });

  it('counts each suite for itself and names what failed', () => {
    const path = report(
      file('test/faults/a.test.ts', 'failed', { 'a b': 'failed', 'a c': 'passed', 'a d': 'skipped' }),
      file('test/e2e/b.test.ts', 'passed', { e: 'passed', f: 'passed' }),
      file('src/api/c.test.ts', 'passed', { g: 'passed' }),
    );
    const { totals, failures } = readReport(path, ['faults', 'e2e', 'unit'], root);
    expect(Object.fromEntries(totals)).toEqual({
      faults: { passed: 1, failed: 1, skipped: 1 },
      e2e: { passed: 2, failed: 0, skipped: 0 },
      unit: { passed: 1, failed: 0, skipped: 0 },
    });
    expect(failures).toEqual(['test/faults/a.test.ts > a b']);
  });

  it('takes a file whose set-up failed for a failure', () => {
    const path = report(
      file('test/e2e/b.test.ts', 'failed', { e: 'skipped' }, 'no lab\n  at line 1'),
      file('test/e2e/c.test.ts', 'passed', { f: 'passed' }),
    );
    const { totals, failures } = readReport(path, ['e2e'], root);
    expect(totals.get('e2e')).toEqual({ passed: 1, failed: 1, skipped: 1 });
    expect(failures).toEqual(['test/e2e/b.test.ts: no lab']);
  });

  it('takes a suite without a test, and no report at all, for a failure', () => {
    const path = report(file('test/e2e/c.test.ts', 'passed', { f: 'passed' }));
    expect(readReport(path, ['e2e', 'faults'], root).failures).toEqual(['faults: no test has passed']);
    expect(readReport(join(folder, 'none.json'), ['e2e']).totals.get('e2e')?.failed).toBe(1);
  });
});
