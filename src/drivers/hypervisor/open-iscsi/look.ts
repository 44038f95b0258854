/** What the host's initiator has of ours: sessions and records. */
import type { LoginSeen, LoginWish, PathSeen, Portal } from '../host-logins.ts';
import { portalText } from '../host-logins.ts';
import { checked, type Host } from './host.ts';
import {
  folderOf,
  IFACE,
  NO_SECRET,
  parseRecords,
  RECORDS,
  type RecordSeen,
  TARGET_MARK,
} from './records.ts';
import { readSessions, type Session } from './sessions.ts';

export interface Look {
  /** Made with our interface record to targets of ours: nobody else's are here. */
  readonly sessions: readonly Session[];
  readonly records: readonly RecordSeen[];
  /** Where this host keeps them. */
  readonly folder: string;
}

const isOurs = ({ targetIqn, iface }: Session): boolean =>
  targetIqn.startsWith(TARGET_MARK) && iface === IFACE;

export const look = async ({ shell }: Host, signal: AbortSignal): Promise<Look> => {
  const [sessions, records] = await Promise.all([
    readSessions(shell, checked(shell.host), signal),
    shell.run(RECORDS, {}, signal),
  ]);
  return {
    sessions: sessions.filter(isOurs),
    records: parseRecords(records.stdout),
    folder: folderOf(records.stderr),
  };
};

export const samePortal = (a: Portal, b: Portal): boolean => portalText(a) === portalText(b);

export const of = ({ sessions, records, folder }: Look, targetIqn: string): Look => ({
  folder,
  sessions: sessions.filter((session) => session.targetIqn === targetIqn),
  records: records.filter((record) => record.targetIqn === targetIqn),
});

/** The version that a session logged in with is that of its record: both change together. */
const versionAt = ({ records }: Look, portal: Portal): string | undefined =>
  records.find((record) => samePortal(record.portal, portal))?.version;

export interface Place {
  readonly portal: Portal;
  readonly session: Session | undefined;
  /** The session was made with the secret that is wanted. */
  readonly current: boolean;
}

/** How things stand at each portal of the wish. */
export const placesOf = (seen: Look, wish: LoginWish): readonly Place[] => {
  const { sessions } = seen;
  return wish.portals.map((portal) => ({
    portal,
    session: sessions.find((session) => samePortal(session.portal, portal)),
    current: versionAt(seen, portal) === (wish.secret?.version ?? NO_SECRET),
  }));
};

export const loginsOf = (seen: Look): readonly LoginSeen[] => {
  const noted = [...seen.sessions, ...seen.records].map(({ targetIqn }) => targetIqn);
  const targets = [...new Set(noted)].toSorted();
  return targets.map((targetIqn) => {
    const own = of(seen, targetIqn);
    const paths = own.sessions.map(({ portal, up }): PathSeen => {
      const version = versionAt(own, portal);
      return {
        portal,
        state: up ? 'Up' : 'Down',
        ...(version === undefined || version === NO_SECRET ? {} : { version }),
      };
    });
    return { targetIqn, paths };
  });
};
