import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { createHost } from './host.ts';
import { logIn } from './log-in.ts';
import { recordPath } from './records.ts';
import { sampleWish, targetText } from './sample.ts';
import { SESSIONS } from './sessions.ts';
import type { RunResult, Shell } from './shell.ts';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;
const portals = [
  { address: '192.0.2.31', port: 3260 },
  { address: '198.51.100.31', port: 3260 },
];
const wish = { ...sampleWish, portals, inUse: true };

interface Path {
  readonly sid: number;
  readonly up: boolean;
  readonly version: string;
}

/** A host with a session at each portal; one that logs in anew is up, with the record that was written for it. */
const hostWith = (...paths: readonly Path[]) => {
  const there = new Map(paths.map((path, at) => [portals[at]?.address ?? '', path]));
  const written = new Map(paths.map(({ version }, at) => [portals[at]?.address ?? '', version]));
  const did: string[] = [];
  let sid = 10;
  const said = (stdout: string, code = 0): RunResult => ({ code, signal: undefined, stdout, stderr: '' });
  const sessions = (): string =>
    targetText(
      wish.targetIqn,
      [...there].map(([address, { sid: number, up }]) => ({
        sid: number,
        portal: `${address}:3260`,
        iface: 'ovcp',
        states: up ? ['LOGGED IN', 'LOGGED_IN'] : ['TRANSPORT WAIT', 'FAILED'],
        disk: `sd${number}`.replaceAll(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? ''),
      })),
    );
  const records = (): string =>
    [...written]
      .map(([address, version]) => {
        const path = recordPath(wish.targetIqn, { address, port: 3260 });
        return `/etc/iscsi/nodes/${path}:# ovcp-login ${version}`;
      })
      .join('\n');
  const answer = (argv: readonly string[], stdin: string): RunResult => {
    const text = argv.join(' ');
    if (text === SESSIONS.join(' ')) return said(sessions());
    if (argv[0] === 'grep') return said(records());
    if (argv[0] === 'ls') return said('dm-0\n');
    if (text === 'iscsiadm -m iface -I ovcp') return said(`iface.initiatorname = ${wish.initiator}`);
    const gone = /-m session -r (\d+) -u$/.exec(text)?.[1];
    const address = /-p (\S+):3260,1 --login$/.exec(text)?.[1];
    if (gone !== undefined) {
      for (const [at, path] of there) if (`${path.sid}` === gone) there.delete(at);
      did.push(`out ${gone}`);
    }
    if (argv[0] === 'tar')
      for (const at of stdin.matchAll(/address = (\S+)/g)) written.set(at[1] ?? '', 'v1');
    if (address !== undefined) {
      there.set(address, { sid: (sid += 1), up: true, version: written.get(address) ?? '' });
      did.push(`in ${address}`);
    }
    return said('');
  };
  const shell: Shell = {
    host: 'node1',
    run: async (argv, { stdin = '' }) => answer(argv, Buffer.from(stdin).toString()),
    close: () => undefined,
  };
  return { host: createHost(shell, createTurns(), systemClock()), did };
};

describe('a new secret', () => {
  it.each([
    [
      'is taken path by path',
      [
        { sid: 1, up: true, version: 'v0' },
        { sid: 2, up: true, version: 'v0' },
      ],
      ['out 1', 'in 192.0.2.31', 'out 2', 'in 198.51.100.31'],
    ],
    [
      'is taken first where the path is down',
      [
        { sid: 1, up: true, version: 'v0' },
        { sid: 2, up: false, version: 'v0' },
      ],
      ['out 2', 'in 198.51.100.31', 'out 1', 'in 192.0.2.31'],
    ],
    [
      'is not taken by the only path of a machine',
      [
        { sid: 1, up: true, version: 'v0' },
        { sid: 2, up: false, version: 'v1' },
      ],
      [],
    ],
    [
      'is nothing to do where it was taken',
      [
        { sid: 1, up: true, version: 'v1' },
        { sid: 2, up: true, version: 'v1' },
      ],
      [],
    ],
  ])('%s', async (_what, paths, did) => {
    const it = hostWith(...paths);
    await logIn(it.host, wish, never);
    expect(it.did).toEqual(did);
  });
});
