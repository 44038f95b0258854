/** A host in the words of its programs, as open-iscsi 2.1.8 prints them: one portal, one disk. For tests. */
import { DISK_LUN, diskTargetIqn, hostInitiatorIqn, unitSerial, unitWwn } from '../../../api/identity.ts';
import type { LoginWish } from '../host-logins.ts';
import { SESSIONS } from './sessions.ts';
import type { RunResult, RunSettings, Shell } from './shell.ts';

export const diskUid = 'aaaaaaaa-0000-4000-8000-000000000001';

export const sampleWish: LoginWish = {
  targetIqn: diskTargetIqn(diskUid),
  lun: DISK_LUN,
  portals: [{ address: '192.0.2.31', port: 3260 }],
  initiator: hostInitiatorIqn('cccccccc-0000-4000-8000-00000000000c'),
  wwn: unitWwn(diskUid),
  serial: unitSerial(diskUid),
  sizeBytes: 1024 ** 2,
  inUse: false,
  secret: { user: 'ovcp-san', password: 'a-secret-for-chap', version: 'v1' },
};

interface SessionText {
  readonly sid: number;
  readonly portal: string;
  readonly iface: string;
  readonly states: readonly [connection: string, session: string];
  readonly disk?: string | undefined;
}

/** One target's part of `iscsiadm -m session -P 3`. */
export const targetText = (targetIqn: string, sessions: readonly SessionText[]): string =>
  [
    `Target: ${targetIqn} (non-flash)`,
    ...sessions.flatMap(({ sid, portal, iface, states, disk }) => [
      `\tCurrent Portal: ${portal},1`,
      `\tPersistent Portal: ${portal},1`,
      '\t\t**********',
      '\t\tInterface:',
      '\t\t**********',
      `\t\tIface Name: ${iface}`,
      '\t\tIface Transport: tcp',
      `\t\tIface Initiatorname: ${sampleWish.initiator}`,
      `\t\tSID: ${sid}`,
      `\t\tiSCSI Connection State: ${states[0]}`,
      `\t\tiSCSI Session State: ${states[1]}`,
      '\t\tInternal iscsid Session State: NO CHANGE',
      '\t\t*****',
      '\t\tCHAP:',
      '\t\t*****',
      '\t\tusername: ovcp-san',
      '\t\tpassword: ********',
      '\t\t************************',
      '\t\tAttached SCSI devices:',
      '\t\t************************',
      '\t\tHost Number: 0\tState: running',
      ...(disk === undefined
        ? []
        : ['\t\tscsi0 Channel 00 Id 0 Lun: 1', `\t\t\tAttached scsi disk ${disk}\t\tState: running`]),
    ]),
    '',
  ].join('\n');

export interface Call {
  readonly argv: readonly string[];
  readonly stdin: string;
}

/** A host that lets itself be logged in to the sample's target, whose disk says this of itself. */
export const sampleHost = (shown: { readonly wwid: string; readonly serial: string }) => {
  const calls: Call[] = [];
  let loggedIn = false;
  let iface = false;
  const said = (stdout: string, code = 0): RunResult => ({ code, signal: undefined, stdout, stderr: '' });
  const nothing = (code: number): RunResult => said('', code);
  const answer = (argv: readonly string[]): RunResult => {
    const text = argv.join(' ');
    const session = { sid: 7, portal: '192.0.2.31:3260', iface: 'ovcp', disk: 'sdb' };
    if (text === SESSIONS.join(' '))
      return loggedIn
        ? said(targetText(sampleWish.targetIqn, [{ ...session, states: ['LOGGED IN', 'LOGGED_IN'] }]))
        : nothing(21);
    if (text.startsWith('iscsiadm -m iface')) {
      if (text.endsWith('-o new')) iface = true;
      if (text.endsWith('-o delete')) iface = false;
      return iface || text.endsWith('-o delete') ? said('') : nothing(6);
    }
    if (text.endsWith('--login')) loggedIn = true;
    if (text === 'iscsiadm -m session -r 7 -u') loggedIn = false;
    if (text === 'iscsiadm -m node') return nothing(21);
    if (argv[0] === 'readlink') return text.includes('/wwn-0x') ? said('/dev/sdb\n') : nothing(1);
    if (argv[0] === 'grep' && text.includes('/sys/class/block/'))
      return said(
        [
          `/sys/class/block/sdb/device/wwid:${shown.wwid}`,
          `/sys/class/block/sdb/device/vpd_pg80:\0\u0080\0 ${shown.serial}\0`,
          '/sys/class/block/sdb/size:2048',
        ].join('\n'),
      );
    return argv[0] === 'grep' ? nothing(2) : said('');
  };
  const shell: Shell = {
    host: 'node1',
    run: async (argv, { stdin = '' }: RunSettings) => {
      calls.push({ argv, stdin: Buffer.from(stdin).toString() });
      return answer(argv);
    },
    close: () => undefined,
  };
  return { shell, calls, state: () => ({ loggedIn, iface }) };
};
