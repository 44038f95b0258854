import { diskTargetIqn } from '../names.ts';
import type { TargetSoftware } from '../software.ts';
import { accountsProgram } from './accounts.ts';
import { controlProgram } from './control.ts';
import { loginsProgram } from './logins.ts';
import { poolProgram } from './pool.ts';
import { recordsProgram } from './records.ts';
import { serverProgram } from './server.ts';

/** tgt (user space): a target for each disk, so that access to one says nothing of another. */
export const tgt: TargetSoftware = {
  name: 'TGT',
  program: [controlProgram, recordsProgram, accountsProgram, loginsProgram, poolProgram, serverProgram].join(
    '\n',
  ),
  settings: { configFolder: '/etc/tgt/conf.d', mainConfig: '/etc/tgt/targets.conf' },
  // It reads the size of a backing once, when a LUN is made.
  growsOnline: () => false,
  targetOf: diskTargetIqn,
  howToStart: 'Install the package tgt and start its service there (systemctl enable --now tgt).',
};
