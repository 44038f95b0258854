import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditPolicy, readAudit } from './audit.ts';

const line = (username: string, verb: string): string =>
  `${JSON.stringify({ verb, user: { username }, objectRef: { resource: 'pods', name: 'p' }, responseStatus: { code: 200 } })}\n`;

describe('readAudit', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'ovcp-audit-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('reads whole lines, of one user when asked', async () => {
    const path = join(folder, 'audit.log');
    await writeFile(path, `${line('alice', 'create')}${line('bob', 'patch')}{"verb":"del`);
    expect((await readAudit(path)).map(({ user, verb }) => [user, verb])).toEqual([
      ['alice', 'create'],
      ['bob', 'patch'],
    ]);
    expect(await readAudit(path, 'bob')).toMatchObject([
      { verb: 'patch', resource: 'pods', name: 'p', code: 200 },
    ]);
  });

  it('is empty before the first request', async () => {
    expect(await readAudit(join(folder, 'none'))).toEqual([]);
  });
});

describe('auditPolicy', () => {
  it('names the write verbs alone, or none', () => {
    expect(auditPolicy('writes')).toContain('verbs: [create, update, patch, delete, deletecollection]');
    expect(auditPolicy('all')).not.toContain('verbs');
  });
});
