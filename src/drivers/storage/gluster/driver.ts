/** The server side of a Gluster pool: `gluster --mode=script --xml` over SSH on any server that answers. */
import { Fault, isFault } from '../../../runtime/fault.ts';
import type {
  GlusterWish,
  PoolIdentity,
  ServerEndpoint,
  StorageServer,
  StorageServerDriver,
} from '../contract.ts';
import { toServerFault } from '../server-fault.ts';
import type { ServerLinks } from '../server-link.ts';
import { type Gluster, glusterOn } from './command.ts';
import { seenOf } from './health.ts';
import { markOf } from './options.ts';
import { plan } from './plan.ts';
import { planRemoval } from './plan-removal.ts';
import { seeGluster } from './see.ts';
import type { GlusterStep } from './steps.ts';
import { takeStep } from './take.ts';

interface Settings {
  readonly identity: PoolIdentity;
  readonly wish: GlusterWish;
  readonly endpoints: readonly ServerEndpoint[];
  readonly existed?: (() => boolean) | undefined;
}

/** How long a step waits for another pool's on one of its servers. */
const TURN_MS = 1_000;

const openGluster = (links: ServerLinks, settings: Settings): StorageServer => {
  const { identity, wish, endpoints } = settings;
  const opened = endpoints.map((endpoint) => links.open(endpoint));
  const members = opened.map((link) => ({ endpoint: link.endpoint, gluster: glusterOn(link) }));
  let known = false;
  let open = true;

  const on = (server: string): Gluster => {
    const member = members.find(({ endpoint }) => endpoint.name === server);
    if (member === undefined) throw new Fault('conflict', `The server ${server} is no longer listed.`);
    return member.gluster;
  };

  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw isFault(error) ? error : toServerFault(error, wish.volume);
    }
  };

  return {
    see: (signal) =>
      guarded(async () => {
        const sight = await seeGluster(members, wish.volume, signal);
        const { volume } = sight;
        if (volume !== undefined) known = markOf(volume, identity).kind === 'ours';
        const once = known || settings.existed?.() === true;
        return seenOf(identity, wish, { ...sight, lost: volume === undefined && once });
      }),
    plan: (seen) => plan({ ...settings, seen }),
    planRemoval: (seen, erase) => planRemoval({ ...settings, seen }, erase),
    take: (step, signal) =>
      guarded(async () => {
        const detail = step.detail as GlusterStep;
        const work = () => takeStep({ identity, wish, endpoints, on }, detail, signal);
        await links.exclusive(endpoints, TURN_MS, work, signal);
      }),
    mount: { kind: 'gluster', servers: endpoints.map(({ address }) => address), volume: wish.volume },
    disks: undefined,
    close: async () => {
      if (open) for (const link of opened) link.close();
      open = false;
    },
  };
};

export const createGlusterDriver = (links: ServerLinks): StorageServerDriver<GlusterWish> => ({
  name: 'gluster',
  open: (settings) => openGluster(links, settings),
});
