import { diskTargetIqn } from '../names.ts';
import type { TargetSoftware } from '../software.ts';
import { lioHandsProgram } from './hands.ts';
import { lioLiveProgram } from './live.ts';
import { lioRecordProgram } from './record.ts';
import { lioServerProgram } from './server.ts';
import { lioWishProgram } from './wish.ts';

/** LIO (Linux's own target): a target for each disk, so that access to one says nothing of another. */
export const lio: TargetSoftware = {
  name: 'LIO',
  program: [lioRecordProgram, lioLiveProgram, lioWishProgram, lioHandsProgram, lioServerProgram].join('\n'),
  settings: { targetPrefix: diskTargetIqn('') },
  // It reads the size of a file once, and that of a device when it is asked: of a thick one before the new part is zeroed.
  growsOnline: ({ type }) => type === 'LVMThin',
  targetOf: diskTargetIqn,
  howToStart:
    'Install the package targetcli-fb there, and have the saved targets loaded when it starts ' +
    '(systemctl enable --now rtslib-fb-targetctl on Debian, target elsewhere).',
};
