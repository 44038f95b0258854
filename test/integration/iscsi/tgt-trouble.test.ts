/** What a person does to a server, and what load does. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, waitUntil } from '../../../hack/lab/process.ts';
import { backingName } from '../../../src/drivers/storage/iscsi/names.ts';
import { hostA, settlePool } from '../../contract/disk-server-fixture.ts';
import { freshUid, mib, never } from '../../contract/fixture.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import { endpointOf, stayLoggedIn } from '../../contract/fixtures/tgt.ts';
import { chap, confOf, drop, make, servedOf, startWorld, type World } from './tgt-world.ts';

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(() => world?.stop());

describe('trouble', () => {
  it('a configuration edited by hand is put right, and the machine keeps its session', async () => {
    const pool = await world.prepared('drift');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(world.dir, hostA, chap);
    const session = await stayLoggedIn(world.lab, initiator, world.dir, served);
    const wanted = await world.text('cat', confOf(disk));
    const edits = [
      ['sed', '-i', 's/^ *initiator-address.*$/    initiator-address ALL/', confOf(disk)],
      ['sed', '-i', '/^# ovcp/d', confOf(disk)],
      ['truncate', '-s', '0', confOf(disk)],
      ['rm', confOf(disk)],
      ['chmod', '644', confOf(disk)],
    ];
    for (const edit of edits) {
      await world.lab.exec(edit);
      await settlePool(pool.server);
      expect(await world.text('cat', confOf(disk)), edit.join(' ')).toBe(wanted);
      expect(await world.text('stat', '-c', '%a', confOf(disk))).toBe('600\n');
      expect(await pool.disks.see(disk, never)).toMatchObject({ published: [hostA], sessions: [hostA] });
    }
    await session.close();
    await drop(pool, disk);
    await pool.server.close();
  });

  it('an open disk goes on after a restart of tgtd', async () => {
    const pool = await world.prepared('drift');
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const initiator = createInitiator(world.dir, hostA, chap);
    const session = await stayLoggedIn(world.lab, initiator, world.dir, served);
    await world.lab.restartTgtd();
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
    const pool = await world.prepared('drift');
    const disk = await make(pool, hostA);
    await world.lab.killTgtd();
    expect(await world.healthOf(pool)).toMatchObject({
      kind: 'wait',
      state: 'Unusable',
      reason: 'StorageNotReady',
      message:
        'On server target: tgtd does not answer. Install the package tgt and start its service there (systemctl enable --now tgt).',
    });
    const { components } = await pool.server.see(never);
    expect(components).toContainEqual(expect.objectContaining({ kind: 'portal', state: 'Down' }));
    expect(await world.rejection(pool.disks.see(disk, never))).toMatchObject({
      kind: 'unreachable',
      reason: 'StorageNotReady',
    });
    await world.lab.exec(['mv', '/etc/tgt/conf.d', '/etc/tgt/away']);
    await world.lab.startTgtd();
    await world.lab.exec(['mv', '/etc/tgt/away', '/etc/tgt/conf.d']);
    expect(await world.lab.show()).toBe('');
    await settlePool(pool.server);
    expect(await createInitiator(world.dir, hostA, chap).logsIn(await servedOf(pool, disk))).toBe(true);
    await drop(pool, disk);
    await world.lab.restartTgtd();
    await pool.server.close();
  });

  it('warns when a restart of tgtd would forget the disks', async () => {
    const pool = await world.prepared('drift');
    await world.lab.exec(['mv', '/etc/tgt/targets.conf', '/etc/tgt/targets.away']);
    expect(await world.healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Degraded' });
    await world.lab.exec(['mv', '/etc/tgt/targets.away', '/etc/tgt/targets.conf']);
    expect(await world.healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Healthy' });
    await pool.server.close();
  });

  it('refuses a folder that is not mounted, and one of another pool', async () => {
    const pool = await world.prepared('mine');
    const disk = await make(pool);
    const folder = `${world.lab.lunFolder}/mine`;
    await world.lab.exec(['mv', folder, `${folder}-away`]);
    expect(await world.healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'PathNotFound' });
    await world.lab.exec(['mkdir', folder]);
    expect(await world.healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'MarkerMissing' });
    expect(await world.rejection(make(pool))).toMatchObject({ kind: 'invalid', reason: 'MarkerMissing' });
    await world.lab.exec(['rmdir', folder]);
    await world.lab.exec(['mv', `${folder}-away`, folder]);
    expect(await world.healthOf(pool)).toMatchObject({ state: 'Healthy' });
    const rival = world.open('mine', {}, { poolName: 'rival' });
    expect(await world.healthOf(rival)).toMatchObject({
      kind: 'wait',
      state: 'Unusable',
      reason: 'NameTaken',
    });
    await drop(pool, disk);
    await pool.server.close();
    await rival.server.close();
  });

  it('a pool that goes takes its mark with it, and the folder when it made it', async () => {
    const pool = await world.prepared('leaving');
    const disk = await make(pool);
    const folder = `${world.lab.lunFolder}/leaving`;
    const removal = async (erase: boolean) => pool.server.planRemoval(await pool.server.see(never), erase);
    expect(await removal(true)).toMatchObject({ kind: 'settled' });
    expect(await world.text('ls', '-A', folder)).toContain(backingName(disk.diskUid));
    await drop(pool, disk);
    const plan = await removal(true);
    expect(plan.kind).toBe('step');
    if (plan.kind === 'step') await pool.server.take(plan.step, never);
    expect((await world.lab.exec(['ls', folder], { allowFailure: true })).code).not.toBe(0);
    expect(await removal(true)).toMatchObject({ kind: 'settled' });
    await pool.server.close();
  });

  it('S22: says when the account may not use sudo, and when the host key is another one', async () => {
    const { ssh, ...rest } = endpointOf(world.lab);
    const stranger = `${world.lab.address} ssh-ed25519 ${Buffer.from('another key').toString('base64')}`;
    const credentials = { ...ssh.credentials, sshKnownHosts: stranger };
    const wrong = world.open('mine', {}, { endpoint: { ...rest, ssh: { ...ssh, credentials } } });
    expect(await world.healthOf(wrong)).toMatchObject({ state: 'Unusable', reason: 'HostKeyMismatch' });
    await world.lab.exec(['cp', '/etc/sudoers', '/run/sudoers.kept']);
    await world.lab.exec(['sh', '-c', 'grep -v ^ovcp /run/sudoers.kept >/etc/sudoers']);
    const pool = world.open('mine');
    expect(await world.healthOf(pool)).toMatchObject({ state: 'Unusable', reason: 'SudoRefused' });
    await world.lab.exec(['cp', '/run/sudoers.kept', '/etc/sudoers']);
    expect(await world.healthOf(pool)).toMatchObject({ state: 'Healthy' });
    await pool.server.close();
    await wrong.server.close();
  });
});

describe('S29: a new SSH key', () => {
  it('is used while machines go on, and the old one is refused', async () => {
    const pool = await world.prepared('keys');
    const disk = await make(pool, hostA);
    const initiator = createInitiator(world.dir, hostA, chap);
    const served = await servedOf(pool, disk);
    const session = await stayLoggedIn(world.lab, initiator, world.dir, served);
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${world.dir}/newer`]);
    const keys = '/etc/ssh/authorized_keys';
    const old = await world.text('cat', keys);
    const admit = (text: string) => world.lab.exec(['sh', '-c', `cat >${keys}`], { stdin: text });
    const { ssh, ...rest } = endpointOf(world.lab);
    const newer = { ...ssh.credentials, sshPrivateKey: readFileSync(`${world.dir}/newer`, 'utf8') };
    const open = (credentials: typeof newer, user = ssh.user) =>
      world.open('keys', {}, { endpoint: { ...rest, ssh: { ...ssh, user, credentials } } });
    await admit(readFileSync(`${world.dir}/newer.pub`, 'utf8'));
    try {
      const turned = open(newer);
      expect(await world.healthOf(turned)).toMatchObject({ state: 'Healthy' });
      expect(await turned.disks.see(disk, never)).toMatchObject({ sessions: [hostA] });
      // A connection that is not there yet: that of another account.
      const late = open({ ...ssh.credentials, sshPrivateKey: ssh.credentials.sshPrivateKey ?? '' }, 'root');
      expect(await world.healthOf(late)).toMatchObject({ state: 'Unusable', reason: 'CredentialsRefused' });
      for (const each of [turned, late]) await each.server.close();
    } finally {
      await admit(old);
    }
    await session.close();
    await drop(pool, disk);
    await pool.server.close();
  });
});

describe('load', () => {
  it('makes 200 disks at once with at most eight channels, and sees them all in one call', async () => {
    const pool = await world.prepared('many');
    const all = Array.from({ length: 200 }, () => ({ diskUid: freshUid() }));
    world.channels.most = 0;
    await Promise.all(
      all.map((disk) => pool.disks.take(disk, { kind: 'createBlank', sizeBytes: mib }, never)),
    );
    expect(world.channels.most).toBeLessThanOrEqual(8);
    expect(await pool.disks.list(never)).toHaveLength(200);
    expect(await world.healthOf(pool)).toMatchObject({ kind: 'settled', state: 'Healthy' });
    await Promise.all(all.map((disk) => pool.disks.take(disk, { kind: 'delete' }, never)));
    expect(await pool.disks.list(never)).toEqual([]);
    await pool.server.close();
  });
});
