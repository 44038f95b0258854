/** From sessions to nothing: the map, the sessions, the records, and our interface record with the last of them. */
import { checked, type Host } from './host.ts';
import { look, of } from './look.ts';
import { dropMap } from './multipath.ts';
import { IFACE, TARGET_MARK } from './records.ts';
import { NOTHING_FOUND, type Session } from './sessions.ts';
import type { RunResult } from './shell.ts';

const unlessGone =
  (host: string) =>
  (result: RunResult, what: string): void => {
    if (result.code !== NOTHING_FOUND) checked(host)(result, what);
  };

/** By its number: a session whose record is gone ends as well. */
export const logOutOf = async (
  { shell }: Host,
  { sid, targetIqn }: Session,
  signal: AbortSignal,
): Promise<void> => {
  const result = await shell.run(['iscsiadm', '-m', 'session', '-r', `${sid}`, '-u'], {}, signal);
  unlessGone(shell.host)(result, `log out of ${targetIqn}`);
};

/** Also of a name that iscsiadm noted and we did not get to write: by the name of the target. */
const dropRecords = async ({ shell }: Host, targetIqn: string, signal: AbortSignal): Promise<void> => {
  const argv = ['iscsiadm', '-m', 'node', '-T', targetIqn, '-I', IFACE, '-o', 'delete'];
  unlessGone(shell.host)(await shell.run(argv, {}, signal), `forget ${targetIqn}`);
};

/** With the last target of ours. */
const dropIface = async ({ shell }: Host, signal: AbortSignal): Promise<void> => {
  const nodes = await shell.run(['iscsiadm', '-m', 'node'], {}, signal);
  if (nodes.stdout.includes(` ${TARGET_MARK}`)) return;
  const shown = await shell.run(['iscsiadm', '-m', 'iface', '-I', IFACE], {}, signal);
  if (shown.code !== 0) return;
  const argv = ['iscsiadm', '-m', 'iface', '-I', IFACE, '-o', 'delete'];
  unlessGone(shell.host)(await shell.run(argv, {}, signal), 'forget its interface record');
};

export const logOut = async (
  host: Host,
  { targetIqn, wwn }: { readonly targetIqn: string; readonly wwn: string },
  signal: AbortSignal,
): Promise<void> => {
  const { sessions } = of(await look(host, signal), targetIqn);
  await dropMap(host, wwn, signal);
  await Promise.all(sessions.map((session) => logOutOf(host, session, signal)));
  await host.turns.run(
    'records',
    async () => {
      await dropRecords(host, targetIqn, signal);
      await dropIface(host, signal);
    },
    signal,
  );
};
