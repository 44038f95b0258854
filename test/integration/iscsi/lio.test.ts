/** LIO as a whole on a real, emulated kernel: what its laws (test/contract) do not show. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run, waitUntil } from '../../../hack/lab/process.ts';
import { hostA, hostB, settlePool } from '../../contract/disk-server-fixture.ts';
import { freshUid, never } from '../../contract/fixture.ts';
import { createInitiator } from '../../contract/fixtures/iscsi-initiator.ts';
import {
  chap,
  closedTarget,
  digestOf,
  end,
  foreignThings,
  granted,
  type LioLab,
  startLioLab,
  stayLoggedIn,
  wwidOnHost,
} from '../../contract/fixtures/lio-guest.ts';
import { createLioPools, identity, size } from './lio-pools.ts';

/** Everything here waits for an emulated machine, which may share two cores with others. */
const patient = { timeout: 900_000 };
let lab: LioLab;
let foreign = '';
const pools = createLioPools(() => lab);
const { open, make, revoke, drop, servedOf } = pools;
beforeAll(async () => {
  lab = await startLioLab();
  pools.keepConnection();
  foreign = await foreignThings(lab);
}, 900_000);
afterEach(pools.dropLeft, 300_000);
afterAll(async () => {
  pools.close();
  await lab?.stop();
});

const as = (iqn: string, secret = chap) => createInitiator(lab.dir, iqn, secret);
const url = (path: string): string => `iscsi://${chap.user}%${chap.password}@${lab.guest.address}/${path}`;
describe('a disk on LIO', patient, () => {
  it('S15: is what its own tools and a foreign initiator see, with the names that were told', async () => {
    const pool = open({}, identity.poolUid, lab.guest.unprivilegedUser);
    await settlePool(pool.server);
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    expect(await granted(lab)).toEqual({ [served.targetIqn]: closedTarget(lab, hostA) });
    const mode = await lab.text('stat', '-c', '%a', '/etc/rtslib-fb-target/saveconfig.json');
    expect(mode.trim()).toBe('600');

    // iscsi-ls ends with 10 on the first unit attention of a LUN; what it prints is what counts.
    const { stdout } = await run(['iscsi-ls', '-s', '-i', hostA, url('')], { allowFailure: true });
    expect([...stdout.matchAll(/^Target:\S+ Portal:\S+/gm)].map(([line]) => line).toSorted()).toEqual(
      lab.guest.addresses.map((address) => `Target:${served.targetIqn} Portal:${address}:3260,1`),
    );
    const strange = await run(['iscsi-ls', '-i', hostB, url('')], { allowFailure: true });
    expect(strange.stdout).not.toContain('Target:');

    const inquiry = ['iscsi-inq', '-i', hostA, '-e', '1', '-c'];
    const serial = await run([...inquiry, '128', url(`${served.targetIqn}/${served.lun}`)]);
    expect(serial.stdout).toContain(served.serial);
    expect(await wwidOnHost(lab, hostA, served)).toBe(`naa.${served.wwn}`);

    expect(await as(hostA, { ...chap, password: 'another-secret' }).logsIn(served)).toBe(false);
    expect(await as(hostB).logsIn(served)).toBe(false);
    for (const portal of served.portals)
      expect(await as(hostA).logsIn({ ...served, portals: [portal] })).toBe(true);
    await drop(pool, disk);
    expect(await granted(lab)).toEqual({});
    await pool.server.close();
  });

  it('grows while a host has it, and the next command of the host sees it', async () => {
    const pool = open();
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const session = await stayLoggedIn(lab, hostA, served);
    await pool.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
    expect((await pool.disks.see(disk, never)) as object).toMatchObject({
      sizeBytes: 2 * size,
      sessions: [hostA],
    });
    const { stdout } = await as(hostA).io(served, 'length');
    expect(stdout).toContain('16 MiB');
    await end(session);
    await drop(pool, disk);
    await pool.server.close();
  });

  it('takes no write after revoke has returned, and others go on', async () => {
    const pool = open();
    const [disk, other] = [await make(pool, hostA), await make(pool, hostA, hostB)];
    const [served, shared] = [await servedOf(pool, disk), await servedOf(pool, other)];
    const blank = await digestOf(lab, disk);
    const bystander = await stayLoggedIn(lab, hostB, shared);
    const writer = await as(hostA).keepWriting(served, size / 4096);
    await waitUntil('a write', async () => (await digestOf(lab, disk)) !== blank, {
      limitMs: 120_000,
      alive: [writer],
    });
    await pool.disks.revokeAll({ iqn: hostA }, never);
    const after = await digestOf(lab, disk);
    for (const one of [disk, other])
      expect(await pool.disks.see(one, never)).not.toMatchObject({ published: [hostA] });
    expect(await pool.disks.see(other, never)).toMatchObject({ published: [hostB], sessions: [hostB] });
    expect(await as(hostA).logsIn(served)).toBe(false);
    // It tries again by itself, and is refused.
    const refusals = `/sys/kernel/config/target/iscsi/${served.targetIqn}/fabric_statistics/iscsi_login_stats/authorize_fails`;
    const before = Number(await lab.text('cat', refusals));
    const triedAgain = async (): Promise<boolean> =>
      !writer.running() || Number(await lab.text('cat', refusals)) > before;
    await waitUntil('the writer tries again', triedAgain, { limitMs: 300_000, stepMs: 200 });
    expect(await digestOf(lab, disk)).toBe(after);
    for (const daemon of [bystander, writer]) await end(daemon);
    await drop(pool, disk);
    await drop(pool, other);
    await pool.server.close();
  });

  it('is read as a host last wrote it, however often it was read before', async () => {
    const pool = open();
    const disk = await make(pool);
    const firstByte = async (): Promise<number | undefined> => {
      for await (const chunk of pool.disks.read(disk, never))
        return chunk instanceof Uint8Array ? chunk[0] : 0;
      return undefined;
    };
    expect(await firstByte()).toBe(0);
    await pool.disks.take(disk, { kind: 'publish', initiator: { iqn: hostA } }, never);
    const { code } = await as(hostA).io(await servedOf(pool, disk), 'write -P 77 0 1M');
    expect(code).toBe(0);
    await revoke(pool, disk, hostA);
    expect(await firstByte()).toBe(77);
    await drop(pool, disk);
    await pool.server.close();
  });

  it.each([
    ['LVM', () => ({ type: 'LVM', volumeGroup: lab.guest.volumeGroup }) as const],
    ['Files', () => ({ type: 'Files', path: '/srv/disks' }) as const],
  ])('of %s lives from blank to deleted, and shows nothing of who was there before', async (_, backing) => {
    const pool = open({ backing: backing() }, freshUid());
    await settlePool(pool.server);
    for (const before of ['nobody', 'somebody']) {
      const disk = await make(pool, hostA);
      const served = await servedOf(pool, disk);
      expect(await as(hostA).holds(served, 0, 0, size), before).toBe(true);
      expect((await as(hostA).io(served, `write -P 66 0 ${size}`)).code).toBe(0);
      const grown = pool.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
      await expect(grown, 'while a host has it').rejects.toMatchObject({ kind: 'conflict' });
      await revoke(pool, disk, hostA);
      await pool.disks.take(disk, { kind: 'grow', sizeBytes: 2 * size }, never);
      await pool.disks.take(disk, { kind: 'publish', initiator: { iqn: hostA } }, never);
      expect(await as(hostA).holds(served, 66, 0, size)).toBe(true);
      expect(await as(hostA).holds(served, 0, size, size)).toBe(true);
      await drop(pool, disk);
    }
    expect(await pool.disks.list(never)).toEqual([]);
    await pool.server.close();
  });
});

