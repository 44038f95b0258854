import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { archiveOf } from './archive.ts';
import { createOpenIscsi } from './logins.ts';
import { folderOf, parseRecords, recordText } from './records.ts';
import { sampleHost, sampleWish, targetText } from './sample.ts';
import { parseSessions } from './sessions.ts';

const never = new AbortController().signal;
const { targetIqn, wwn, serial } = sampleWish;

describe('sessions of the host', () => {
  it('are told apart by target, portal and interface, up or not, with their disks', () => {
    const up = ['LOGGED IN', 'LOGGED_IN'] as const;
    const text = [
      'iSCSI Transport Class version 2.0-870\nversion 2.1.8\n',
      targetText(targetIqn, [
        { sid: 5, portal: '198.51.100.24:3260', iface: 'ovcp', states: up, disk: 'sdb' },
        { sid: 6, portal: '[2001:db8::25]:3260', iface: 'ovcp', states: ['TRANSPORT WAIT', 'FAILED'] },
      ]),
      targetText('iqn.2003-01.org.example:foreign', [
        { sid: 1, portal: '198.51.100.24:3260', iface: 'default', states: up, disk: 'sda' },
      ]),
    ].join('');
    expect(parseSessions(text)).toEqual([
      {
        sid: 5,
        targetIqn,
        portal: { address: '198.51.100.24', port: 3260 },
        iface: 'ovcp',
        up: true,
        disks: new Map([[1, 'sdb']]),
      },
      {
        sid: 6,
        targetIqn,
        portal: { address: '2001:db8::25', port: 3260 },
        iface: 'ovcp',
        up: false,
        disks: new Map(),
      },
      {
        sid: 1,
        targetIqn: 'iqn.2003-01.org.example:foreign',
        portal: { address: '198.51.100.24', port: 3260 },
        iface: 'default',
        up: true,
        disks: new Map([[1, 'sda']]),
      },
    ]);
  });

  it('are none in a text of something else', () => {
    expect(parseSessions('iscsiadm: No active sessions.\n')).toEqual([]);
  });
});

describe('records of the host', () => {
  it('are ours by target, interface and comment', () => {
    const line = (target: string, file: string): string =>
      `/etc/iscsi/nodes/${target}/192.0.2.31,3260,1/${file}:# ovcp-login v1`;
    const text = [
      line(targetIqn, 'ovcp'),
      line(targetIqn, 'default'),
      line('iqn.2003-01.org.example:x', 'ovcp'),
    ].join('\n');
    const portal = { address: '192.0.2.31', port: 3260 };
    expect(parseRecords(text)).toEqual([{ targetIqn, portal, version: 'v1' }]);
  });

  it('lie where the distribution keeps them', () => {
    expect(folderOf('grep: /var/lib/iscsi/nodes: No such file or directory')).toBe('/etc/iscsi/nodes');
    expect(folderOf('grep: /etc/iscsi/nodes: No such file or directory')).toBe('/var/lib/iscsi/nodes');
  });

  it('never log in by themselves, and wait for the only path', () => {
    const portal = { address: '192.0.2.32', port: 3260 };
    const [one, two] = [
      recordText(sampleWish, portal),
      recordText({ ...sampleWish, portals: [...sampleWish.portals, portal] }, portal),
    ];
    expect(one).toContain('node.startup = manual\n');
    expect(one).toContain('node.session.timeo.replacement_timeout = -1\n');
    expect(two).toContain('node.session.timeo.replacement_timeout = 10\n');
  });

  it('ask the target for its proof where the secret has one', () => {
    const portal = { address: '192.0.2.31', port: 3260 };
    const { secret } = sampleWish;
    if (secret === undefined) throw new Error('the sample has a secret');
    const mutual = { user: 'san', password: 'the-target-itself' };
    const text = recordText({ ...sampleWish, secret: { ...secret, mutual } }, portal);
    expect(text).toContain('node.session.auth.username_in = san\n');
    expect(text).toContain('node.session.auth.password_in = the-target-itself\n');
    expect(recordText(sampleWish, portal)).not.toContain('_in = ');
  });

  it('are packed as tar reads them', () => {
    const path = `nodes/${targetIqn}/[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff],3260,1/ovcp`;
    const bytes = archiveOf([{ path, text: 'x'.repeat(513) }]);
    expect(bytes.length).toBe(512 + 1024 + 1024);
    const field = (at: number, length: number): string =>
      bytes.toString('latin1', at, at + length).replace(/\0[^]*$/, '');
    expect(`${field(345, 155)}/${field(0, 100)}`).toBe(path);
    expect([field(100, 8), field(124, 12), field(257, 6)]).toEqual(['0000600', '00000001001', 'ustar']);
    const blank = Buffer.from(bytes.subarray(0, 512)).fill(' ', 148, 156);
    const sum = blank.reduce((total, byte) => total + byte, 0);
    expect(Number.parseInt(field(148, 8), 8)).toBe(sum);
  });
});

describe('logins of the host', () => {
  const login = (shown: { readonly wwid: string; readonly serial: string }) => {
    const host = sampleHost(shown);
    return { ...host, logins: createOpenIscsi(host.shell, systemClock()) };
  };

  it('are made and taken back without a secret in any argument', async () => {
    const { logins, calls, state } = login({ wwid: `naa.${wwn}`, serial });
    await logins.connect(sampleWish, never);
    expect(state()).toEqual({ loggedIn: true, iface: true });
    const secret = sampleWish.secret?.password ?? '';
    expect(calls.filter(({ argv }) => argv.some((word) => word.includes(secret)))).toEqual([]);
    const carriers = calls.filter(({ stdin }) => stdin.includes(secret));
    expect(carriers.map(({ argv }) => argv.join(' '))).toEqual(['tar -x -C /var/lib/iscsi -f -']);
    await logins.disconnect(sampleWish, never);
    expect(state()).toEqual({ loggedIn: false, iface: false });
  });

  it.each([
    ['another name', { wwid: 'naa.60014050000000000000000000000000', serial }],
    ['another serial', { wwid: `naa.${wwn}`, serial: 'bbbbbbbb000040008000000000000002' }],
    ['no name at all', { wwid: '', serial: '' }],
  ])('are given up when the device has %s', async (_what, shown) => {
    const { logins, state } = login(shown);
    const refused = { name: 'Fault', kind: 'denied', reason: 'DeviceMismatch' };
    await expect(logins.connect(sampleWish, never)).rejects.toMatchObject(refused);
    expect(state()).toEqual({ loggedIn: false, iface: false });
  });
});
