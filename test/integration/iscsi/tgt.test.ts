/** tgt as a whole on a real tgtd: what its laws (test/contract) do not show. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foreignTarget, type IscsiTarget, startIscsiTarget } from '../../../hack/lab/iscsi-target.ts';
import { type RunResult, run, waitUntil } from '../../../hack/lab/process.ts';
import type {
  DiskIdentity,
  DiskServer,
  IscsiWish,
  PoolIdentity,
  ServedDisk,
  ServerEndpoint,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { backingName, diskTargetIqn, unitSerial, unitWwn } from '../../../src/drivers/storage/iscsi/names.ts';
import { createServerLinks } from '../../../src/drivers/storage/server-link.ts';
import { connectSsh, type SshSession } from '../../../src/wire/ssh/session.ts';
import { hostA, hostB, settlePool } from '../../contract/disk-server-fixture.ts';
import { freshUid, mib, never } from '../../contract/fixture.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import { endpointOf, stayLoggedIn, wishOf } from '../../contract/fixtures/tgt.ts';
import { beginLogin } from './login.ts';

const canary = 'canary-7f3a91c2e5d8';
const laterCanary = 'canary-later-0b64e1f9';
const chap = { user: 'ovcp', password: canary };
const size = 8 * mib;

let dir = '';
let lab: IscsiTarget;
const channels = { open: 0, most: 0 };
/** Everything that was thrown at us, for the search for secrets. */
const said: string[] = [];

/** As the operator dials, with a count of the channels in use. */
const counted = async ({ ssh }: ServerEndpoint, signal: AbortSignal): Promise<SshSession> => {
  const options = {
    host: ssh.host,
    port: ssh.port,
    user: ssh.user,
    hostKeys: ssh.credentials.sshKnownHosts ?? '',
    privateKey: ssh.credentials.sshPrivateKey ?? '',
  };
  const session = await connectSsh(options, signal);
  return {
    ...session,
    exec: async (argv, signal) => {
      channels.open += 1;
      channels.most = Math.max(channels.most, channels.open);
      const channel = await session.exec(argv, signal);
      channel.once('close', () => {
        channels.open -= 1;
      });
      return channel;
    },
  };
};

const driver = createIscsiDriver(createServerLinks(counted));

const identityOf = (poolName: string): PoolIdentity => ({
  clusterId: 'integration',
  poolUid: `00000000-0000-4000-8000-${Buffer.from(poolName).toString('hex').padStart(12, '0').slice(0, 12)}`,
  poolName,
});

type Pool = { server: StorageServer; disks: DiskServer };

const open = (folder: string, more: Partial<IscsiWish> = {}, endpoint = endpointOf(lab)): Pool => {
  const wish = wishOf(lab, folder, { chap, ...more });
  const server = driver.open({ identity: identityOf(folder), wish, endpoints: [endpoint] });
  if (server.disks === undefined) throw new Error('no disks');
  return { server, disks: server.disks };
};

const prepared = async (folder: string, more: Partial<IscsiWish> = {}): Promise<Pool> => {
  const pool = open(folder, more);
  await settlePool(pool.server);
  return pool;
};

const make = async ({ disks }: Pool, ...hosts: string[]): Promise<DiskIdentity> => {
  const disk = { diskUid: freshUid() };
  await disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
  for (const iqn of hosts) await disks.take(disk, { kind: 'publish', initiator: { iqn } }, never);
  return disk;
};

const drop = async ({ disks }: Pool, ...all: DiskIdentity[]): Promise<void> => {
  for (const disk of all) {
    for (const iqn of [hostA, hostB]) await disks.take(disk, { kind: 'revoke', initiator: { iqn } }, never);
    await disks.take(disk, { kind: 'delete' }, never);
  }
};

const servedOf = async ({ disks }: Pool, disk: DiskIdentity): Promise<ServedDisk> => {
  const sight = await disks.see(disk, never);
  if (sight.kind === 'absent') throw new Error('absent');
  return sight.served;
};

const rejection = async (promise: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toMatchObject({ name: 'Fault' });
  said.push(String(error), JSON.stringify(error), String((error as Error).stack));
  return error as Record<string, unknown>;
};

