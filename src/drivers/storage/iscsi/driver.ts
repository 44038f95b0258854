/** iSCSI pools: the wish names the target software, the rest is common. */
import { Fault } from '../../../runtime/fault.ts';
import type { IscsiWish, StorageServerDriver } from '../contract.ts';
import type { ServerLinks } from '../server-link.ts';
import { lio } from './lio/software.ts';
import { openIscsiServer } from './server.ts';
import type { TargetSoftware } from './software.ts';
import { tgt } from './tgt/software.ts';

/** Target software that can be driven. */
const ALL: readonly TargetSoftware[] = [lio, tgt];

/** `links` are shared by all pools of all drivers that reach servers by SSH. */
export const createIscsiDriver = (links: ServerLinks): StorageServerDriver<IscsiWish> => ({
  name: 'iscsi',
  open: (settings) => {
    const software = ALL.find(({ name }) => name === settings.wish.software);
    if (software === undefined) {
      throw new Fault('unsupported', `Targets of ${settings.wish.software} cannot be driven.`, {
        reason: 'Unsupported',
      });
    }
    return openIscsiServer(links, software, settings);
  },
});
