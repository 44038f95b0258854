/** From nothing to a session at every portal that answers, with the secret that is wanted. */
import { Fault } from '../../../runtime/fault.ts';
import type { LoginWish, Portal } from '../host-logins.ts';
import { portalText } from '../host-logins.ts';
import { archiveOf } from './archive.ts';
import { checked, type Host } from './host.ts';
import { logOutOf } from './log-out.ts';
import { type Look, look, of, type Place, placesOf } from './look.ts';
import { isJoined, noteMap } from './multipath.ts';
import { IFACE, portalArgument, recordPath, recordText } from './records.ts';
import type { RunResult } from './shell.ts';

/** ISCSI_ERR_SESS_EXISTS. */
const SESSION_EXISTS = 15;
/** A portal that does not answer is given up on after that. */
const LOGIN_LIMIT_MS = 25_000;
const OUR_HOSTS = 'iqn.2025-01.dev.ovcp:host.';

const ifaceArgv = (...words: readonly string[]): readonly string[] => [
  ...['iscsiadm', '-m', 'iface', '-I', IFACE],
  ...words,
];

/** Our own initiator name is kept in an interface record: the name of the host itself stays as it is. */
const ensureIface = async ({ shell }: Host, { initiator }: LoginWish, signal: AbortSignal): Promise<void> => {
  const check = checked(shell.host);
  const shown = await shell.run(ifaceArgv(), {}, signal);
  const name = /^iface\.initiatorname = (\S+)$/m.exec(shown.stdout)?.[1];
  if (name === initiator) return;
  const isForeign =
    shown.code === 0 && name !== undefined && name !== '<empty>' && !name.startsWith(OUR_HOSTS);
  if (isForeign) {
    const message = `The host ${shell.host} has an iSCSI interface ${IFACE} of somebody else.`;
    throw new Fault('denied', message, { reason: 'NameTaken', where: shell.host });
  }
  if (shown.code !== 0) check(await shell.run(ifaceArgv('-o', 'new'), {}, signal), 'name its initiator');
  const rename = ['-o', 'update', '-n', 'iface.initiatorname', '-v', initiator];
  check(await shell.run(ifaceArgv(...rename), {}, signal), 'name its initiator');
};

const nodeArgv = (targetIqn: string, ...words: readonly string[]): readonly string[] => [
  ...['iscsiadm', '-m', 'node', '-T', targetIqn, '-I', IFACE],
  ...words,
];

/** Over standard input, into files that root alone may read. */
const writeRecords = async (
  host: Host,
  wish: LoginWish,
  portals: readonly Portal[],
  folder: string,
  signal: AbortSignal,
): Promise<void> => {
  const { shell } = host;
  const [parent = '', name = ''] = folder.split(/\/(?=[^/]+$)/);
  const files = portals.map((portal) => ({
    path: `${name}/${recordPath(wish.targetIqn, portal)}`,
    text: recordText(wish, portal),
  }));
  const result = await shell.run(['tar', '-x', '-C', parent, '-f', '-'], { stdin: archiveOf(files) }, signal);
  checked(shell.host)(result, `note ${wish.targetIqn}`);
};

const prepare = (
  host: Host,
  wish: LoginWish,
  portals: readonly Portal[],
  folder: string,
  signal: AbortSignal,
): Promise<void> =>
  host.turns.run(
    'records',
    async () => {
      await Promise.all([
        ensureIface(host, wish, signal),
        wish.portals.length > 1 ? noteMap(host, wish.wwn, signal) : undefined,
      ]);
      // A change of the interface record makes iscsiadm write the others anew.
      await writeRecords(host, wish, portals, folder, signal);
    },
    signal,
  );

/** What iscsiadm answers; whether a path is up is seen afterwards. */
const logInAt = async (
  { shell }: Host,
  { targetIqn }: LoginWish,
  portals: readonly Portal[] | 'all',
  signal: AbortSignal,
): Promise<readonly RunResult[]> => {
  const options = { timeoutMs: LOGIN_LIMIT_MS };
  // One call for all of them; beside sessions that are there it would complain.
  if (portals === 'all') return [await shell.run(nodeArgv(targetIqn, '--login'), options, signal)];
  return Promise.all(
    portals.map((portal) => {
      const argv = nodeArgv(targetIqn, '-p', portalArgument(portal), '--login');
      return shell.run(argv, options, signal);
    }),
  );
};

