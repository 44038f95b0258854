import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pidAlive } from './process.ts';

/** The folder of everything that is expensive to make: `OVCP_CACHE`, else `ovcp` in the user's cache folder. */
export const cacheRoot = (env: NodeJS.ProcessEnv = process.env): string =>
  env['OVCP_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ovcp');

const tryLock = (lockPath: string): boolean => {
  try {
    writeFileSync(lockPath, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number.parseInt(safeRead(lockPath), 10);
    // A builder that was killed leaves its lock: whoever finds its pid gone takes it away.
    if (Number.isInteger(owner) && !pidAlive(owner)) rmSync(lockPath, { force: true });
    return false;
  }
};

const safeRead = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/**
 * The folder `<cache>/<key>`, made by `build` when it is not there yet. `build` fills a private folder that gets
 * its real name only when it is complete, and one builder runs at a time, so a killed build leaves nothing half done.
 */
export const cached = async (
  key: string,
  build: (directory: string) => Promise<void>,
  root: string = cacheRoot(),
): Promise<string> => {
  const target = join(root, key);
  if (existsSync(target)) return target;
  mkdirSync(dirname(target), { recursive: true });
  const lockPath = `${target}.lock`;
  while (!tryLock(lockPath)) {
    await sleep(250);
  }
  try {
    if (existsSync(target)) return target;
    const partial = `${target}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await build(partial);
    renameSync(partial, target);
    return target;
  } finally {
    rmSync(lockPath, { force: true });
  }
};
