/** `node hack/generate/api/main.ts [--check]`: writes crds/ and docs/reference/, or fails when they drifted. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { apiOutputs } from './outputs.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const OWNED = ['crds', 'docs/reference'];

const existing = (): string[] =>
  OWNED.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return '';
  }
};

const outputs = apiOutputs();
const stale = existing().filter((path) => !outputs.has(path));
const changed = [...outputs].filter(([path, content]) => readOrEmpty(path) !== content);

if (process.argv.includes('--check')) {
  const drifted = [...stale, ...changed.map(([path]) => path)];
  if (drifted.length > 0) {
    console.error(`not what src/api says; run 'make generate':\n${drifted.join('\n')}`);
    process.exitCode = 1;
  }
} else {
  for (const path of stale) rmSync(join(root, path));
  for (const [path, content] of changed) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  console.log(`${changed.length} written, ${stale.length} removed, ${outputs.size} in all`);
}
