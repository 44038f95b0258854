/**
 * An iSCSI pool on a real LIO whose disks a real host logs in to: open-iscsi and multipathd on an emulated Debian, two
 * portals, CHAP and mutual CHAP. One machine is server and host, since two of them are more than a small machine
 * emulates; nothing of the product knows. What is true is asked of iscsiadm, multipath, virsh, rtslib and the guest's
 * own marker on its disks.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestHost, startGuestHost } from '../../hack/lab/guest-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { proofGuestImage } from '../../hack/lab/proof-guest.ts';
import { unitSerial } from '../../src/api/identity.ts';
import { type Base, startBase } from './harness/base.ts';
import {
  createLoginHost,
  type LoginHost,
  letIn,
  logInForeign,
  openAsOvcp,
  wishFor,
} from './harness/login-host.ts';
import { is } from './harness/mirror.ts';
import { disk, hostPool, image, machine, secret, storagePool, templated } from './harness/objects.ts';
import { cutPath, healPath, makeServer, putForeign, sanPool } from './harness/san.ts';

const MIB = 1024 ** 2;
const [firstPassword, nextPassword] = ['a-secret-for-chap', 'another-secret-for-chap'];
const mutual = { user: 'san-itself', password: 'the-target-itself' };
/** Machines are emulated inside an emulated host. */
const slow = { timeout: 1_800_000 };
const patient = { limitMs: 600_000 };
const onSan = { storagePoolRef: { name: 'san' } };
const root = templated(
  'root',
  { size: '4Mi', imageRef: { name: 'proof' }, ...onSan },
  { bootOrder: 1, bus: 'SCSI' },
);
const data = { name: 'data', bus: 'SCSI', diskRef: { name: 'data' } };
const extra = { name: 'extra', bus: 'SCSI', diskRef: { name: 'extra' } };
const withDisks = (name: string) =>
  machine(name, {
    memory: '64Mi',
    shutdown: { mode: 'Hard', timeoutSeconds: 1 },
    disks: [root, data],
  });

