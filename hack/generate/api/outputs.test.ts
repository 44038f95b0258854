import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { kinds } from '../../../src/api/kinds.ts';
import { text } from '../../../src/api/kit.ts';
import { structural } from '../../../src/api/structural.ts';
import { objectSchema } from './crd.ts';
import { lintSchema } from './lint.ts';
import { apiOutputs } from './outputs.ts';

const root = join(import.meta.dirname, '..', '..', '..');

it.each([...apiOutputs()])('%s is what src/api says', (path, content) => {
  expect(readFileSync(join(root, path), 'utf8')).toBe(content);
});

it('has no file left over from a kind that is gone', () => {
  const folders = ['crds', 'docs/reference'];
  const found = folders.flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  );
  const made = [...apiOutputs().keys()].filter((path) =>
    folders.some((folder) => path.startsWith(`${folder}/`)),
  );
  expect(found.sort()).toEqual(made.sort());
});

it('is the same twice', () => {
  expect([...apiOutputs()]).toEqual([...apiOutputs()]);
});

it('answers --check with status 0 when nothing drifted', () => {
  expect(() =>
    execFileSync(process.execPath, [join(import.meta.dirname, 'main.ts'), '--check']),
  ).not.toThrow();
});

it.each(kinds)('$kind has bounds and descriptions everywhere', (kind) => {
  expect(lintSchema(objectSchema(kind))).toEqual([]);
});

it.each([
  ['a string', z.object({ a: z.string().describe('A.') }), '$.a: a string without maxLength'],
  ['a list', z.object({ a: z.array(text(1)).describe('A.') }), '$.a: a list without maxItems'],
  [
    'a map',
    z.object({ a: z.record(z.string(), text(1)).describe('A.') }),
    '$.a: a map without maxProperties',
  ],
  [
    'lookaround',
    z.object({
      a: text(9)
        .regex(/^(?!b)/)
        .describe('A.'),
    }),
    '$.a: a pattern that RE2 does not know',
  ],
  ['no description', z.object({ a: z.boolean() }), '$.a: no description'],
])('lint finds %s', (_, schema, problem) => {
  expect(lintSchema(structural(schema))).toContain(problem);
});
