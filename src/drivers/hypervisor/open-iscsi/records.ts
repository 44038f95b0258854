/**
 * What iscsiadm keeps of a target on the host: one file for each portal (usr/idbm.c, usr/idbm_fields.h). We write them
 * whole, over standard input: a secret as an argument of iscsiadm could be read by every user of the host.
 */
import type { LoginWish, Portal } from '../host-logins.ts';

/** Name of the interface record by which the host logs in under our initiator name; its own name stays as it is. */
export const IFACE = 'ovcp';

/** Targets of ours have one portal group. */
const GROUP = 1;

/** What names of targets of ours begin with. */
export const TARGET_MARK = 'iqn.2025-01.dev.ovcp:disk.';

/** Where distributions keep the records: Fedora and its relatives, which make it in advance; all others. */
export const FOLDERS = ['/var/lib/iscsi/nodes', '/etc/iscsi/nodes'] as const;

/** The folder of this host, by what `RECORDS` said of the one that not all have. */
export const folderOf = (stderr: string): string =>
  stderr.includes(`${FOLDERS[0]}: No such file`) ? FOLDERS[1] : FOLDERS[0];

/** Of a comment in the record, which iscsiadm does not look at. */
const VERSION_MARK = 'ovcp-login';

export const NO_SECRET = 'none';

/** Several paths: a dead one is told soon, so that the others take over. One path: its machine waits for it. */
const replacementSeconds = ({ portals }: LoginWish): number => (portals.length > 1 ? 10 : -1);

const authOf = ({ secret }: LoginWish): readonly string[] =>
  secret === undefined
    ? ['node.session.auth.authmethod = None']
    : [
        'node.session.auth.authmethod = CHAP',
        `node.session.auth.username = ${secret.user}`,
        `node.session.auth.password = ${secret.password}`,
        ...(secret.mutual === undefined
          ? []
          : [
              `node.session.auth.username_in = ${secret.mutual.user}`,
              `node.session.auth.password_in = ${secret.mutual.password}`,
            ]),
      ];

export const recordText = (wish: LoginWish, { address, port }: Portal): string =>
  [
    '# BEGIN RECORD',
    `# ${VERSION_MARK} ${wish.secret?.version ?? NO_SECRET}`,
    `node.name = ${wish.targetIqn}`,
    `node.tpgt = ${GROUP}`,
    // After a restart of the host nothing logs in by itself: the disk may be elsewhere by then.
    'node.startup = manual',
    'node.leading_login = No',
    `iface.iscsi_ifacename = ${IFACE}`,
    'iface.transport_name = tcp',
    `iface.initiatorname = ${wish.initiator}`,
    'node.discovery_type = static',
    ...authOf(wish),
    `node.session.timeo.replacement_timeout = ${replacementSeconds(wish)}`,
    'node.session.initial_login_retry_max = 1',
    'node.session.scan = auto',
    `node.conn[0].address = ${address}`,
    `node.conn[0].port = ${port}`,
    'node.conn[0].startup = manual',
    'node.conn[0].timeo.login_timeout = 10',
    'node.conn[0].timeo.noop_out_interval = 5',
    'node.conn[0].timeo.noop_out_timeout = 5',
    '# END RECORD',
    '',
  ].join('\n');

/** A portal as iscsiadm takes it. */
export const portalArgument = ({ address, port }: Portal): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port},${GROUP}`;

/** Path of the record in its folder. */
export const recordPath = (targetIqn: string, { address, port }: Portal): string =>
  `${targetIqn}/${address},${port},${GROUP}/${IFACE}`;

/** Lists all records of ours with their versions, and says which folder is missing. */
export const RECORDS = ['grep', '-rH', '-e', VERSION_MARK, '--', ...FOLDERS] as const;

export interface RecordSeen {
  readonly targetIqn: string;
  readonly portal: Portal;
  readonly version: string;
}

const LINE =
  /^\/.+\/nodes\/(?<target>iqn\.[^/]+)\/(?<address>[^/,]+),(?<port>\d+),\d+\/ovcp:# ovcp-login (?<version>\S+)$/;

/** Records of ours alone: by the name of the target, of the interface, and our comment. */
export const parseRecords = (text: string): readonly RecordSeen[] =>
  text.split('\n').flatMap((line): readonly RecordSeen[] => {
    const found = LINE.exec(line)?.groups;
    if (found?.['target']?.startsWith(TARGET_MARK) !== true) return [];
    const { target = '', address = '', port, version = '' } = found;
    return [{ targetIqn: target, portal: { address, port: Number(port) }, version }];
  });
