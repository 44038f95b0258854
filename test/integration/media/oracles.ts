import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Standard output of a program, as bytes; a failure carries its standard error. */
export const tool = async (program: string, ...args: readonly string[]): Promise<Buffer> =>
  (await run(program, args, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })).stdout;

/** Whether the oracles are there. Under CI a missing one is a failure of the set-up, not a reason to skip. */
export const haveTools = async (...programs: readonly string[]): Promise<boolean> => {
  for (const program of programs) {
    const found = await run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
      () => true,
      () => false,
    );
    if (!found && process.env['CI'] === 'true')
      throw new Error(`${program} is missing (qemu-utils, genisoimage, …)`);
    if (!found) return false;
  }
  return true;
};

/** Run with a folder of its own that is gone afterwards. */
export const inFolder = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'ovcp-media-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
