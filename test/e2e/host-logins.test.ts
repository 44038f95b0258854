/**
 * An iSCSI pool on a real LIO whose disks a real host logs in to: open-iscsi and multipathd on an emulated Debian, two
 * portals, CHAP. One machine is server and host, since two of them are more than a small machine emulates; nothing of
 * the product knows. What is true is asked of iscsiadm, multipath, virsh and the guest's own marker on its disks.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestHost, startGuestHost } from '../../hack/lab/guest-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { hearProof, type ProofLine, proofGuestImage } from '../../hack/lab/proof-guest.ts';
import {
  DISK_LUN,
  diskTargetIqn,
  domainName,
  hostInitiatorIqn,
  unitSerial,
  unitWwn,
} from '../../src/api/identity.ts';
import { createOpenIscsi } from '../../src/drivers/hypervisor/open-iscsi/logins.ts';
import { openShell } from '../../src/drivers/hypervisor/open-iscsi/shell.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type Base, startBase } from './harness/base.ts';
import { is } from './harness/mirror.ts';
import { disk, hostPool, image, machine, secret, storagePool, team, templated } from './harness/objects.ts';
import {
  cutPath,
  foreignTarget,
  healPath,
  hostSudoers,
  makeServer,
  putForeign,
  sanPool,
} from './harness/san.ts';

const MIB = 1024 ** 2;
const [firstPassword, nextPassword] = ['a-secret-for-chap', 'another-secret-for-chap'];
/** Machines are emulated inside an emulated host. */
const slow = { timeout: 900_000 };
const patient = { limitMs: 420_000 };
const onSan = { storagePoolRef: { name: 'san' } };
const root = templated(
  'root',
  { size: '4Mi', imageRef: { name: 'proof' }, ...onSan },
  { bootOrder: 1, bus: 'SCSI' },
);
const data = { name: 'data', bus: 'SCSI', diskRef: { name: 'data' } };
const extra = { name: 'extra', bus: 'SCSI', diskRef: { name: 'extra' } };
const box = (more: object = {}) =>
  machine('box', {
    memory: '64Mi',
    shutdown: { mode: 'Hard', timeoutSeconds: 1 },
    disks: [root, data],
    ...more,
  });

