/**
 * An iSCSI pool on a real tgtd: one LUN for each disk, opened by QEMU on two real KVM hosts with CHAP. What is true is
 * asked of tgtadm, virsh, QEMU's own initiator and the guests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IscsiTarget, startIscsiTarget } from '../../hack/lab/iscsi-target.ts';
import type { KvmHost } from '../../hack/lab/kvm-host.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { tgtPool } from '../../hack/lab/storage-pools.ts';
import { DISK_LUN, diskTargetIqn, hostInitiatorIqn } from '../../src/api/identity.ts';
import { createInitiator } from '../contract/fixtures/iscsi-initiator.ts';
import { conditionOf, is, type Lab, type Placed, startLab, team } from './harness/lab.ts';
import {
  bootDisk,
  disk,
  hostPool,
  hostSecret,
  image,
  machine,
  secret,
  storagePool,
} from './harness/objects.ts';

const onSan = { storagePoolRef: { name: 'san' } };
const login = { user: 'ovcp-san', password: 'a-secret-for-chap' };
/** Guests are emulated: a power cycle takes a minute on a busy machine. */
const slow = { timeout: 400_000 };
const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };
const nextPassword = 'another-secret-for-chap';

/** What tgtadm shows of one target. */
interface Shown {
  readonly initiators: readonly string[];
  readonly acls: readonly string[];
  readonly accounts: readonly string[];
  readonly sizeBytes: readonly string[];
}

const shownOf = (text: string, iqn: string): Shown | undefined => {
  const part = text.split(/^Target /m).find((it) => it.split('\n', 1)[0]?.endsWith(`: ${iqn}`));
  if (part === undefined) return undefined;
  const section = (name: string): readonly string[] => {
    const body = new RegExp(`^    ${name}:\\n((?:        .*\\n?)*)`, 'm').exec(part)?.[1] ?? '';
    return body
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  };
  return {
    initiators: [...part.matchAll(/Initiator: (\S+) /g)].map(([, name]) => name ?? ''),
    acls: section('ACL information'),
    accounts: section('Account information'),
    sizeBytes: [...part.matchAll(/Size: (\d+ MB), Block size: 512/g)].map(([, size]) => size ?? ''),
  };
};