describe('a StoragePool that hosts log in to', () => {
  let dir: string;
  let network: LabNetwork;
  let guest: GuestHost;
  let base: Base;
  let host: LoginHost;
  let before: string;
  let served: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-hl-');
    network = await createLabNetwork();
    const bytes = proofGuestImage();
    [guest, base] = await Promise.all([
      startGuestHost({ dir: join(dir, 'h'), network, dataBytes: 2 * 1024 * MIB }),
      startBase(dir, { '/proof.raw': { kind: 'file', content: { bytes } } }),
    ]);
    host = createLoginHost(guest, base);
    await makeServer(guest);
    await putForeign(guest);
    await logInForeign(guest);
    served = await host.serverInventory();
    await base.startOperator();
  });
  afterAll(async () => {
    await base?.stop();
    await guest?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const untilRunning = (name = 'box') =>
    base.until('machine', name, (it) => is(it, 'Ready', 'True', 'Running'), patient);
  const pathsShown = (): readonly { portal: string; state: string; message?: string }[] =>
    base.get('storage', 'san')?.status?.hosts?.[0]?.paths ?? [];
  const untilPaths = (reason: 'Ready' | 'PathDown') =>
    base.until(
      'storage',
      'san',
      (it) => is(it, 'Ready', 'True', reason) && pathsShown().length === 2,
      patient,
    );
  const untilSeen = (what: string, seen: () => Promise<boolean>) =>
    base.pulse.until(what, async () => ((await seen()) ? true : undefined), patient);
  const qemuPid = (): Promise<string> => host.on('pidof', 'qemu-system-x86_64');
  const boots = async (name: string, disks = 2): Promise<readonly number[]> =>
    (await host.heard(name, disks)).map((it) => it.boots);

  it('is ready on a host that is reached by SSH and has the initiator and multipathd', slow, async () => {
    await base.applyAsAdmin(
      secret('san-ssh', 'ovcp-system', {
        'ssh-privatekey': guest.sshPrivateKey,
        known_hosts: guest.sshKnownHosts,
      }),
      secret('san-chap', 'ovcp-system', { 'chap-password': firstPassword }),
      secret('deb1', 'ovcp-system', guest.secret),
      // Each look at a disk costs the emulated server seconds of its processor.
      hostPool('kvm', [{ name: 'deb1', uri: guest.uri, secret: 'deb1' }], { auditPeriodSeconds: 3600 }),
      storagePool('local', 'kvm', guest.diskDir),
      sanPool(guest),
    );
    await base.until('storage', 'san', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    expect(base.get('host', 'kvm.deb1')?.status?.attachmentKinds).toContain('block');
    before = await host.hostInventory();
    expect(await host.foreignSession()).not.toBe('');
    const digest = createHash('sha256').update(proofGuestImage()).digest('hex');
    await base.apply(image('proof', `${base.files.url}/proof.raw`, `sha256:${digest}`, { format: 'raw' }));
    await base.until('image', 'proof', (it) => is(it, 'Ready', 'True'), patient);
    // One after the other: the guest has a fraction of a processor.
    for (const [name, size] of [
      ['data', '4Mi'],
      ['extra', '8Mi'],
      ['spare', '4Mi'],
    ] as const) {
      await base.apply(disk(name, size, onSan));
      await base.until('disk', name, (it) => is(it, 'Ready', 'True', 'Available'), patient);
    }
    // Nobody is logged in to what no machine needs.
    expect(await host.hostInventory()).toBe(before);
  });

  it('boots a machine from a LUN, over both paths, by a device that names the disk', slow, async () => {
    await base.apply(withDisks('box'));
    await untilRunning();
    expect(await host.heard('box', 2)).toMatchObject([
      { disk: 0x80, boots: 1, sectors: (4 * MIB) / 512 },
      { disk: 0x81, boots: 1, sectors: (4 * MIB) / 512 },
    ]);
    const xml = await guest.virsh('dumpxml', host.domainOf('box'));
    for (const name of ['box.root', 'data']) {
      expect(xml).toContain(`<source dev='${host.pathOf(name)}'`);
      expect(await host.sessionsOf(name)).toHaveLength(2);
      expect((await host.mapOf(name)).match(/active ready running/g)).toHaveLength(2);
    }
    expect(xml).toMatch(/<disk type='block' device='disk'>\s*<driver name='qemu' type='raw' cache='none'/);
    expect(await host.sessionsOf('extra')).toEqual([]);
    const shown = await host.on('iscsiadm', '-m', 'session', '-P', '1');
    expect(shown.split('\n').filter((line) => line.includes(host.initiator()))).toHaveLength(4);
    // The host's own name is still its own, and nothing logs in by itself after a restart.
    expect(await host.on('cat', '/etc/iscsi/initiatorname.iscsi')).toContain(guest.initiatorName);
    const records = await host.on('grep', '-rh', 'node.startup', '/etc/iscsi/nodes', '--include=ovcp');
    expect(new Set(records.split('\n'))).toEqual(new Set(['node.startup = manual']));
    expect(await host.on('find', '/etc/iscsi/nodes', '-name', 'ovcp', '-perm', '/077')).toBe('');
    await untilPaths('Ready');
    expect(pathsShown().map(({ state }) => state)).toEqual(['Up', 'Up']);
  });

  it('goes on by the other path while one is cut, and says so', slow, async () => {
    const pid = await qemuPid();
    await cutPath(guest);
    await untilPaths('PathDown');
    expect(pathsShown().map(({ state }) => state)).toEqual(['Up', 'Down']);
    expect(await qemuPid()).toBe(pid);
    // It reads and writes both disks: they count its boots.
    await base.patch('machine', 'box', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await untilSeen('another boot', async () => (await boots('box')).every((it) => it === 2));
    await healPath(guest);
    await untilPaths('Ready');
    expect(pathsShown().map(({ state }) => state)).toEqual(['Up', 'Up']);
    for (const name of ['box.root', 'data']) expect(await host.sessionsOf(name)).toHaveLength(2);
  });

  it('plugs a LUN into the running machine, grows it there, and takes it out again', slow, async () => {
    await untilRunning();
    const pid = await qemuPid();
    await base.patch('machine', 'box', { disks: [root, data, extra] });
    await untilSeen('the disk', async () => (await host.emulated('box', 'extra')) === 8 * MIB);
    expect(await host.sessionsOf('extra')).toHaveLength(2);
    await base.patch('disk', 'extra', { size: '16Mi' });
    // What the emulator shows its guest, not what the host sees.
    await untilSeen('16 MiB', async () => (await host.emulated('box', 'extra')) === 16 * MIB);
    expect(await host.on('blockdev', '--getsize64', host.pathOf('extra'))).toBe(String(16 * MIB));
    await base.patch('machine', 'box', { disks: [root, data] });
    await base.until(
      'disk',
      'extra',
      (it) => is(it, 'Ready', 'True', 'Available') && it?.status?.claim === undefined,
      patient,
    );
    expect(await host.sessionsOf('extra')).toEqual([]);
    expect(await host.mapOf('extra')).toBe('');
    expect(await host.on('find', '/etc/iscsi/nodes', '-path', `*${host.uidOf('disk', 'extra')}*`)).toBe('');
    expect(await qemuPid()).toBe(pid);
  });

  /** The pool gets another Secret, and all paths are made anew with it under the machine. */
  const rotate = async (keys: Readonly<Record<string, string>>, maxImageSize: string): Promise<void> => {
    const pid = await qemuPid();
    const sessions = await host.sessionsOf('data');
    await base.applyAsAdmin(secret('san-chap', 'ovcp-system', keys));
    // A change of the pool has its Secrets read at once; else it takes up to a minute.
    const touched = JSON.stringify({ spec: { maxImageSize } });
    await base.plane.mustKubectl(['patch', 'storagepool', 'san', '--type=merge', '-p', touched]);
    await untilSeen('new sessions', async () => {
      for (const value of Object.values(keys)) {
        const records = await host.on('grep', '-rhc', value, '/etc/iscsi/nodes', '--include=ovcp');
        if (records !== '1\n1\n1\n1') return false;
      }
      const now = await host.sessionsOf('data');
      return now.length === 2 && now.every((line) => !sessions.includes(line));
    });
    const settled = (): boolean =>
      pathsShown().length === 2 &&
      pathsShown().every(({ state, message }) => state === 'Up' && message === undefined);
    await base.until('storage', 'san', (it) => is(it, 'Ready', 'True', 'Ready') && settled(), patient);
    expect(await qemuPid()).toBe(pid);
    expect(await boots('box')).toEqual([2, 2]);
  };

  it('takes a new secret path by path, under the machine', slow, async () => {
    await rotate({ 'chap-password': nextPassword }, '101Gi');
  });

  it('has the target prove itself once the Secret says so', slow, async () => {
    const keys = { 'chap-mutual-user': mutual.user, 'chap-mutual-password': mutual.password };
    await rotate({ 'chap-password': nextPassword, ...keys }, '102Gi');
    const shown = await host.on('iscsiadm', '-m', 'session', '-P', '2');
    const proofs = shown.split('\n').filter((line) => line.trim() === `username_in: ${mutual.user}`);
    expect(proofs).toHaveLength(4);
  });

  it('uses no device that is another disk, and believes no other target', slow, async () => {
    await base.stopOperator();
    const login = { user: 'ovcp-san', password: nextPassword, mutual, version: 'by-hand' };
    const wish = wishFor(guest, host.uidOf('disk', 'spare'), host.initiator(), login);
    await letIn(guest, wish);
    const untouched = await host.hostInventory();
    const ovcp = await openAsOvcp(guest);
    const limit = AbortSignal.timeout(900_000);
    const connect = (other: object) => ovcp.logins.connect({ ...wish, ...other }, limit);
    try {
      await expect(connect({ serial: unitSerial(host.uidOf('disk', 'extra')) })).rejects.toMatchObject({
        kind: 'denied',
        reason: 'DeviceMismatch',
      });
      expect(await host.hostInventory()).toBe(untouched);
      const refused = { reason: 'LoginFailed' };
      const wrong = { ...login, password: 'not-the-password' };
      await expect(connect({ secret: wrong })).rejects.toMatchObject(refused);
      const impostor = { ...login, mutual: { ...mutual, password: 'somebody-elses' } };
      await expect(connect({ secret: impostor })).rejects.toMatchObject(refused);
      await connect({});
      // As long as something has the device open, nobody is logged out from under it.
      const device = host.pathOf('spare');
      const holder = 'echo $$ >/run/holder; exec 3<"$1"; exec sleep 3000';
      const reader = guest.exec(['sh', '-c', holder, 'sh', device], { allowFailure: true });
      const opened = ['dmsetup', 'info', '-c', '--noheadings', '-o', 'open', device];
      await untilSeen('a reader', async () => (await host.on(...opened)) === '1');
      await expect(ovcp.logins.disconnect(wish, limit)).rejects.toMatchObject({ kind: 'busy' });
      expect(await host.sessionsOf('spare')).toHaveLength(2);
      await host.on('sh', '-c', 'kill $(cat /run/holder)');
      await reader;
      await ovcp.logins.disconnect(wish, limit);
      expect(await host.hostInventory()).toBe(untouched);
    } finally {
      ovcp.close();
    }
    await base.startOperator();
  });

  it('shows another machine what the first one wrote', slow, async () => {
    await base.remove('machine', 'box');
    await base.untilGone('machine', 'box', patient);
    await base.until('disk', 'data', (it) => it?.status?.claim === undefined, patient);
    expect(await host.hostInventory()).toBe(before);
    await base.apply(withDisks('heir'));
    await untilRunning('heir');
    expect(await boots('heir')).toEqual([1, 3]);
    expect(await host.sessionsOf('data')).toHaveLength(2);
  });

  it('leaves host and server as they were when all is deleted', slow, async () => {
    const foreign = await host.foreignSession();
    await base.remove('machine', 'heir');
    await base.untilGone('machine', 'heir', patient);
    await base.until('disk', 'data', (it) => it?.status?.claim === undefined, patient);
    await base.remove('disk', 'data', 'extra', 'spare');
    for (const name of ['box.root', 'heir.root', 'data', 'extra', 'spare'])
      await base.untilGone('disk', name, patient);
    expect(await host.hostInventory()).toBe(before);
    expect(await host.foreignSession()).toBe(foreign);
    await base.plane.mustKubectl(['delete', 'storagepool', 'san', '--wait=false']);
    await base.untilGone('storage', 'san', patient);
    expect(await host.serverInventory()).toBe(served);
    for (const password of [firstPassword, nextPassword, mutual.password])
      expect(base.operatorLog()).not.toContain(password);
  });
});
