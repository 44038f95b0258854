/** The program of iSCSI servers, played on this machine without any target software. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lio } from '../../../src/drivers/storage/iscsi/lio/software.ts';
import { coreProgram } from '../../../src/drivers/storage/iscsi/program/core.ts';
import { disksProgram } from '../../../src/drivers/storage/iscsi/program/disks.ts';
import { filesProgram } from '../../../src/drivers/storage/iscsi/program/files.ts';
import { lvmProgram } from '../../../src/drivers/storage/iscsi/program/lvm.ts';
import { controlProgram } from '../../../src/drivers/storage/iscsi/tgt/control.ts';

const PROGRAM = [coreProgram, filesProgram, lvmProgram, lio.program, controlProgram, disksProgram].join('\n');
export const UID = '0a1b2c3d-1111-4222-8333-444455556666';

/** What a test of the program prints, as JSON; it finds `FOLDER`, `UID_` and everything of the program. */
export const played = async (test: string): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), 'ovcp-program-'));
  const start = `import sys\nFOLDER, UID_ = sys.argv[1], sys.argv[2]\n`;
  try {
    const argv = ['-I', '-c', `${PROGRAM}\n${start}${test}`, folder, UID];
    const { stdout } = await promisify(execFile)('python3', argv);
    return JSON.parse(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
