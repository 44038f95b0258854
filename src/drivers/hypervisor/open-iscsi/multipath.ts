/** Maps of several paths to one disk, which multipathd keeps. Only that of a WWN of ours is ever named. */
import { Fault } from '../../../runtime/fault.ts';
import type { LoginWish } from '../host-logins.ts';
import { deviceBehind } from './devices.ts';
import type { Host } from './host.ts';

/** What multipath-tools call a disk: the kind of its name (3: NAA) and the name. */
export const mapName = (wwn: string): string => `3${wwn}`;
export const mapUuid = (wwn: string): string => `mpath-${mapName(wwn)}`;
export const mapLink = (wwn: string): string => `/dev/disk/by-id/dm-uuid-${mapUuid(wwn)}`;

export const multipathRuns = async ({ shell }: Host, signal: AbortSignal): Promise<boolean> => {
  const { code, stdout } = await shell.run(['multipathd', 'show', 'daemon'], {}, signal);
  return code === 0 && stdout.includes('pid');
};

/** Throws Fault `unsupported` where several portals need it and it does not run. */
export const checkMultipath = async (
  host: Host,
  { portals }: LoginWish,
  signal: AbortSignal,
): Promise<void> => {
  if (portals.length < 2 || (await multipathRuns(host, signal))) return;
  const message = `multipathd does not run on ${host.shell.host}, and the storage has ${portals.length} portals.`;
  throw new Fault('unsupported', message, { reason: 'UnsupportedByHost', where: host.shell.host });
};

/** Hosts often make maps only of what they are told to (`find_multipaths`): this disk is one of them. */
export const noteMap = async ({ shell }: Host, wwn: string, signal: AbortSignal): Promise<void> => {
  await shell.run(['multipath', '-a', mapName(wwn)], {}, signal);
};

/** Whether the disk is part of a map. */
export const isJoined = async ({ shell }: Host, disk: string, signal: AbortSignal): Promise<boolean> => {
  const holders = ['ls', '-A', '--', `/sys/class/block/${disk}/holders`];
  return (await shell.run(holders, { plain: true }, signal)).stdout.includes('dm-');
};

/** A daemon that missed the paths is told of them. */
export const joinPaths = async (
  { shell }: Host,
  disks: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  await Promise.all(disks.map((disk) => shell.run(['multipathd', 'add', 'path', disk], {}, signal)));
};

export const resizeMap = async ({ shell }: Host, wwn: string, signal: AbortSignal): Promise<void> => {
  await shell.run(['multipathd', 'resize', 'map', mapName(wwn)], {}, signal);
};

/** Throws Fault `busy` while something has the map open: the kernel says so. */
export const dropMap = async (host: Host, wwn: string, signal: AbortSignal): Promise<void> => {
  const { shell } = host;
  const there = (): Promise<string | undefined> => deviceBehind(shell, mapLink(wwn), signal);
  if ((await there()) !== undefined) {
    // Without a path that is up, what waits in the map would keep it for ever.
    await shell.run(['multipathd', 'disablequeueing', 'map', mapName(wwn)], {}, signal);
    await shell.run(['multipath', '-f', mapName(wwn)], {}, signal);
    const gone = await host.poll(
      10_000,
      async () => ((await there()) === undefined ? true : undefined),
      signal,
    );
    if (gone === undefined) {
      const message = `The disk ${mapName(wwn)} is still open on ${shell.host}.`;
      throw new Fault('busy', message, { reason: 'DiskInUse', where: shell.host });
    }
  }
  await shell.run(['multipath', '-w', mapName(wwn)], {}, signal);
};