/** Throws when no path is up afterwards. */
const logInAtAll = async (
  host: Host,
  wish: LoginWish,
  seen: Look,
  portals: readonly Portal[],
  signal: AbortSignal,
): Promise<Look> => {
  if (portals.length === 0) return seen;
  await prepare(host, wish, portals, seen.folder, signal);
  const all = seen.sessions.length === 0 && portals.length === wish.portals.length;
  const results = await logInAt(host, wish, all ? 'all' : portals, signal);
  const after = of(await look(host, signal), wish.targetIqn);
  if (after.sessions.some(({ up }) => up)) return after;
  const failed = results.find(({ code }) => code !== 0 && code !== SESSION_EXISTS);
  if (failed !== undefined) checked(host.shell.host)(failed, `log in to ${wish.targetIqn}`);
  throw noPath(host, wish, wish.portals[0]);
};

const noPath = ({ shell: { host } }: Host, { targetIqn }: LoginWish, portal: Portal | undefined): Fault => {
  const where = portal === undefined ? 'any portal' : portalText(portal);
  const message = `The path of ${targetIqn} to ${where} is not up on ${host}.`;
  return new Fault('unreachable', message, { reason: 'LoginFailed', where: host });
};

/** Waits until the session carries its disk again, and multipathd uses it; throws when that does not happen. */
const untilUp = async (host: Host, wish: LoginWish, portal: Portal, signal: AbortSignal): Promise<void> => {
  const up = async (): Promise<true | undefined> => {
    const [place] = placesOf(of(await look(host, signal), wish.targetIqn), { ...wish, portals: [portal] });
    const disk = place?.session?.up === true ? place.session.disks.get(wish.lun) : undefined;
    if (disk === undefined) return undefined;
    return wish.portals.length === 1 || (await isJoined(host, disk, signal)) ? true : undefined;
  };
  if ((await host.poll(20_000, up, signal)) === undefined) throw noPath(host, wish, portal);
};

const isUp = ({ session }: Place): boolean => session?.up === true;

/**
 * Sessions of an older secret, those that are down first: they carry nothing, and do not come back with it. Nobody is
 * interrupted: of a disk in use one path at a time is taken, while another one is up; the only path of a disk in use
 * stays as it is until its machine stops.
 */
const renew = async (
  host: Host,
  wish: LoginWish,
  stale: readonly Place[],
  signal: AbortSignal,
): Promise<void> => {
  for (const { portal } of stale.toSorted((a, b) => Number(isUp(a)) - Number(isUp(b)))) {
    const seen = of(await look(host, signal), wish.targetIqn);
    const places = placesOf(seen, wish);
    const others = places.filter((place) => place.portal !== portal && isUp(place));
    const session = places.find((place) => place.portal === portal)?.session;
    if (wish.inUse && others.length === 0) continue;
    if (session !== undefined) await logOutOf(host, session, signal);
    await prepare(host, wish, [portal], seen.folder, signal);
    await logInAt(host, wish, [portal], signal);
    await untilUp(host, wish, portal, signal);
  }
};

/** Throws Fault `unreachable` (`LoginFailed`) when no portal lets the host in. */
export const logIn = async (host: Host, wish: LoginWish, signal: AbortSignal): Promise<Look> => {
  const before = of(await look(host, signal), wish.targetIqn);
  const places = placesOf(before, wish);
  const missing = places.filter(({ session }) => session === undefined).map(({ portal }) => portal);
  const seen = await logInAtAll(host, wish, before, missing, signal);
  const stale = places.filter(({ session, current }) => session !== undefined && !current);
  if (stale.length === 0) return seen;
  await renew(host, wish, stale, signal);
  return of(await look(host, signal), wish.targetIqn);
};