describe('LIO as a server', patient, () => {
  it('S29: has a new CHAP secret for every disk after one step of the pool, and no session is lost', async () => {
    const pool = open();
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const session = await stayLoggedIn(lab, hostA, served);
    const newer = { user: chap.user, password: 'a-newer-chap-secret' };
    const turned = open({ chap: newer });
    await settlePool(turned.server);
    expect(await turned.disks.see(disk, never)).toMatchObject({ published: [hostA], sessions: [hostA] });
    expect(session.running()).toBe(true);
    expect(await as(hostA).logsIn(served)).toBe(false);
    expect(await as(hostA, newer).logsIn(served)).toBe(true);
    await end(session);
    await drop(turned, disk);
    await pool.server.close();
    await turned.server.close();
  });

  it('proves itself to a host that asks for it, which leaves one that fails to', async () => {
    const pool = open();
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    const mutual = { user: 'san', password: 'the-target-itself' };
    const proving = open({ chap: { ...chap, mutual } });
    await settlePool(proving.server);
    expect(await wwidOnHost(lab, hostA, served, mutual)).toBe(`naa.${served.wwn}`);
    const impostor = { ...mutual, password: 'another-secret' };
    await expect(wwidOnHost(lab, hostA, served, impostor)).rejects.toThrow('ended with');
    // It goes as it came.
    await settlePool(pool.server);
    expect(await as(hostA).logsIn(served)).toBe(true);
    await drop(pool, disk);
    await pool.server.close();
    await proving.server.close();
  });

  it('is mended after hands were on it: a LUN 0, demo mode, a lost portal, a lost configuration', async () => {
    const pool = open();
    const disk = await make(pool, hostA);
    const served = await servedOf(pool, disk);
    await lab.rtslib(
      [
        'tpg = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), sys.argv[1], "lookup"), 1, "lookup")',
        'so = next(so for so in root.storage_objects if so.name == "foreign")',
        'rtslib_fb.LUN(tpg, 0, so)',
        'for name, value in (("generate_node_acls", 1), ("authentication", 0), ("demo_mode_discovery", 1)):',
        '    tpg.set_attribute(name, value)',
        'next(p for p in tpg.network_portals if p.ip_address == sys.argv[2]).delete()',
        'root.save_to_file()',
      ].join('\n'),
      served.targetIqn,
      lab.guest.addresses[1],
    );
    // A demo mode disk can only be read, which is why QEMU does not ask here.
    const intrude = async (): Promise<number> =>
      (await run(['iscsi-inq', '-i', hostB, url(`${served.targetIqn}/0`)], { allowFailure: true })).code;
    expect(await intrude()).toBe(0);
    const seen = await pool.server.see(never);
    expect(seen.components.filter(({ state }) => state === 'Down').map(({ name }) => name)).toEqual([
      `${lab.guest.addresses[1]}:3260`,
    ]);
    await settlePool(pool.server);
    expect(await granted(lab)).toEqual({ [served.targetIqn]: closedTarget(lab, hostA) });
    expect(await intrude()).not.toBe(0);

    await lab.text('rm', '/etc/rtslib-fb-target/saveconfig.json');
    await settlePool(pool.server);
    expect(await granted(lab)).toEqual({ [served.targetIqn]: closedTarget(lab, hostA) });
    await drop(pool, disk);
    // Its owner saves it anew, and then it is as it was.
    await lab.rtslib('root.save_to_file()');
    expect(await foreignThings(lab)).toBe(foreign);
    await pool.server.close();
  });

  it('says when a thin pool is nearly full, and puts nothing new on a full one', async () => {
    const { volumeGroup } = lab.guest;
    await lab.text('lvcreate', '-qq', '--yes', '-L', '64M', '--thinpool', 'tiny', volumeGroup);
    await lab.text(
      'lvcreate',
      '-qq',
      '--yes',
      '-V',
      '64M',
      '--thinpool',
      'tiny',
      '-n',
      'ballast',
      volumeGroup,
    );
    const fill = async (from: number, to: number): Promise<void> => {
      const where = [`of=/dev/${volumeGroup}/ballast`, 'bs=1M', `seek=${from}`, `count=${to - from}`];
      await lab.text('dd', 'if=/dev/zero', ...where, 'oflag=direct', 'status=none');
    };
    const pool = open({ backing: { type: 'LVMThin', volumeGroup, thinPool: 'tiny' } }, freshUid());
    const look = async () => pool.server.plan(await pool.server.see(never)).health;
    expect(await look()).toMatchObject({ state: 'Healthy' });
    await fill(0, 54);
    expect(await look()).toMatchObject({ state: 'Degraded', reason: 'StoragePoolNearlyFull' });
    await fill(54, 62);
    expect(await look()).toMatchObject({ state: 'Degraded', reason: 'StoragePoolFull' });
    const more = pool.disks.take({ diskUid: freshUid() }, { kind: 'createBlank', sizeBytes: size }, never);
    await expect(more).rejects.toMatchObject({ name: 'Fault', reason: 'StoragePoolFull' });
    expect(await pool.disks.list(never)).toEqual([]);
    await lab.text('lvremove', '-qq', '--yes', `${volumeGroup}/tiny`);
    await pool.server.close();
  });

  it('comes back from a power loss with exactly what was published', async () => {
    const pool = open();
    const [kept, taken] = [await make(pool, hostA), await make(pool, hostA)];
    const served = await servedOf(pool, kept);
    expect((await as(hostA).io(served, 'write -P 9 0 64k', 'flush')).code).toBe(0);
    await revoke(pool, taken, hostA);
    const before = await granted(lab);
    await lab.guest.powerLoss();
    await expect(pool.disks.see(kept, never)).rejects.toMatchObject({ name: 'Fault', kind: 'unreachable' });
    await lab.guest.powerOn();
    expect(await granted(lab)).toEqual(before);
    expect(await foreignThings(lab)).toBe(foreign);
    expect(await pool.disks.see(kept, never)).toMatchObject({ published: [hostA], sessions: [], served });
    expect(await pool.disks.see(taken, never)).toMatchObject({ published: [], sessions: [] });
    expect(pool.server.plan(await pool.server.see(never))).toMatchObject({ kind: 'settled' });
    expect(await as(hostA).holds(served, 9, 0, 65_536)).toBe(true);
    expect(await as(hostA).logsIn(await servedOf(pool, taken))).toBe(false);
    await drop(pool, kept);
    await drop(pool, taken);
    await pool.server.close();
  });
});
