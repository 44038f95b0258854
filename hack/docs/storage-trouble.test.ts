import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const rows = [...read('docs/storage-trouble.md').matchAll(/^\|[^|]*\| `([^`]+)` \| (.+) \|$/gm)].map(
  ([, path = '', title = '']) => ({ path, title }),
);

describe('docs/storage-trouble.md', () => {
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  it.each(rows)('$path: $title', ({ path, title }) => {
    expect(read(path)).toContain(title);
  });
});