describe('a StoragePool on an iSCSI target', () => {
  let dir: string;
  let network: LabNetwork;
  let target: IscsiTarget;
  let lab: Lab;
  let before: string;
  let first: KvmHost;
  let other: KvmHost;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-san-');
    network = await createLabNetwork();
    target = await startIscsiTarget({ dir, network });
    lab = await startLab(network);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await target?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  const inventory = async (): Promise<string> => {
    const files = (await target.exec(['find', target.lunFolder, '/etc/tgt', '-type', 'f'])).stdout;
    const accounts = await target.tgtadm('--mode', 'account', '--op', 'show');
    const sorted = (text: string): string => text.trim().split('\n').toSorted().join('\n');
    return [await target.show(), sorted(files), sorted(accounts)].join('\n');
  };
  const uidOf = (name: string): string => lab.mirror.get('disk', name, team)?.metadata.uid ?? '';
  const targetShown = async (name: string): Promise<Shown | undefined> =>
    shownOf(await target.show(), diskTargetIqn(uidOf(name)));
  const initiatorOf = (host: KvmHost): string =>
    hostInitiatorIqn(lab.mirror.get('host', `kvm.${host.name}`)?.metadata.uid ?? '');
  const servedDisk = (name: string) => ({
    protocol: 'iscsi' as const,
    portals: [target.portal],
    targetIqn: diskTargetIqn(uidOf(name)),
    lun: DISK_LUN,
    serial: uidOf(name),
    wwn: '',
  });
  /** Name of the guest's disk with our serial number; undefined while there is none. */
  const deviceIn = async (box: Placed, name: string): Promise<string | undefined> => {
    const serial = uidOf(name).replaceAll('-', '').slice(0, 20);
    const look = `for it in /sys/block/vd?; do [ "$(cat $it/serial)" = ${serial} ] && basename $it; done`;
    // What a guest prints while it boots may stand between.
    return /^vd[a-z]$/m.exec(await box.ask(`${look}; true`))?.[0];
  };
  const secretsOn = async (host: KvmHost): Promise<string> => (await host.virsh('secret-list')).trim();

  it('is made on its server, and ready on hosts whose emulator can open it', async () => {
    before = await inventory();
    await lab.applyAsAdmin(
      secret('san-ssh', 'ovcp-system', {
        'ssh-privatekey': target.credentials.sshPrivateKey,
        known_hosts: target.credentials.sshKnownHosts,
      }),
      secret('san-chap', 'ovcp-system', { 'chap-password': login.password }),
      hostSecret('node1', lab.node1),
      hostSecret('node2', lab.node2),
      hostPool('kvm', [
        { name: 'node1', uri: lab.node1.uris.ssh, secret: 'node1' },
        { name: 'node2', uri: lab.node2.uris.ssh, secret: 'node2' },
      ]),
      storagePool('local', 'kvm', lab.node1.diskDir),
      tgtPool('san', target),
    );
    const pool = await lab.until(
      'storage',
      'san',
      (it) => is(it, 'Ready', 'True') && it?.status?.hostsReady === 2,
    );
    expect(pool.status.health).toMatchObject({ state: 'Healthy' });
    const host = await lab.until('host', 'kvm.node1', (it) => it?.status?.attachmentKinds !== undefined);
    expect(host.status.attachmentKinds).toEqual(['block', 'file', 'network']);
    await lab.apply(image('tiny', `${lab.files.url}/guest.qcow2`, `sha256:${lab.image.sha256.qcow2}`));
    await lab.until('image', 'tiny', (it) => is(it, 'Ready', 'True'));
  });

  it('boots a machine from a LUN that was filled from an image, with CHAP', slow, async () => {
    await lab.apply(
      disk('carried', '32Mi', onSan),
      machine('box', {
        ...hard,
        disks: [bootDisk(onSan), { name: 'carried', diskRef: { name: 'carried' } }],
      }),
    );
    const box = await lab.untilReady('box', 'Running', { limitMs: 180_000 });
    first = box.host;
    other = first.name === 'node1' ? lab.node2 : lab.node1;
    expect((await box.facts()).boots).toBeGreaterThan(0);
    const shown = await targetShown('box.root');
    expect(shown).toMatchObject({
      initiators: [initiatorOf(first)],
      acls: expect.arrayContaining([initiatorOf(first)]),
      accounts: [login.user],
    });
    expect(shown?.acls).not.toContain(initiatorOf(other));
    const xml = await first.virsh('dumpxml', box.domain, '--security-info');
    expect(xml).toContain(`name='${diskTargetIqn(uidOf('box.root'))}/${DISK_LUN}'`);
    expect(xml).toContain(`<iqn name='${initiatorOf(first)}'/>`);
    expect(xml).not.toContain(login.password);
    expect(await secretsOn(first)).toMatch(/iscsi +ovcp\/e2e\//);
    expect(await secretsOn(other)).not.toContain('ovcp/');
    const device = await lab.pulse.until('the disk in the guest', () => deviceIn(box, 'carried'));
    await box.ask(`echo carried-by-lun > /dev/${device}; sync`);
  });

  it('lets nobody in but the host of the machine', async () => {
    const served = servedDisk('box.root');
    const stranger = createInitiator(dir, hostInitiatorIqn('00000000-0000-4000-8000-000000000000'), login);
    expect(await stranger.logsIn(served)).toBe(false);
    expect(await createInitiator(dir, initiatorOf(other), login).logsIn(served)).toBe(false);
    // By its name alone nobody gets in either.
    expect(await createInitiator(dir, initiatorOf(first), undefined).logsIn(served)).toBe(false);
    expect(
      await createInitiator(dir, initiatorOf(first), { ...login, password: 'wrong-password' }).logsIn(served),
    ).toBe(false);
  });

  it('plugs a blank LUN into the running machine and takes it out again', async () => {
    await lab.apply(disk('extra', '16Mi', onSan));
    const disks = [bootDisk(onSan), { name: 'carried', diskRef: { name: 'carried' } }];
    await lab.patch('machine', 'box', { disks: [...disks, { name: 'extra', diskRef: { name: 'extra' } }] });
    const box = lab.placed('box');
    const device = await lab.pulse.until('the disk in the guest', () => deviceIn(box, 'extra'));
    expect(await box.ask(`head -c 65536 /dev/${device} | tr -d '\\0' | wc -c`)).toMatch(/^0$/m);
    await lab.patch('machine', 'box', { disks });
    await lab.pulse.until('the disk out of the guest', async () =>
      (await deviceIn(box, 'extra')) === undefined ? true : undefined,
    );
    const free = await lab.until('disk', 'extra', (it) => is(it, 'Ready', 'True', 'Available'));
    expect(free.status.claim).toBeUndefined();
    expect((await targetShown('extra'))?.acls).not.toContain(initiatorOf(first));
    await lab.remove('disk', 'extra');
    await lab.untilGone('disk', 'extra');
  });

  it('says that a new secret waits for the power cycle, and uses it then', slow, async () => {
    const pid = await lab.placed('box').pid();
    await lab.applyAsAdmin(secret('san-chap', 'ovcp-system', { 'chap-password': nextPassword }));
    // A change of the pool has its Secrets read at once; else it takes up to a minute.
    const touched = JSON.stringify({ spec: { maxImageSize: '101Gi' } });
    await lab.plane.mustKubectl(['patch', 'storagepool', 'san', '--type=merge', '-p', touched]);
    const told = await lab.until(
      'machine',
      'box',
      (it) =>
        it?.status?.pendingChanges?.some((change: { impact: string }) => change.impact === 'PowerCycle'),
      { limitMs: 180_000 },
    );
    const paths = told.status.pendingChanges.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['spec.disks[carried]', 'spec.disks[root]']));
    expect(JSON.stringify(told)).not.toContain(nextPassword);
    expect(await lab.placed('box').pid()).toBe(pid);
    expect(await createInitiator(dir, initiatorOf(first), login).logsIn(servedDisk('box.root'))).toBe(false);
    await lab.patch('machine', 'box', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await lab.until(
      'machine',
      'box',
      (it) => is(it, 'Ready', 'True', 'Running') && (it?.status?.pendingChanges ?? []).length === 0,
      { limitMs: 180_000 },
    );
    expect((await lab.placed('box').facts()).boots).toBeGreaterThan(0);
  });

  it('goes with its data to a machine on the other host, and is open to one at a time', slow, async () => {
    await lab.patch('machine', 'box', { powerState: 'PoweredOff' });
    await lab.until('machine', 'box', (it) => is(it, 'Ready', 'True', 'PoweredOff'));
    await lab.patch('host', `kvm.${first.name}`, { unschedulable: true });
    await lab.apply(
      machine('mover', {
        ...hard,
        disks: [bootDisk(onSan), { name: 'carried', diskRef: { name: 'carried' } }],
      }),
    );
    const mover = await lab.untilReady('mover', 'Running', { limitMs: 180_000 });
    expect(mover.host.name).toBe(other.name);
    const device = await lab.pulse.until('the disk in the guest', () => deviceIn(mover, 'carried'));
    expect(await mover.ask(`head -n 1 /dev/${device}`)).toBe('carried-by-lun\n');
    const shown = await targetShown('carried');
    expect(shown?.initiators).toEqual([initiatorOf(other)]);
    expect(shown?.acls).not.toContain(initiatorOf(first));
    // Nothing of the pool is used there any more.
    await lab.pulse.until('the secret is gone', async () =>
      (await secretsOn(first)).includes('ovcp/') ? undefined : true,
    );
    await lab.patch('host', `kvm.${first.name}`, { unschedulable: false });
  });

  it('is started again after the daemon of its host forgot the secret', slow, async () => {
    const mover = lab.placed('mover');
    await other.restartLibvirtd();
    expect(await secretsOn(other)).not.toContain('ovcp/');
    await lab.until('host', `kvm.${other.name}`, (it) => is(it, 'Reachable', 'True'));
    await lab.patch('machine', 'mover', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    const pid = await mover.pid();
    await lab.pulse.until('the machine was started anew', async () => {
      const now = await mover.pid();
      return now !== undefined && now !== pid ? true : undefined;
    });
    await lab.untilReady('mover', 'Running', { limitMs: 180_000 });
    expect((await mover.facts()).boots).toBeGreaterThan(0);
  });

  it('grows where its machine is stopped, since tgtd cannot show a new size', slow, async () => {
    await lab.patch('disk', 'carried', { size: '64Mi' });
    const told = await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'GrowsAtPowerCycle'));
    expect(conditionOf(told, 'Ready')?.message).toContain('mover');
    await lab.patch('machine', 'mover', { restartRequestedAt: '2100-01-02T00:00:00Z' });
    await lab.until('disk', 'carried', (it) => it?.status?.size === '64Mi', { limitMs: 180_000 });
    const mover = await lab.untilReady('mover', 'Running', { limitMs: 180_000 });
    const device = await lab.pulse.until('the disk in the guest', () => deviceIn(mover, 'carried'));
    expect((await mover.facts()).disks[device]).toBe(64 * 1024 * 1024);
    expect(await mover.ask(`head -n 1 /dev/${device}`)).toBe('carried-by-lun\n');
  });

  it('leaves nothing on the server or the hosts when all is deleted', async () => {
    await lab.remove('machine', 'box', 'mover');
    await lab.untilGone('machine', 'box');
    await lab.untilGone('machine', 'mover');
    // Deletion is refused until the hosts said that the machine is gone.
    await lab.until('disk', 'carried', (it) => it?.status?.claim === undefined);
    await lab.remove('disk', 'carried');
    for (const name of ['carried', 'box.root', 'mover.root']) await lab.untilGone('disk', name);
    await lab.plane.mustKubectl(['delete', 'storagepool', 'san', '--wait=false']);
    await lab.untilGone('storage', 'san');
    expect(await inventory()).toBe(before);
    for (const host of [lab.node1, lab.node2]) expect(await secretsOn(host)).not.toContain('ovcp/');
    expect(lab.operatorLog()).not.toContain(login.password);
    expect(lab.operatorLog()).not.toContain(nextPassword);
  });
});
