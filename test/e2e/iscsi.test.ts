/**
 * An iSCSI pool on a real tgtd: one LUN for each disk, opened by QEMU on two real KVM hosts with CHAP. What is true is
 * asked of tgtadm, virsh, QEMU's own initiator and the guests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IscsiTarget, startIscsiTarget } from '../../hack/lab/iscsi-target.ts';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { conditionOf, is, type Lab, startLab } from './harness/lab.ts';
import { secret } from './harness/objects.ts';
import {
  boots,
  createSan,
  isMade,
  leavesNothing,
  letsNobodyIn,
  login,
  moves,
  patient,
  plugs,
  type SanServer,
  type Shown,
  slow,
} from './scenarios/san.ts';

const nextPassword = 'another-secret-for-chap';

/** What tgtadm shows of one target. */
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
  };
};

const serverOf = (target: IscsiTarget): SanServer => {
  const inventory = async (): Promise<string> => {
    const files = (await target.exec(['find', target.lunFolder, '/etc/tgt', '-type', 'f'])).stdout;
    const accounts = await target.tgtadm('--mode', 'account', '--op', 'show');
    const sorted = (text: string): string => text.trim().split('\n').toSorted().join('\n');
    return [await target.show(), sorted(files), sorted(accounts)].join('\n');
  };
  return {
    secret: {
      'ssh-privatekey': target.credentials.sshPrivateKey,
      known_hosts: target.credentials.sshKnownHosts,
    },
    iscsi: {
      target: {
        software: 'TGT',
        address: target.address,
        user: target.sudoUser,
        credentialsSecretRef: { name: 'san-ssh' },
        portals: [`${target.portal.address}:${target.portal.port}`],
      },
      backing: { type: 'Files', files: { path: `${target.lunFolder}/san` } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
      attach: 'QEMU',
    },
    portal: target.portal,
    shown: async (iqn) => shownOf(await target.show(), iqn),
    inventory,
  };
};

describe('a StoragePool on an iSCSI target', () => {
  let dir: string;
  let network: LabNetwork;
  let target: IscsiTarget;
  let lab: Lab;

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
  const san = createSan({ lab: () => lab, server: () => serverOf(target), dir: () => dir });

  isMade(san);
  boots(san);
  letsNobodyIn(san);
  plugs(san);

  it('says that a new secret waits for the power cycle, and uses it then', slow, async () => {
    const { first } = san.places();
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
      patient,
    );
    const paths = told.status.pendingChanges.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['spec.disks[carried]', 'spec.disks[root]']));
    expect(JSON.stringify(told)).not.toContain(nextPassword);
    expect(await lab.placed('box').pid()).toBe(pid);
    expect(await san.initiator(san.initiatorOf(first), login).logsIn(san.served('box.root'))).toBe(false);
    await lab.patch('machine', 'box', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    await lab.until(
      'machine',
      'box',
      (it) => is(it, 'Ready', 'True', 'Running') && (it?.status?.pendingChanges ?? []).length === 0,
      patient,
    );
    expect((await lab.placed('box').facts()).boots).toBeGreaterThan(0);
  });

  moves(san);

  it('is started again after the daemon of its host forgot the secret', slow, async () => {
    const { other } = san.places();
    const mover = lab.placed('mover');
    await other.restartLibvirtd();
    expect(await san.secretsOn(other)).not.toContain('ovcp/');
    await lab.until('host', `kvm.${other.name}`, (it) => is(it, 'Reachable', 'True'));
    await lab.patch('machine', 'mover', { restartRequestedAt: '2100-01-01T00:00:00Z' });
    const pid = await mover.pid();
    await lab.pulse.until('the machine was started anew', async () => {
      const now = await mover.pid();
      return now !== undefined && now !== pid ? true : undefined;
    });
    await san.untilRunning('mover');
    expect((await mover.facts()).boots).toBeGreaterThan(0);
  });

  it('grows where its machine is stopped, since tgtd cannot show a new size', slow, async () => {
    await lab.patch('disk', 'carried', { size: '64Mi' });
    const told = await lab.until('disk', 'carried', (it) => is(it, 'Ready', 'True', 'GrowsAtPowerCycle'));
    expect(conditionOf(told, 'Ready')?.message).toContain('mover');
    await lab.patch('machine', 'mover', { restartRequestedAt: '2100-01-02T00:00:00Z' });
    await lab.until('disk', 'carried', (it) => it?.status?.size === '64Mi', patient);
    const mover = await san.untilRunning('mover');
    const device = await san.untilPlugged(mover, 'carried');
    expect((await mover.facts()).disks[device]).toBe(64 * 1024 * 1024);
    expect(await mover.ask(`head -n 1 /dev/${device}`)).toMatch(/^carried-by-lun$/m);
  });

  leavesNothing(san, ['san'], [login.password, nextPassword]);
});
