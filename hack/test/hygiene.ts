/** Rules of the repository itself that no linter knows: no unfinished words, no private addresses in lock files. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');

const textOf = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // removed in the work tree, or binary
  }
};

/** Spelled in two parts so that this file does not accuse itself. */
const unfinished = new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|HA${'CK'}:)\\b|not ${'implemented'}`);
const softTests = new RegExp(`\\b(it|test|describe)\\.(ski${'p'}|onl${'y'}|tod${'o'})\\(`);

const problems: string[] = [];
for (const file of files) {
  const text = textOf(file);
  if (/^(src|charts|deploy|docs|hack|test)\//.test(file) && !file.endsWith('.gen.ts')) {
    for (const [index, line] of text.split('\n').entries()) {
      if (unfinished.test(line)) problems.push(`${file}:${index + 1}: unfinished: ${line.trim()}`);
      if (file.endsWith('.test.ts') && softTests.test(line)) {
        problems.push(`${file}:${index + 1}: a test that does not run: ${line.trim()}`);
      }
    }
  }
  if (/(package-lock\.json|\.npmrc|go\.mod|go\.sum)$/.test(file) && /"resolved"|registry\s*=/.test(text)) {
    problems.push(`${file}: names a package registry`);
  }
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
