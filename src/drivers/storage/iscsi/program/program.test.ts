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
