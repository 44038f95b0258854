import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, cacheRoot } from './cache.ts';

describe('cached', () => {
  let root: string;
  beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'ovcp-cache-'))));
  afterEach(() => rm(root, { recursive: true }));

  it('builds once, even for two who ask at the same time', async () => {
    let builds = 0;
    const build = async (directory: string): Promise<void> => {
      builds += 1;
      writeFileSync(join(directory, 'file'), 'made');
    };
    const folders = await Promise.all([cached('tool-1', build, root), cached('tool-1', build, root)]);
    expect(folders).toEqual([join(root, 'tool-1'), join(root, 'tool-1')]);
    expect(readFileSync(join(root, 'tool-1/file'), 'utf8')).toBe('made');
    expect(builds).toBe(1);
  });

  it('leaves nothing of a build that failed and takes over from a builder that died', async () => {
    const failing = cached('tool-1', () => Promise.reject(new Error('no compiler')), root);
    await expect(failing).rejects.toThrow('no compiler');
    expect(existsSync(join(root, 'tool-1'))).toBe(false);
    // No process has a pid above the kernel's limit of 2^22.
    writeFileSync(join(root, 'tool-1.lock'), '99999999');
    expect(await cached('tool-1', async () => undefined, root)).toBe(join(root, 'tool-1'));
  });
});

describe('cacheRoot', () => {
  it('is the first of what the environment names', () => {
    expect(cacheRoot({ OVCP_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheRoot({ XDG_CACHE_HOME: '/b' })).toBe('/b/ovcp');
    expect(cacheRoot({})).toMatch(/\/\.cache\/ovcp$/);
  });
});
