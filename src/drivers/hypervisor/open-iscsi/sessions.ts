/** Sessions of the host's initiator, as `iscsiadm -m session -P 3` prints them (open-iscsi, usr/session_info.c). */
import type { Portal } from '../host-logins.ts';
import type { RunResult, Shell } from './shell.ts';

export interface Session {
  readonly sid: number;
  readonly targetIqn: string;
  /** As it was logged in to, whatever address the target names. */
  readonly portal: Portal;
  /** Name of the interface record that it was made with. */
  readonly iface: string;
  readonly up: boolean;
  /** Kernel names of its disks by LUN. */
  readonly disks: ReadonlyMap<number, string>;
}

/** ISCSI_ERR_NO_OBJS_FOUND. */
export const NOTHING_FOUND = 21;

const TARGET = /^Target: (\S+)/;
const PORTAL = /^\s*Persistent Portal: (\S+),-?\d+\s*$/;
const ADDRESS = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<v4>[^:\s]+)):(?<port>\d+)$/;

export const portalIn = (text: string): Portal | undefined => {
  const found = ADDRESS.exec(text)?.groups;
  const address = found?.['v6'] ?? found?.['v4'];
  return address === undefined ? undefined : { address, port: Number(found?.['port']) };
};

const fieldOf = (block: string, name: string): string =>
  new RegExp(`^\\s*${name}: (.*)$`, 'm').exec(block)?.[1]?.trim() ?? '';

const disksOf = (block: string): ReadonlyMap<number, string> => {
  const units = block.split(/^\s*scsi\d+ Channel \d+ Id \d+ /m).slice(1);
  return new Map(
    units.flatMap((unit) => {
      const lun = /^Lun: (\d+)/.exec(unit)?.[1];
      const disk = /Attached scsi disk (\w+)/.exec(unit)?.[1];
      return lun === undefined || disk === undefined ? [] : [[Number(lun), disk] as const];
    }),
  );
};

const sessionOf = (targetIqn: string, portal: Portal, block: string): Session => ({
  sid: Number(fieldOf(block, 'SID')),
  targetIqn,
  portal,
  iface: fieldOf(block, 'Iface Name'),
  up:
    fieldOf(block, 'iSCSI Connection State') === 'LOGGED IN' &&
    fieldOf(block, 'iSCSI Session State') === 'LOGGED_IN',
  disks: disksOf(block),
});

/** One target's part: several portals, each with its sessions. */
const targetSessions = (part: string): readonly Session[] => {
  const targetIqn = TARGET.exec(part)?.[1];
  if (targetIqn === undefined) return [];
  const blocks = part.split(/^\s*Current Portal: .*$/m).slice(1);
  return blocks.flatMap((block) => {
    const text = block.split('\n').find((line) => PORTAL.test(line));
    const portal = portalIn(PORTAL.exec(text ?? '')?.[1] ?? '');
    // Two sessions with one portal share its heading.
    const sessions = block.split(/^\s*\*+\s*\n\s*Interface:\s*$/m).slice(1);
    return portal === undefined ? [] : sessions.map((session) => sessionOf(targetIqn, portal, session));
  });
};

export const parseSessions = (text: string): readonly Session[] =>
  text
    .split(/^(?=Target: )/m)
    .flatMap(targetSessions)
    .filter(({ sid }) => Number.isInteger(sid));

export const SESSIONS = ['iscsiadm', '-m', 'session', '-P', '3'] as const;

/** Throws Fault of the shell; what iscsiadm says itself is told by `check`. */
export const readSessions = async (
  shell: Shell,
  check: (result: RunResult, what: string) => void,
  signal: AbortSignal,
): Promise<readonly Session[]> => {
  const result = await shell.run(SESSIONS, {}, signal);
  if (result.code === NOTHING_FOUND) return [];
  check(result, 'list its iSCSI sessions');
  return parseSessions(result.stdout);
};
