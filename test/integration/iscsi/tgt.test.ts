/** Who gets in to the disks of a real tgtd, and what of the secrets can be seen. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foreignTarget } from '../../../hack/lab/iscsi-target.ts';
import { type RunResult, run, waitUntil } from '../../../hack/lab/process.ts';
import { diskTargetIqn, unitSerial, unitWwn } from '../../../src/drivers/storage/iscsi/names.ts';
import { hostA, hostB, settlePool } from '../../contract/disk-server-fixture.ts';
import { never } from '../../contract/fixture.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import { stayLoggedIn } from '../../contract/fixtures/tgt.ts';
import { beginLogin } from './login.ts';
import {
  canary,
  chap,
  confOf,
  drop,
  laterCanary,
  make,
  servedOf,
  startWorld,
  type World,
} from './tgt-world.ts';

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world?.stop());

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
    const pool = await world.prepared('access');
    const disk = await make(pool, hostA);
    const hidden = await make(pool, hostB);
    const url = `iscsi://${world.lab.address}:3260`;
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

  it('S1: a wrong secret, no secret and the name of another host are refused', async () => {
    const pool = await world.prepared('access');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const wrong = { user: chap.user, password: 'not-the-secret-at-all' };
    expect(await createInitiator(world.dir, hostA, chap).logsIn(served)).toBe(true);
    expect(await createInitiator(world.dir, hostA, wrong).logsIn(served)).toBe(false);
    expect(await createInitiator(world.dir, hostA, undefined).logsIn(served)).toBe(false);
    expect(await createInitiator(world.dir, hostB, chap).logsIn(served)).toBe(false);
    await drop(pool, disk);
    await pool.server.close();
  });

  it('after revoke no write of an open session lands', async () => {
    const pool = await world.prepared('access');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const sum = (): Promise<string> => world.text('sha256sum', world.backingOf('access', disk));
    const untouched = await sum();
    const writer = await createInitiator(world.dir, hostA, chap).keepWriting(served, 2000);
    await waitUntil('a write', async () => (await sum()) !== untouched, {
      limitMs: 20_000,
      stepMs: 20,
      alive: [writer],
    });
    await pool.disks.take(disk, { kind: 'revoke', initiator: { iqn: hostA } }, never);
    const then = await sum();
    // It has tried again before we look a second time: every connection that comes now is one of its attempts.
    const attempts = async (): Promise<number> => {
      const counters = await world.text('sh', '-c', 'grep ^Tcp: /proc/net/snmp');
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
    const pool = await world.prepared('open', { chap: undefined });
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

  it('a login that was half through comes to nothing while another host goes on', async () => {
    const pool = await world.prepared('open', { chap: undefined });
    const disk = await make(pool, hostA, hostB);
    const served = await servedOf(pool, disk);
    const other = createInitiator(world.dir, hostB, undefined);
    const session = await stayLoggedIn(world.lab, other, world.dir, served);
    const nexus = async (): Promise<string | undefined> => /I_T nexus: \d+/.exec(await world.lab.show())?.[0];
    const before = await nexus();
    expect(before).toBeDefined();
    const from = world.lab.network.addressOf(9);
    const place = [`${from}/32`, 'dev', world.lab.network.bridge];
    await run(['ip', 'address', 'add', ...place]);
    try {
      const slow = await beginLogin(served, hostA, { from });
      expect(slow.accepted).toBe(true);
      await pool.disks.take(disk, { kind: 'revoke', initiator: { iqn: hostA } }, never);
      expect(await slow.finish()).toBe(false);
      slow.close();
      expect(await pool.disks.see(disk, never)).toMatchObject({ published: [hostB], sessions: [hostB] });
      expect(await nexus()).toBe(before);
    } finally {
      await run(['ip', 'address', 'del', ...place]);
      await session.close();
    }
    await drop(pool, disk);
    await pool.server.close();
  });

  it('a host is cut off from a disk whose record and data cannot be read', async () => {
    const pool = await world.prepared('lost');
    const [disk, other] = [await make(pool, hostA), await make(pool, hostA)];
    const initiator = createInitiator(world.dir, hostA, chap);
    const served = await servedOf(pool, disk);
    const session = await stayLoggedIn(world.lab, initiator, world.dir, served);
    const folder = `${world.lab.lunFolder}/lost`;
    await world.lab.exec(['truncate', '-s', '0', confOf(disk)]);
    await world.lab.exec(['mv', folder, `${folder}-away`]);
    await pool.disks.revokeAll({ iqn: hostA }, never);
    const shown = await world.lab.show();
    expect(shown).not.toContain(hostA);
    await world.lab.exec(['mv', `${folder}-away`, folder]);
    expect(await initiator.logsIn(served)).toBe(false);
    await session.close();
    await settlePool(pool.server);
    for (const each of [disk, other])
      expect(await pool.disks.see(each, never)).toMatchObject({ published: [], sessions: [] });
    await drop(pool, disk, other);
    await pool.server.close();
  });

  it('what a host says of itself does not keep it from being cut off', async () => {
    const pool = await world.prepared('open', { chap: undefined });
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const alias = 'InitiatorAlias=x\n    LUN information:\nTarget 1: iqn.2001-04.com.example:other';
    const login = await beginLogin(served, hostA, { more: [alias] });
    expect(await login.finish()).toBe(true);
    expect(await world.lab.show()).toContain('com.example:other');
    expect(await world.rejection(pool.disks.see(disk, never))).toMatchObject({ reason: 'MalformedAnswer' });
    await pool.disks.revokeAll({ iqn: hostA }, never);
    login.close();
    expect(await pool.disks.see(disk, never)).toMatchObject({ published: [], sessions: [] });
    expect(await world.lab.show()).not.toContain('com.example:other');
    await settlePool(pool.server);
    await drop(pool, disk);
    await pool.server.close();
  });
});

describe('secrets', () => {
  it('S29: a new secret is taken without ending a session, and the old one is refused', async () => {
    const pool = await world.prepared('chap');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(world.dir, hostA, chap);
    const session = await stayLoggedIn(world.lab, initiator, world.dir, served);
    const nexus = async (): Promise<string | undefined> =>
      (await world.lab.show())
        .split(/^Target /m)
        .find((part) => part.includes(disk.diskUid))
        ?.match(/I_T nexus: \d+/)?.[0];
    const before = await nexus();
    expect(before).toBeDefined();
    const later = { user: chap.user, password: laterCanary };
    const turned = await world.prepared('chap', { chap: later });
    expect(await nexus()).toBe(before);
    await session.close();
    expect(await createInitiator(world.dir, hostA, later).logsIn(served)).toBe(true);
    expect(await createInitiator(world.dir, hostA, chap).logsIn(served)).toBe(false);
    expect(await world.text('cat', confOf(disk))).toContain(laterCanary);
    expect(await world.text('stat', '-c', '%a %U', confOf(disk))).toBe('600 root\n');
    const accounts = await world.text('tgtadm', '--mode', 'account', '--op', 'show');
    expect(
      accounts
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .toSorted(),
    ).toEqual(['Account list:', foreignTarget.user, chap.user].toSorted());
    // The new secret is the one of the file too.
    await world.lab.restartTgtd();
    await expect.poll(() => createInitiator(world.dir, hostA, later).logsIn(served)).toBe(true);
    const bare = await world.prepared('chap', { chap: undefined });
    expect(await createInitiator(world.dir, hostA, undefined).logsIn(served)).toBe(true);
    await drop(bare, disk);
    expect(await world.text('tgtadm', '--mode', 'account', '--op', 'show')).not.toContain(chap.user);
    for (const each of [pool, turned, bare]) await each.server.close();
  });

  it('S4, S11: the account of somebody else, the user of another pool and a secret for a shell are refused', async () => {
    const theirs = await world.prepared('theirs', { chap: { user: foreignTarget.user, password: canary } });
    const refused = await world.rejection(make(theirs));
    expect(refused).toMatchObject({ kind: 'denied', reason: 'NameTaken' });
    const pool = await world.prepared('chap');
    const disk = await make(pool);
    const other = await world.prepared('second', { chap: { user: chap.user, password: laterCanary } });
    expect(await world.rejection(make(other))).toMatchObject({ kind: 'invalid', reason: 'SecretInvalid' });
    const same = await world.prepared('third');
    await drop(same, await make(same));
    await drop(pool, disk);
    const bad = world.open('bad', { chap: { user: chap.user, password: 'with a blank, $(id)' } });
    expect(await world.healthOf(bad)).toMatchObject({ state: 'Unusable', reason: 'SecretInvalid' });
    for (const each of [theirs, pool, other, same, bad]) await each.server.close();
  });

  it('S27: no secret is in the arguments or the environment of any process, in a log or in what we say', async () => {
    const pool = await world.prepared('quiet');
    let [looks, agents] = [0, 0];
    const leaks: string[] = [];
    let working = true;
    const look = async (): Promise<void> => {
      while (working) {
        const all = await world.text(
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
        await world
          .prepared('quiet', { chap: { user: chap.user, password: laterCanary } })
          .then(({ server }) => server.close());
        await settlePool(pool.server);
        await drop(pool, disk);
      }
    } finally {
      working = false;
      await looking;
    }
    expect(looks).toBeGreaterThan(0);
    expect(leaks).toEqual([]);
    const logs = ['sshd', 'tgtd', 'init'].map((name) =>
      readFileSync(`${world.dir}/target/${name}.log`, 'utf8'),
    );
    for (const place of [...logs, ...world.said, await world.lab.show()]) {
      expect(place).not.toContain(canary);
      expect(place).not.toContain(laterCanary);
    }
    await pool.server.close();
  });
});
