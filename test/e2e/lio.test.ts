/**
 * iSCSI pools on a real LIO, in an emulated server: one LUN for each disk, opened by QEMU on two real KVM hosts with
 * CHAP. What is true is asked of rtslib and LVM on the server, virsh, QEMU's own initiator and the guests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLabNetwork, type LabNetwork } from '../../hack/lab/lab-network.ts';
import { waitUntil } from '../../hack/lab/process.ts';
import { foreignThings, type LioLab, startLioLab } from '../contract/fixtures/lio-guest.ts';
import { is, type Lab, startLab } from './harness/lab.ts';
import { disk, secret } from './harness/objects.ts';
import {
  boots,
  createSan,
  isMade,
  leavesNothing,
  letsNobodyIn,
  login,
  moves,
  onSan,
  patient,
  plugs,
  type SanServer,
  type Shown,
  sanPool,
  slow,
} from './scenarios/san.ts';

const MiB = 1024 ** 2;
const otherPassword = 'a-secret-for-the-other';

/** Sessions as the kernel tells them, of every initiator that has an ACL at that target. */
const lookAt = `
import json, sys, rtslib_fb
found = [target for target in rtslib_fb.FabricModule("iscsi").targets if target.wwn == sys.argv[1]]
acls = [acl for target in found for tpg in target.tpgs for acl in tpg.node_acls]
print(json.dumps(None if not found else {
    "acls": [acl.node_wwn for acl in acls],
    "initiators": [acl.node_wwn for acl in acls if acl.session],
    "accounts": sorted({acl.chap_userid for acl in acls}),
}))
`;

const targetOf = ({ guest }: LioLab, chap: string) => ({
  target: {
    software: 'LIO',
    address: guest.address,
    credentialsSecretRef: { name: 'san-ssh' },
    portals: guest.addresses.map((address) => `${address}:3260`),
  },
  chap: { credentialsSecretRef: { name: chap } },
  attach: 'QEMU',
});

const serverOf = (lio: LioLab): SanServer => {
  const { guest, text, rtslib } = lio;
  return {
    secret: { 'ssh-privatekey': guest.sshPrivateKey, known_hosts: guest.sshKnownHosts },
    iscsi: {
      ...targetOf(lio, 'san-chap'),
      backing: { type: 'LVMThin', lvmThin: { volumeGroup: guest.volumeGroup, thinPool: guest.thinPool } },
    },
    portal: { address: guest.address, port: 3260 },
    shown: async (iqn) => JSON.parse(await text('python3', '-c', lookAt, iqn)) as Shown | undefined,
    inventory: async () =>
      [
        await rtslib('print(json.dumps(root.dump(), sort_keys=True, indent=1))'),
        await rtslib(
          'print(json.dumps(json.load(open("/etc/rtslib-fb-target/saveconfig.json")), sort_keys=True, indent=1))',
        ),
        await text('lvs', '--noheadings', '-o', 'lv_name,lv_size,lv_tags', guest.volumeGroup),
      ].join('\n'),
  };
};

describe('StoragePools on LIO', () => {
  let dir: string;
  let network: LabNetwork;
  let lio: LioLab;
  let lab: Lab;
  let foreign: string;

  beforeAll(async () => {
    dir = mkdtempSync('/tmp/ovcp-san-');
    network = await createLabNetwork();
    [lio, lab] = await Promise.all([startLioLab(network), startLab(network)]);
    foreign = await foreignThings(lio);
    await lab.startOperator();
  });
  afterAll(async () => {
    await lab?.stop();
    await lio?.stop();
    await network?.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const san = createSan({ lab: () => lab, server: () => serverOf(lio), dir: () => dir });
  const sizeIn = async (name: string): Promise<number | undefined> => {
    const box = lab.placed('box');
    const device = await san.deviceIn(box, name);
    return device === undefined ? undefined : (await box.facts()).disks[device];
  };

  isMade(san);
  boots(san);
  letsNobodyIn(san);
  plugs(san);

  it('grows a disk while the machine runs', slow, async () => {
    const pid = await lab.placed('box').pid();
    await lab.patch('disk', 'carried', { size: '64Mi' });
    await lab.until('disk', 'carried', (it) => it?.status?.size === '64Mi', patient);
    await lab.pulse.until(
      'the larger disk in the guest',
      async () => ((await sizeIn('carried')) === 64 * MiB ? true : undefined),
      patient,
    );
    expect(await lab.placed('box').pid()).toBe(pid);
  });

  it('shares its server with another pool, whose hosts log in otherwise', slow, async () => {
    const { guest } = lio;
    const thick = { type: 'LVM', lvm: { volumeGroup: guest.volumeGroup } };
    await lab.applyAsAdmin(
      secret('thick-chap', 'ovcp-system', { 'chap-password': otherPassword }),
      sanPool('thick', { ...targetOf(lio, 'thick-chap'), backing: thick }),
    );
    await lab.until('storage', 'thick', (it) => is(it, 'Ready', 'True'), patient);
    const onThick = { storagePoolRef: { name: 'thick' } };
    await lab.apply(disk('aside', '8Mi', onThick), disk('beside', '8Mi', onSan));
    for (const name of ['aside', 'beside'])
      await lab.until('disk', name, (it) => is(it, 'Ready', 'True', 'Available'), patient);
    const volumes = await lio.text('lvs', '--noheadings', '-o', 'lv_name,pool_lv', guest.volumeGroup);
    expect(volumes).toMatch(new RegExp(`ovcp-disk-${san.uidOf('beside')} +${guest.thinPool}`));
    expect(volumes).toMatch(new RegExp(`ovcp-disk-${san.uidOf('aside')} *$`, 'm'));
    await lab.remove('disk', 'aside', 'beside');
    for (const name of ['aside', 'beside']) await lab.untilGone('disk', name, patient);
  });

  it(
    'comes back when all targets were taken down and loaded anew, and the machine goes on',
    slow,
    async () => {
      const box = lab.placed('box');
      const pid = await box.pid();
      const device = await san.untilPlugged(box, 'carried');
      // What a boot does; a power loss is in test/integration/iscsi/lio.test.ts.
      await lio.text('systemctl', 'restart', 'rtslib-fb-targetctl');
      const loggedIn = async (): Promise<boolean> =>
        (await san.shown('box.root'))?.initiators.includes(san.initiatorOf(box.host)) === true;
      await waitUntil('the session', loggedIn, patient);
      expect(
        await box.ask(`dd if=/dev/${device} iflag=direct bs=512 count=1 2>/dev/null | head -n 1`),
      ).toMatch(/^carried-by-lun$/m);
      expect(await box.pid()).toBe(pid);
      await lab.until('storage', 'san', (it) => it?.status?.health?.state === 'Healthy', patient);
      const { other } = san.places();
      const { acls } = (await san.shown('carried')) ?? { acls: [] };
      expect(acls).toEqual([san.initiatorOf(box.host)]);
      expect(await san.initiator(san.initiatorOf(other), login).logsIn(san.served('carried'))).toBe(false);
    },
  );

  moves(san);
  leavesNothing(san, ['san', 'thick'], [login.password, otherPassword]);

  it('left what others have there exactly as it was', async () => {
    expect(await foreignThings(lio)).toBe(foreign);
  });
});
