import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { Log } from './log.ts';

it('is what pino offers', () => {
  const lines: string[] = [];
  const log: Log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(line) });
  log.child({ controller: 'machine' }).info({ key: 'a/x' }, 'pass failed');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 30, controller: 'machine', key: 'a/x', msg: 'pass failed' },
  ]);
});
