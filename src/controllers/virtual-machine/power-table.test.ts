import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { OffCause } from '../../drivers/hypervisor/contract.ts';
import { type DriftPolicy, decidePower, type RestartPolicy } from './power-table.ts';

const causes: readonly OffCause[] = [
  'NeverStarted',
  'GuestShutdown',
  'Crashed',
  'Failed',
  'Destroyed',
  'Unknown',
];
const restarts: readonly RestartPolicy[] = ['Always', 'OnFailure', 'Never'];
const drifts: readonly DriftPolicy[] = ['Enforce', 'Report', 'Ignore'];

/** Rows of the published table: `| cause | restartPolicy | driftPolicy | what happens |`. */
const published = readFileSync(new URL('../../../docs/power.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| (NeverStarted|GuestShutdown|Crashed|Failed|Destroyed|Unknown) /.test(line))
  .map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, 5),
  );

const matches = (cell: string | undefined, value: string): boolean =>
  cell === 'any' || (cell ?? '').split(', ').includes(value);

describe('the published power table', () => {
  for (const cause of causes) {
    for (const restart of restarts) {
      for (const drift of drifts) {
        it(`says what happens after ${cause} with restartPolicy ${restart} and driftPolicy ${drift}`, () => {
          const rows = published.filter(
            ([c, r, d]) => c === cause && matches(r, restart) && matches(d, drift),
          );
          expect(rows, 'exactly one row').toHaveLength(1);
          expect(decidePower(cause, { restart, drift }, false).kind).toBe(
            rows[0]?.[3]?.startsWith('started') ? 'start' : 'stay',
          );
        });
      }
    }
  }

  it('starts whatever the policies say when the wish came after the stop', () => {
    for (const cause of causes) {
      expect(decidePower(cause, { restart: 'Never', drift: 'Ignore' }, true)).toEqual({ kind: 'start' });
    }
  });
});
