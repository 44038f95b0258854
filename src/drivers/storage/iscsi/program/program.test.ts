import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coreProgram } from './core.ts';
import { disksProgram } from './disks.ts';
import { filesProgram } from './files.ts';
import { lvmProgram } from './lvm.ts';

const PROGRAM = [coreProgram, filesProgram, lvmProgram, disksProgram].join('\n');
const UID = '0a1b2c3d-1111-4222-8333-444455556666';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ovcp-program-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a test of the program prints, as JSON; it finds `FOLDER`, `UID_` and everything of the program. */
const played = async (test: string): Promise<unknown> => {
  const start = `import sys\nFOLDER, UID_ = sys.argv[1], sys.argv[2]\n`;
  const { stdout } = await promisify(execFile)('python3', [
    '-I',
    '-c',
    `${PROGRAM}\n${start}${test}`,
    folder,
    UID,
  ]);
  return JSON.parse(stdout);
};

describe('what is written whole', () => {
  it('is all there when the system takes a part at a time', async () => {
    const text = await played(`
real = os.pwrite
os.pwrite = lambda fd, data, offset: real(fd, data[:7], offset)
os.write = lambda fd, data: real(fd, data[:7], 0)
write_whole(FOLDER + '/saved.json', 'x' * 100 + 'end')
print(json.dumps(read_text(FOLDER + '/saved.json')))
`);
    expect(text).toBe(`${'x'.repeat(100)}end`);
  });
});

/** A pool of files in FOLDER, and target software that is not there. */
const FILES = `
LOCKS = FOLDER + '/locks'
POOL = {'clusterId': 'c1', 'poolUid': 'p1', 'poolName': 'san'}
SPEC = {'type': 'Files', 'path': FOLDER + '/san'}
server_of = lambda request, backing: None
server_lock = lambda: locked('server', 0)
backing = Files(SPEC, POOL)
`;

describe('a folder of disks', () => {
  it('shows no disk as complete that is begun while somebody looks', async () => {
    const seen = await played(`${FILES}
backing.prepare()
real, begun = os.path.exists, []

def exists(path):
    there = real(path)
    if path.endswith('.making') and not begun:
        begun.append(path)
        backing.start(UID_, 4096)
    return there

os.path.exists = exists
one = backing.disk(UID_)
os.path.exists = real
listed = os.listdir
os.listdir = lambda folder: [name for name in listed(folder) if not name.endswith('.making')]
many = backing.disks()[UID_]
backing.finish(UID_)
print(json.dumps([one['complete'], many['complete'], backing.disk(UID_)['complete']]))
`);
    expect(seen).toEqual([false, false, true]);
  });

  it.each(['prepare', 'forget'])('%s waits for the others that work on the server', async (op) => {
    const answer = await played(`${FILES}
try:
    with locked('server', 0):
        OPERATIONS['${op}']({'op': '${op}', 'backing': SPEC, 'pool': POOL, 'erase': True})
    print(json.dumps('done'))
except Refused as refused:
    print(json.dumps([refused.kind, os.path.isdir(SPEC['path'])]))
`);
    expect(answer).toEqual(['busy', false]);
  });
});
