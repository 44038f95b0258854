/** What storage servers say of themselves, in the words of their own programs. Pure but for `askServer`. */
import type { Scene } from './scene.ts';
import type { StorageAccess } from './stage.ts';

/** The stage's servers. Throws where there are none: the caller has looked. */
export const storageOf = ({ stage }: Scene): StorageAccess => {
  if (stage.storage === undefined) throw new Error('this stage has no storage servers');
  return stage.storage;
};

/** Runs a program on a server and says so; what it printed is the caller's to show. */
export const askServer = async (
  scene: Scene,
  server: string,
  ...argv: readonly string[]
): Promise<string> => {
  const text = await storageOf(scene).run(server, argv);
  scene.voice.say(`${server} $ ${argv.join(' ')}`);
  return text;
};

/** The lines of `gluster volume info` that say what the volume is made of, without its options. */
export const volumeLines = (info: string): readonly string[] =>
  info.split('\n').filter((line) => /^(Volume Name|Type|Status|Number of Bricks|Brick\d+): /.test(line));

export interface Waiting {
  /** Address and path. */
  readonly brick: string;
  /** Entries that wait for healing, by the list of this brick; undefined while it cannot be asked. */
  readonly entries: number | undefined;
}

/** `gluster volume heal VOLUME info summary`, brick by brick. */
export const waitingIn = (summary: string): readonly Waiting[] =>
  summary
    .split(/^Brick /m)
    .slice(1)
    .map((part) => {
      const count = /^Total Number of entries: (\d+)$/m.exec(part)?.[1];
      return {
        brick: part.split('\n', 1)[0] ?? '',
        entries: count === undefined ? undefined : Number(count),
      };
    });

/** The part of `tgtadm --op show --mode target` that is about one target; undefined when there is no such target. */
export const targetPart = (shown: string, iqn: string): string | undefined =>
  shown.split(/^(?=Target \d+: )/m).find((part) => part.split('\n', 1)[0]?.endsWith(`: ${iqn}`));

/** Of such a part: who is in, what the LUN is, which account and which names are let in. */
export const targetLines = (part: string): readonly string[] => {
  const lines = part.split('\n').filter((line) => line.trim() !== '');
  // LUN 0 is the controller that every target has.
  const lun = lines.findIndex((line) => /^ +LUN: 1$/.test(line));
  const rules = lines.findIndex((line) => /^ +Account information:/.test(line));
  const wanted = /Target \d|Initiator: |LUN: 1$|Size: |Backing store path: /;
  return lines.filter((line, at) =>
    /Size: |Backing store path: /.test(line) ? at > lun : wanted.test(line) || (rules >= 0 && at >= rules),
  );
};
