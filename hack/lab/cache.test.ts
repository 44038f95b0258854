import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

  it('leaves nothing of a build that failed, and starts the next one afresh', async () => {
    const failing = async (directory: string): Promise<void> => {
      writeFileSync(join(directory, 'half'), '');
      throw new Error('no compiler');
    };
    await expect(cached('tool-1', failing, root)).rejects.toThrow('no compiler');
    expect(existsSync(join(root, 'tool-1'))).toBe(false);
    const folder = await cached('tool-1', async () => undefined, root);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('cacheRoot', () => {
  it('is the first of what the environment names', () => {
    expect(cacheRoot({ OVCP_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheRoot({ XDG_CACHE_HOME: '/b' })).toBe('/b/ovcp');
    expect(cacheRoot({})).toMatch(/\/\.cache\/ovcp$/);
  });
});