const healthOf = async ({ server }: Pool) => {
  const plan = server.plan(await server.see(never));
  said.push(JSON.stringify(plan));
  return { kind: plan.kind, ...plan.health };
};

const backingOf = (folder: string, { diskUid }: DiskIdentity): string =>
  `${lab.lunFolder}/${folder}/${backingName(diskUid)}.raw`;
const confOf = ({ diskUid }: DiskIdentity): string => `/etc/tgt/conf.d/${backingName(diskUid)}.conf`;
const text = async (...argv: string[]): Promise<string> => (await lab.exec(argv)).stdout;

beforeAll(async () => {
  dir = mkdtempSync('/tmp/ovcp-tgt-');
  lab = await startIscsiTarget({ dir });
});

afterAll(async () => {
  await lab.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('who gets in', () => {
  /** libiscsi's tools take the secret from the environment. */
  const iscsi = (tool: string, args: readonly string[], secret: string | undefined): Promise<RunResult> =>
    run([tool, ...args], {
      allowFailure: true,
      env: {
        ...process.env,
        ...(secret === undefined
          ? {}
          : { LIBISCSI_CHAP_USERNAME: chap.user, LIBISCSI_CHAP_PASSWORD: secret }),
      },
    });

  it('a host sees the disk that is published to it, with the serial and the WWN of its uid', async () => {
    const pool = await prepared('access');
    const disk = await make(pool, hostA);
    const hidden = await make(pool, hostB);
    const url = `iscsi://${lab.address}:3260`;
    const listed = await iscsi('iscsi-ls', ['-i', hostA, url], undefined);
    expect(listed.stdout).toContain(`Target:${diskTargetIqn(disk.diskUid)} `);
    expect(listed.stdout).not.toContain(hidden.diskUid);
    const unit = `${url}/${diskTargetIqn(disk.diskUid)}/1`;
    const inquiry = await iscsi('iscsi-inq', ['-i', hostA, unit], canary);
    expect(inquiry.stdout).toMatch(/Vendor:OVCP\s/);
    const serial = await iscsi('iscsi-inq', ['-i', hostA, '-e', '1', '-c', '128', unit], canary);
    expect(serial.stdout).toContain(unitSerial(disk.diskUid));
    const identification = await iscsi('iscsi-inq', ['-i', hostA, '-e', '1', '-c', '131', unit], canary);
    expect(identification.stdout.toLowerCase()).toContain(unitWwn(disk.diskUid));
    await drop(pool, disk, hidden);
    await pool.server.close();
  });

  it('a wrong secret, no secret and the name of another host are refused', async () => {
    const pool = await prepared('access');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const wrong = { user: chap.user, password: 'not-the-secret-at-all' };
    expect(await createInitiator(dir, hostA, chap).logsIn(served)).toBe(true);
    expect(await createInitiator(dir, hostA, wrong).logsIn(served)).toBe(false);
    expect(await createInitiator(dir, hostA, undefined).logsIn(served)).toBe(false);
    expect(await createInitiator(dir, hostB, chap).logsIn(served)).toBe(false);
    await drop(pool, disk);
    await pool.server.close();
  });

  it('after revoke no write of an open session lands', async () => {
    const pool = await prepared('access');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const sum = (): Promise<string> => text('sha256sum', backingOf('access', disk));
    const untouched = await sum();
    const writer = await createInitiator(dir, hostA, chap).keepWriting(served, 2000);
    await waitUntil('a write', async () => (await sum()) !== untouched, {
      limitMs: 20_000,
      stepMs: 20,
      alive: [writer],
    });
    await pool.disks.take(disk, { kind: 'revoke', initiator: { iqn: hostA } }, never);
    const then = await sum();
    // It has tried again before we look a second time: every connection that comes now is one of its attempts.
    const attempts = async (): Promise<number> => {
      const counters = await text('sh', '-c', 'grep ^Tcp: /proc/net/snmp');
      const [names = [], values = []] = counters.split('\n').map((line) => line.split(' '));
      return Number(values[names.indexOf('PassiveOpens')]);
    };
    const before = await attempts();
    await waitUntil('the writer to try again', async () => (await attempts()) > before, {
      limitMs: 60_000,
      stepMs: 50,
      alive: [writer],
    });
    expect(await pool.disks.see(disk, never)).toMatchObject({ sessions: [] });
    expect(await sum()).toBe(then);
    writer.kill('SIGKILL');
    await writer.exited;
    expect(await sum()).toBe(then);
    await drop(pool, disk);
    await pool.server.close();
  });

  it('a login that was half through when the host was revoked comes to nothing', async () => {
    const pool = await prepared('open', { chap: undefined });
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const quick = await beginLogin(served, hostA);
    expect(quick.accepted).toBe(true);
    expect(await quick.finish()).toBe(true);
    quick.close();
    const slow = await beginLogin(served, hostA);
    expect(slow.accepted).toBe(true);
    await pool.disks.take(disk, { kind: 'revoke', initiator: { iqn: hostA } }, never);
    expect(await slow.finish()).toBe(false);
    slow.close();
    expect(await pool.disks.see(disk, never)).toMatchObject({ published: [], sessions: [] });
    await drop(pool, disk);
    await pool.server.close();
  });
});

describe('secrets', () => {
  it('a new secret is taken without ending a session, and the old one is refused', async () => {
    const pool = await prepared('chap');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(dir, hostA, chap);
    const session = await stayLoggedIn(lab, initiator, dir, served.targetIqn, initiator.options(served));
    const nexus = async (): Promise<string | undefined> =>
      (await lab.show())
        .split(/^Target /m)
        .find((part) => part.includes(disk.diskUid))
        ?.match(/I_T nexus: \d+/)?.[0];
    const before = await nexus();
    expect(before).toBeDefined();
    const later = { user: chap.user, password: laterCanary };
    const turned = await prepared('chap', { chap: later });
    expect(await nexus()).toBe(before);
    await session.close();
    expect(await createInitiator(dir, hostA, later).logsIn(served)).toBe(true);
    expect(await createInitiator(dir, hostA, chap).logsIn(served)).toBe(false);
    expect(await text('cat', confOf(disk))).toContain(laterCanary);
    expect(await text('stat', '-c', '%a %U', confOf(disk))).toBe('600 root\n');
    const accounts = await text('tgtadm', '--mode', 'account', '--op', 'show');
    expect(
      accounts
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .toSorted(),
    ).toEqual(['Account list:', foreignTarget.user, chap.user].toSorted());
    // The new secret is the one of the file too.
    await lab.restartTgtd();
    expect(await createInitiator(dir, hostA, later).logsIn(served)).toBe(true);
    const bare = await prepared('chap', { chap: undefined });
    expect(await createInitiator(dir, hostA, undefined).logsIn(served)).toBe(true);
    await drop(bare, disk);
    expect(await text('tgtadm', '--mode', 'account', '--op', 'show')).not.toContain(chap.user);
    for (const each of [pool, turned, bare]) await each.server.close();
  });

  it('the account of somebody else and the user of another pool are refused', async () => {
    const theirs = await prepared('theirs', { chap: { user: foreignTarget.user, password: canary } });
    const refused = await rejection(make(theirs));
    expect(refused).toMatchObject({ kind: 'denied', reason: 'NameTaken' });
    const pool = await prepared('chap');
    const disk = await make(pool);
    const other = await prepared('second', { chap: { user: chap.user, password: laterCanary } });
    expect(await rejection(make(other))).toMatchObject({ kind: 'invalid', reason: 'SecretInvalid' });
    const same = await prepared('third');
    await drop(same, await make(same));
    await drop(pool, disk);
    const bad = open('bad', { chap: { user: chap.user, password: 'with a blank, $(id)' } });
    expect(await healthOf(bad)).toMatchObject({ state: 'Unusable', reason: 'SecretInvalid' });
    for (const each of [theirs, pool, other, same, bad]) await each.server.close();
  });

  it('no secret is in the arguments or the environment of any process, in a log or in what we say', async () => {
    const pool = await prepared('quiet');
    let [looks, agents] = [0, 0];
    const leaks: string[] = [];
    let working = true;
    const look = async (): Promise<void> => {
      while (working) {
        const all = await text(
          'sh',
          '-c',
          'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; tr "\\0" " " < $p/environ; echo; done 2>/dev/null',
        );
        looks += 1;
        if (all.includes('python3 -I -c')) agents += 1;
        if (all.includes(canary) || all.includes(laterCanary)) leaks.push(all);
      }
    };
    const looking = look();
    try {
      // Until what handles the secret was caught at work a few times.
      while (agents < 5) {
        const disk = await make(pool, hostA);
        await prepared('quiet', { chap: { user: chap.user, password: laterCanary } }).then(({ server }) =>
          server.close(),
        );
        await settlePool(pool.server);
        await drop(pool, disk);
      }
    } finally {
      working = false;
      await looking;
    }
    expect(looks).toBeGreaterThan(0);
    expect(leaks).toEqual([]);
    const logs = ['sshd', 'tgtd', 'init'].map((name) => readFileSync(`${dir}/target/${name}.log`, 'utf8'));
    for (const place of [...logs, ...said, await lab.show()]) {
      expect(place).not.toContain(canary);
      expect(place).not.toContain(laterCanary);
    }
    await pool.server.close();
  });
});

describe('trouble', () => {
  it('a configuration edited by hand is put right, and the machine keeps its session', async () => {
    const pool = await prepared('drift');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(dir, hostA, chap);
    const session = await stayLoggedIn(lab, initiator, dir, served.targetIqn, initiator.options(served));
    const wanted = await text('cat', confOf(disk));
    const edits = [
      ['sed', '-i', 's/^ *initiator-address.*$/    initiator-address ALL/', confOf(disk)],
      ['sed', '-i', '/^# ovcp/d', confOf(disk)],
      ['truncate', '-s', '0', confOf(disk)],
      ['rm', confOf(disk)],
      ['chmod', '644', confOf(disk)],
    ];
    for (const edit of edits) {
      await lab.exec(edit);
      await settlePool(pool.server);
      expect(await text('cat', confOf(disk)), edit.join(' ')).toBe(wanted);
      expect(await text('stat', '-c', '%a', confOf(disk))).toBe('600\n');
      expect(await pool.disks.see(disk, never)).toMatchObject({ published: [hostA], sessions: [hostA] });
    }
    await session.close();
    await drop(pool, disk);
    await pool.server.close();
  });

  it('an open disk goes on after a restart of tgtd', async () => {
    const pool = await prepared('drift');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(dir, hostA, chap);
    const session = await stayLoggedIn(lab, initiator, dir, served.targetIqn, initiator.options(served));
    await lab.restartTgtd();
    const back = async (): Promise<boolean> => {
      const sight = await pool.disks.see(disk, never);
      return sight.kind === 'present' && sight.sessions.includes(hostA);
    };
    await waitUntil('the session after the restart', back, { limitMs: 60_000, stepMs: 100 });
    await session.close();
    await drop(pool, disk);
    await pool.server.close();
  });

  it('says what to do when tgtd is down, and a restart without our files is mended', async () => {
    const pool = await prepared('drift');
    const disk = await make(pool, hostA);
    await lab.killTgtd();
    expect(await healthOf(pool)).toMatchObject({
      kind: 'wait',
      state: 'Unusable',
      reason: 'StorageNotReady',
      message:
        'On server target: tgtd does not answer. Install the package tgt and start its service there (systemctl enable --now tgt).',
    });
    const { components } = await pool.server.see(never);
    expect(components).toContainEqual(expect.objectContaining({ kind: 'portal', state: 'Down' }));
    expect(await rejection(pool.disks.see(disk, never))).toMatchObject({
      kind: 'unreachable',
      reason: 'StorageNotReady',
    });
    await lab.exec(['mv', '/etc/tgt/conf.d', '/etc/tgt/away']);
    await lab.startTgtd();
    await lab.exec(['mv', '/etc/tgt/away', '/etc/tgt/conf.d']);
    expect(await lab.show()).toBe('');
    await settlePool(pool.server);
    expect(await createInitiator(dir, hostA, chap).logsIn(await servedOf(pool, disk))).toBe(true);
    await drop(pool, disk);
    await lab.restartTgtd();
    await pool.server.close();
  });

  it('warns when a restart of tgtd would forget the disks', async () => {
    const pool = await prepared('drift');
    await lab.exec(['mv', '/etc/tgt/targets.conf', '/etc/tgt/targets.away']);
    expect(await healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Degraded' });
    await lab.exec(['mv', '/etc/tgt/targets.away', '/etc/tgt/targets.conf']);
    expect(await healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Healthy' });
    await pool.server.close();
  });

  it('refuses a folder that is not mounted, and one of another pool', async () => {
    const pool = await prepared('mine');
    const disk = await make(pool);
    const folder = `${lab.lunFolder}/mine`;
    await lab.exec(['mv', folder, `${folder}-away`]);
    expect(await healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'PathNotFound' });
    await lab.exec(['mkdir', folder]);
    expect(await healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'MarkerMissing' });
    expect(await rejection(make(pool))).toMatchObject({ kind: 'invalid', reason: 'MarkerMissing' });
    await lab.exec(['rmdir', folder]);
    await lab.exec(['mv', `${folder}-away`, folder]);
    expect(await healthOf(pool)).toMatchObject({ state: 'Healthy' });
    const wish = wishOf(lab, 'mine', { chap });
    const rival = driver.open({ identity: identityOf('rival'), wish, endpoints: [endpointOf(lab)] });
    const seen = rival.plan(await rival.see(never));
    expect(seen).toMatchObject({ kind: 'wait', health: { state: 'Unusable', reason: 'NameTaken' } });
    await drop(pool, disk);
    await pool.server.close();
    await rival.close();
  });

  it('a pool that goes takes its mark with it, and the folder when it made it', async () => {
    const pool = await prepared('leaving');
    const disk = await make(pool);
    const folder = `${lab.lunFolder}/leaving`;
    const removal = async (erase: boolean) => pool.server.planRemoval(await pool.server.see(never), erase);
    expect(await removal(true)).toMatchObject({ kind: 'settled' });
    expect(await text('ls', '-A', folder)).toContain(backingName(disk.diskUid));
    await drop(pool, disk);
    const plan = await removal(true);
    expect(plan.kind).toBe('step');
    if (plan.kind === 'step') await pool.server.take(plan.step, never);
    expect((await lab.exec(['ls', folder], { allowFailure: true })).code).not.toBe(0);
    expect(await removal(true)).toMatchObject({ kind: 'settled' });
    await pool.server.close();
  });

  it('says when the account may not use sudo, and when the host key is another one', async () => {
    const { ssh, ...rest } = endpointOf(lab);
    const stranger = `${lab.address} ssh-ed25519 ${Buffer.from('another key').toString('base64')}`;
    const credentials = { ...ssh.credentials, sshKnownHosts: stranger };
    const wrong = open('mine', {}, { ...rest, ssh: { ...ssh, credentials } });
    expect(await healthOf(wrong)).toMatchObject({ state: 'Unusable', reason: 'HostKeyMismatch' });
    await lab.exec(['cp', '/etc/sudoers', '/run/sudoers.kept']);
    await lab.exec(['sh', '-c', 'grep -v ^ovcp /run/sudoers.kept >/etc/sudoers']);
    const pool = open('mine');
    expect(await healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'SudoRefused' });
    await lab.exec(['cp', '/run/sudoers.kept', '/etc/sudoers']);
    expect(await healthOf(pool)).toMatchObject({ state: 'Healthy' });
    await pool.server.close();
    await wrong.server.close();
  });
});

describe('load', () => {
  it('makes 200 disks at once with at most eight channels, and sees them all in one call', async () => {
    const pool = await prepared('many');
    const all = Array.from({ length: 200 }, () => ({ diskUid: freshUid() }));
    channels.most = 0;
    await Promise.all(
      all.map((disk) => pool.disks.take(disk, { kind: 'createBlank', sizeBytes: mib }, never)),
    );
    expect(channels.most).toBeLessThanOrEqual(8);
    expect(await pool.disks.list(never)).toHaveLength(200);
    expect(await healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Healthy' });
    await Promise.all(all.map((disk) => pool.disks.take(disk, { kind: 'delete' }, never)));
    expect(await pool.disks.list(never)).toEqual([]);
    await pool.server.close();
  });
});