describe('a StoragePool that hosts log in to', () => {
  let dir: string;
  let network: LabNetwork;
  let host: GuestHost;
  let base: Base;
  let before: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-hl-');
    network = await createLabNetwork();
    const bytes = proofGuestImage();
    [host, base] = await Promise.all([
      startGuestHost({ dir: join(dir, 'h'), network, dataBytes: 2 * 1024 * MIB }),
      startBase(dir, { '/proof.raw': { kind: 'file', content: { bytes } } }),
    ]);
    await makeServer(host);
    await putForeign(host);
    const node = ['iscsiadm', '-m', 'node', '-T', foreignTarget, '-p', `${host.address}:3260,1`];
    await host.exec([...node, '-o', 'new']);
    await host.exec([...node, '--login']);
    await base.startOperator();
  });
  afterAll(async () => {
    await base?.stop();
    await host?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const on = async (...argv: string[]): Promise<string> =>
    (await host.exec(argv, { allowFailure: true })).stdout.trim();
  const sorted = (text: string): string => text.split('\n').toSorted().join('\n');
  /** What of storage and machines is on the host, in its own words. */
  const inventory = async (): Promise<string> =>
    [
      sorted(await on('iscsiadm', '-m', 'session')),
      sorted(await on('find', '/etc/iscsi', '/var/lib/iscsi', '-type', 'f')),
      await on('cat', '/etc/iscsi/initiatorname.iscsi'),
      await on('multipath', '-l', '-v1'),
      sorted(await on('sh', '-c', 'grep -v "^#" /etc/multipath/wwids')),
      // Volumes of the server are there as well, as device mapper's.
      sorted(await on('sh', '-c', 'ls /sys/class/block | grep -v ^dm-')),
      await on('virsh', '-q', '-c', 'qemu:///system', 'list', '--all', '--name'),
    ].join('\n--\n');
  const uidOf = (kind: 'disk' | 'machine', name: string): string =>
    base.mirror.get(kind, name, team)?.metadata.uid ?? '';
  const domain = (): string => domainName(team, 'box', uidOf('machine', 'box'));
  const sessionsOf = async (name: string): Promise<readonly string[]> =>
    (await on('iscsiadm', '-m', 'session'))
      .split('\n')
      .filter((line) => line.includes(diskTargetIqn(uidOf('disk', name))));
  const mapOf = async (name: string): Promise<string> =>
    on('multipath', '-ll', `3${unitWwn(uidOf('disk', name))}`);
  const pathOf = (name: string): string => `/dev/disk/by-id/dm-uuid-mpath-3${unitWwn(uidOf('disk', name))}`;
  const untilRunning = () =>
    base.until('machine', 'box', (it) => is(it, 'Ready', 'True', 'Running'), patient);
  const heard = (disks: number): Promise<readonly ProofLine[]> => hearProof(host, domain(), disks);
  const pathsShown = (): readonly { portal: string; state: string; message?: string }[] =>
    base.get('storage', 'san')?.status?.hosts?.[0]?.paths ?? [];
  const qemuPid = (): Promise<string> => on('pidof', 'qemu-system-x86_64');
  const foreignSession = async (): Promise<string> =>
    (await on('iscsiadm', '-m', 'session')).split('\n').find((line) => line.includes(foreignTarget)) ?? '';

  it('is ready on a host that is reached by SSH and has the initiator and multipathd', slow, async () => {
    await base.applyAsAdmin(
      secret('san-ssh', 'ovcp-system', {
        'ssh-privatekey': host.sshPrivateKey,
        known_hosts: host.sshKnownHosts,
      }),
      secret('san-chap', 'ovcp-system', { 'chap-password': firstPassword }),
      secret('deb1', 'ovcp-system', host.secret),
      hostPool('kvm', [{ name: 'deb1', uri: host.uri, secret: 'deb1' }]),
      storagePool('local', 'kvm', host.diskDir),
      sanPool(host),
    );
    await base.until('storage', 'san', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    expect(base.get('host', 'kvm.deb1')?.status?.attachmentKinds).toContain('block');
    before = await inventory();
    expect(await foreignSession()).not.toBe('');
    const digest = createHash('sha256').update(proofGuestImage()).digest('hex');
    await base.apply(
      image('proof', `${base.files.url}/proof.raw`, `sha256:${digest}`, { format: 'raw' }),
      disk('data', '4Mi', onSan),
      disk('extra', '8Mi', onSan),
      disk('spare', '4Mi', onSan),
    );
    await base.until('image', 'proof', (it) => is(it, 'Ready', 'True'), patient);
    for (const name of ['data', 'extra', 'spare'])
      await base.until('disk', name, (it) => is(it, 'Ready', 'True', 'Available'), patient);
    // Nobody is logged in to what no machine needs.
    expect(await inventory()).toBe(before);
  });

  it('boots a machine from a LUN, over both paths, by a device that names the disk', slow, async () => {
    await base.apply(box());
    await untilRunning();
    expect(await heard(2)).toMatchObject([
      { disk: 0x80, boots: 1, sectors: (4 * MIB) / 512 },
      { disk: 0x81, boots: 1, sectors: (4 * MIB) / 512 },
    ]);
    const xml = await host.virsh('dumpxml', domain());
    for (const name of ['box.root', 'data']) {
      expect(xml).toContain(`<source dev='${pathOf(name)}'`);
      expect(await sessionsOf(name)).toHaveLength(2);
      expect((await mapOf(name)).match(/active ready running/g)).toHaveLength(2);
    }
    expect(xml).toMatch(/<disk type='block' device='disk'>\s*<driver name='qemu' type='raw' cache='none'/);
    expect(await sessionsOf('extra')).toEqual([]);
    const initiator = hostInitiatorIqn(base.get('host', 'kvm.deb1')?.metadata.uid ?? '');
    const shown = await on('iscsiadm', '-m', 'session', '-P', '1');
    expect(shown.split('\n').filter((line) => line.includes(initiator))).toHaveLength(4);
    // The host's own name is still its own, and nothing logs in by itself after a restart.
    expect(await on('cat', '/etc/iscsi/initiatorname.iscsi')).toContain(host.initiatorName);
    const records = await on('grep', '-rh', 'node.startup', '/etc/iscsi/nodes', '--include=ovcp');
    expect(new Set(records.split('\n'))).toEqual(new Set(['node.startup = manual']));
    expect(await on('find', '/etc/iscsi/nodes', '-name', 'ovcp', '-perm', '/077')).toBe('');
    await base.until('storage', 'san', () => pathsShown().every(({ state }) => state === 'Up'));
  });

  it('goes on by the other path while one is cut, and says so', slow, async () => {
    const pid = await qemuPid();
    await cutPath(host);
    await base.until('storage', 'san', (it) => is(it, 'Ready', 'True', 'PathDown'), patient);
    expect(pathsShown().map(({ state }) => state)).toEqual(['Up', 'Down']);
    expect(await qemuPid()).toBe(pid);
    // It reads and writes both disks: they count its boots.
    await base.patch('machine', 'box', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await base.pulse.until(
      'another boot',
      async () => ((await heard(2)).every(({ boots }) => boots === 2) ? true : undefined),
      patient,
    );
    await healPath(host);
    await base.until('storage', 'san', (it) => is(it, 'Ready', 'True', 'Ready'), patient);
    expect(pathsShown().map(({ state }) => state)).toEqual(['Up', 'Up']);
    for (const name of ['box.root', 'data']) expect(await sessionsOf(name)).toHaveLength(2);
  });

  it('plugs a LUN into the running machine, grows it there, and takes it out again', slow, async () => {
    await untilRunning();
    const pid = await qemuPid();
    await base.patch('machine', 'box', { disks: [root, data, extra] });
    const capacity = async (): Promise<number> =>
      Number(
        /Capacity:\s+(\d+)/.exec(
          await on('virsh', '-c', 'qemu:///system', 'domblkinfo', domain(), pathOf('extra')),
        )?.[1] ?? 0,
      );
    await base.pulse.until(
      'the disk',
      async () => ((await capacity()) === 8 * MIB ? true : undefined),
      patient,
    );
    expect(await sessionsOf('extra')).toHaveLength(2);
    await base.patch('disk', 'extra', { size: '16Mi' });
    // What the emulator shows its guest, not what the host sees.
    const emulated = async (): Promise<boolean> => {
      const answer = await host.virsh(
        'qemu-monitor-command',
        domain(),
        '{"execute":"query-named-block-nodes"}',
      );
      const nodes: { drv: string; image: { filename: string; 'virtual-size': number } }[] =
        JSON.parse(answer).return;
      return nodes.some(
        ({ drv, image }) =>
          drv === 'raw' && image.filename === pathOf('extra') && image['virtual-size'] === 16 * MIB,
      );
    };
    await base.pulse.until('16 MiB', async () => ((await emulated()) ? true : undefined), patient);
    expect(await on('blockdev', '--getsize64', pathOf('extra'))).toBe(String(16 * MIB));
    await base.patch('machine', 'box', { disks: [root, data] });
    await base.until(
      'disk',
      'extra',
      (it) => is(it, 'Ready', 'True', 'Available') && it?.status?.claim === undefined,
      patient,
    );
    expect(await sessionsOf('extra')).toEqual([]);
    expect(await mapOf('extra')).toBe('');
    expect(await on('find', '/etc/iscsi/nodes', '-path', `*${uidOf('disk', 'extra')}*`)).toBe('');
    expect(await qemuPid()).toBe(pid);
  });

  it('takes a new secret path by path, under the machine', slow, async () => {
    const pid = await qemuPid();
    const sessions = await sessionsOf('data');
    await base.applyAsAdmin(secret('san-chap', 'ovcp-system', { 'chap-password': nextPassword }));
    // A change of the pool has its Secrets read at once; else it takes up to a minute.
    const touched = JSON.stringify({ spec: { maxImageSize: '101Gi' } });
    await base.plane.mustKubectl(['patch', 'storagepool', 'san', '--type=merge', '-p', touched]);
    const renewed = async (): Promise<true | undefined> => {
      const records = await on('grep', '-rhc', nextPassword, '/etc/iscsi/nodes', '--include=ovcp');
      const now = await sessionsOf('data');
      const fresh = now.length === 2 && now.every((line) => !sessions.includes(line));
      return records === '1\n1\n1\n1' && fresh ? true : undefined;
    };
    await base.pulse.until('new sessions', renewed, patient);
    await base.until(
      'storage',
      'san',
      (it) => is(it, 'Ready', 'True', 'Ready') && pathsShown().length === 2,
      patient,
    );
    expect(await qemuPid()).toBe(pid);
    expect((await heard(2)).map(({ boots }) => boots)).toEqual([2, 2]);
  });

  it('uses no device that is another disk', slow, async () => {
    await base.stopOperator();
    const initiator = hostInitiatorIqn(base.get('host', 'kvm.deb1')?.metadata.uid ?? '');
    const uid = uidOf('disk', 'spare');
    const lines = [
      'import sys, rtslib_fb',
      'tpg = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), sys.argv[1], "lookup"), 1, "lookup")',
      'acl = rtslib_fb.NodeACL(tpg, sys.argv[2])',
      'acl.chap_userid, acl.chap_password = "ovcp-san", sys.argv[3]',
      'rtslib_fb.MappedLUN(acl, 1, 1, False)',
    ];
    await host.exec(['python3', '-c', lines.join('\n'), diskTargetIqn(uid), initiator, nextPassword]);
    const untouched = await inventory();
    // By the account that is not root, with the rights of the documentation.
    await host.exec(['tee', '/etc/sudoers.d/ovcp'], { stdin: hostSudoers() });
    await host.exec(['chmod', '440', '/etc/sudoers.d/ovcp']);
    const shell = openShell('deb1', {
      host: host.address,
      port: 22,
      user: 'ovcp',
      hostKeys: host.sshKnownHosts,
      privateKey: host.sshPrivateKey,
    });
    const logins = createOpenIscsi(shell, systemClock());
    const limit = AbortSignal.timeout(300_000);
    const wish = {
      targetIqn: diskTargetIqn(uid),
      lun: DISK_LUN,
      portals: host.addresses.map((address) => ({ address, port: 3260 })),
      initiator,
      wwn: unitWwn(uid),
      serial: unitSerial(uid),
      sizeBytes: 4 * MIB,
      inUse: false,
      secret: { user: 'ovcp-san', password: nextPassword, version: 'by-hand' },
    };
    try {
      const other = { ...wish, serial: unitSerial(uidOf('disk', 'extra')) };
      await expect(logins.connect(other, limit)).rejects.toMatchObject({
        kind: 'denied',
        reason: 'DeviceMismatch',
      });
      expect(await inventory()).toBe(untouched);
      const wrong = { ...wish, secret: { ...wish.secret, password: 'not-the-password' } };
      await expect(logins.connect(wrong, limit)).rejects.toMatchObject({ reason: 'LoginFailed' });
      await logins.connect(wish, limit);
      // As long as something has the device open, nobody is logged out from under it.
      const holder = 'echo $$ >/run/holder; exec 3<"$1"; exec sleep 900';
      const reader = host.exec(['sh', '-c', holder, 'sh', pathOf('spare')], { allowFailure: true });
      await base.pulse.until('a reader', async () =>
        (await on('sh', '-c', 'dmsetup info -c --noheadings -o open "$1"', 'sh', pathOf('spare'))) === '1'
          ? true
          : undefined,
      );
      await expect(logins.disconnect(wish, limit)).rejects.toMatchObject({ kind: 'busy' });
      expect(await sessionsOf('spare')).toHaveLength(2);
      await on('sh', '-c', 'kill $(cat /run/holder)');
      await reader;
      await logins.disconnect(wish, limit);
      expect(await inventory()).toBe(untouched);
    } finally {
      shell.close();
    }
    await base.startOperator();
  });

  it('leaves the host as it was when all is deleted', slow, async () => {
    const foreign = await foreignSession();
    await base.remove('machine', 'box');
    await base.untilGone('machine', 'box', patient);
    await base.until('disk', 'data', (it) => it?.status?.claim === undefined, patient);
    await base.remove('disk', 'data', 'extra', 'spare');
    for (const name of ['box.root', 'data', 'extra', 'spare']) await base.untilGone('disk', name, patient);
    expect(await inventory()).toBe(before);
    expect(await foreignSession()).toBe(foreign);
    await base.plane.mustKubectl(['delete', 'storagepool', 'san', '--wait=false']);
    await base.untilGone('storage', 'san', patient);
    for (const password of [firstPassword, nextPassword]) expect(base.operatorLog()).not.toContain(password);
  });
});
