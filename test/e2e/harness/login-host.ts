/** The emulated host that logs in to disks, and what it says of them itself: iscsiadm, multipath, virsh, rtslib. */
import type { GuestHost } from '../../../hack/lab/guest-host.ts';
import { hearProof, type ProofLine } from '../../../hack/lab/proof-guest.ts';
import {
  DISK_LUN,
  diskTargetIqn,
  domainName,
  hostInitiatorIqn,
  unitSerial,
  unitWwn,
} from '../../../src/api/identity.ts';
import type { LoginWish } from '../../../src/drivers/hypervisor/host-logins.ts';
import { createOpenIscsi } from '../../../src/drivers/hypervisor/open-iscsi/logins.ts';
import { openShell, type Shell } from '../../../src/drivers/hypervisor/open-iscsi/shell.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { Base } from './base.ts';
import { team } from './objects.ts';
import { foreignTarget, hostSudoers } from './san.ts';

type On = (...argv: string[]) => Promise<string>;

const sorted = (text: string): string => text.split('\n').toSorted().join('\n');

/** Somebody else is logged in to their own target all the time. */
export const logInForeign = async (host: GuestHost): Promise<void> => {
  const node = ['iscsiadm', '-m', 'node', '-T', foreignTarget, '-p', `${host.address}:3260,1`];
  await host.exec([...node, '-o', 'new']);
  await host.exec([...node, '--login']);
};

/** Sessions, records, maps, block devices and machines of the host. */
const hostInventory = async (on: On): Promise<string> =>
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

const dump = [
  'import rtslib_fb',
  'root = rtslib_fb.RTSRoot()',
  'for so in root.storage_objects: print("object", so.plugin, so.name)',
  'for tpg in root.tpgs:',
  '    print("target", tpg.parent_target.wwn, tpg.tag)',
  '    for kind in ("luns", "network_portals", "node_acls"):',
  '        for it in getattr(tpg, kind): print(tpg.parent_target.wwn, kind, it.path)',
].join('\n');

/** Targets, backing objects and volumes of the server, which is the same machine. */
const serverInventory = async (on: On): Promise<string> =>
  [
    sorted(await on('python3', '-c', dump)),
    await on('lvs', '--noheadings', '-o', 'lv_name,lv_attr,lv_tags', '-O', 'lv_name', 'vg0'),
  ].join('\n--\n');

export interface LoginHost {
  /** What the program says on the host, whatever its exit code. */
  readonly on: On;
  hostInventory(): Promise<string>;
  serverInventory(): Promise<string>;
  /** Lines of iscsiadm about the disk. */
  sessionsOf(disk: string): Promise<readonly string[]>;
  mapOf(disk: string): Promise<string>;
  /** The device that a machine opens, by its WWID. */
  pathOf(disk: string): string;
  uidOf(kind: 'disk' | 'machine', name: string): string;
  domainOf(machine: string): string;
  /** What the guest says of its disks. */
  heard(machine: string, disks: number): Promise<readonly ProofLine[]>;
  initiator(): string;
  foreignSession(): Promise<string>;
  /** What the emulator shows its guest of a disk, in bytes; undefined when it has no such disk. */
  emulated(machine: string, disk: string): Promise<number | undefined>;
}

export const createLoginHost = (host: GuestHost, base: Base): LoginHost => {
  const on: On = async (...argv) => (await host.exec(argv, { allowFailure: true })).stdout.trim();
  const uidOf: LoginHost['uidOf'] = (kind, name) => base.mirror.get(kind, name, team)?.metadata.uid ?? '';
  const domainOf = (name: string): string => domainName(team, name, uidOf('machine', name));
  const pathOf = (name: string): string => `/dev/disk/by-id/dm-uuid-mpath-3${unitWwn(uidOf('disk', name))}`;
  const sessions = async (target: string): Promise<readonly string[]> =>
    (await on('iscsiadm', '-m', 'session')).split('\n').filter((line) => line.includes(target));
  return {
    on,
    hostInventory: () => hostInventory(on),
    serverInventory: () => serverInventory(on),
    sessionsOf: (name) => sessions(diskTargetIqn(uidOf('disk', name))),
    mapOf: (name) => on('multipath', '-ll', `3${unitWwn(uidOf('disk', name))}`),
    pathOf,
    uidOf,
    domainOf,
    heard: (name, disks) => hearProof(host, domainOf(name), disks),
    initiator: () => hostInitiatorIqn(base.get('host', 'kvm.deb1')?.metadata.uid ?? ''),
    foreignSession: async () => (await sessions(foreignTarget))[0] ?? '',
    emulated: async (name, disk) => {
      const ask = ['qemu-monitor-command', domainOf(name), '{"execute":"query-named-block-nodes"}'];
      const nodes: { drv: string; image: { filename: string; 'virtual-size': number } }[] = JSON.parse(
        await host.virsh(...ask),
      ).return;
      const node = nodes.find(({ drv, image }) => drv === 'raw' && image.filename === pathOf(disk));
      return node?.image['virtual-size'];
    },
  };
};

/** The host's logins as the operator makes them, by the account that is not root with the documentation's rights. */
export const openAsOvcp = async (host: GuestHost) => {
  await host.exec(['tee', '/etc/sudoers.d/ovcp'], { stdin: hostSudoers() });
  await host.exec(['chmod', '440', '/etc/sudoers.d/ovcp']);
  const shell: Shell = openShell('deb1', {
    host: host.address,
    port: 22,
    user: 'ovcp',
    hostKeys: host.sshKnownHosts,
    privateKey: host.sshPrivateKey,
  });
  return { logins: createOpenIscsi(shell, systemClock()), close: () => shell.close() };
};

/** A disk that no machine has, as the host would be told to log in to it. */
export const wishFor = (
  host: GuestHost,
  uid: string,
  initiator: string,
  secret: NonNullable<LoginWish['secret']>,
): LoginWish & { readonly secret: NonNullable<LoginWish['secret']> } => ({
  targetIqn: diskTargetIqn(uid),
  lun: DISK_LUN,
  portals: host.addresses.map((address) => ({ address, port: 3260 })),
  initiator,
  wwn: unitWwn(uid),
  serial: unitSerial(uid),
  sizeBytes: 4 * 1024 ** 2,
  inUse: false,
  secret,
});

/** Lets the host in at the target by hand. */
export const letIn = async (host: GuestHost, { targetIqn, initiator, secret }: LoginWish): Promise<void> => {
  const lines = [
    'import sys, rtslib_fb',
    'tpg = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), sys.argv[1], "lookup"), 1, "lookup")',
    'acl = rtslib_fb.NodeACL(tpg, sys.argv[2])',
    'acl.chap_userid, acl.chap_password = sys.argv[3:5]',
    'if sys.argv[5:]: acl.chap_mutual_userid, acl.chap_mutual_password = sys.argv[5:]',
    'rtslib_fb.MappedLUN(acl, 1, 1, False)',
  ];
  const { user = '', password = '', mutual } = secret ?? {};
  const words = [user, password, ...(mutual === undefined ? [] : [mutual.user, mutual.password])];
  await host.exec(['python3', '-c', lines.join('\n'), targetIqn, initiator, ...words]);
};
