import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The folder of everything that is expensive to make: `OVCP_CACHE`, else `ovcp` in the user's cache folder. */
export const cacheRoot = (env: NodeJS.ProcessEnv = process.env): string =>
  env['OVCP_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ovcp');

/**
 * Takes the lock of a folder, or returns undefined when another process has it. An abstract UNIX socket (unix(7)) can
 * be bound once and goes with its process, so a builder that is killed leaves no lock behind.
 */
const tryLock = (target: string): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    const name = createHash('sha256').update(target).digest('hex');
    server.listen(`\0ovcp-cache-${name}`, () => resolve(server));
  });

const lock = async (target: string): Promise<Server> => {
  for (;;) {
    const held = await tryLock(target);
    if (held !== undefined) return held;
    await sleep(250);
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
  const held = await lock(target);
  try {
    if (existsSync(target)) return target;
    const partial = `${target}.partial`;
    mkdirSync(dirname(target), { recursive: true });
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial);
    await build(partial);
    renameSync(partial, target);
    return target;
  } finally {
    await new Promise((resolve) => held.close(resolve));
  }
};
