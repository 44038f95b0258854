/** What the suite of hosts that log in themselves finds on its storage server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestHost } from '../../../hack/lab/guest-host.ts';
import { repositoryRoot } from '../../../hack/lab/operator.ts';

export const foreignTarget = 'iqn.2003-01.org.example:foreign';

/** Makes the host a storage server as well, with room for volumes and a thin pool. */
export const makeServer = async ({ exec }: Pick<GuestHost, 'exec'>): Promise<void> => {
  await exec(['vgcreate', '-q', 'vg0', '/dev/vdb']);
  await exec(['lvcreate', '-q', '--size', '1G', '--poolmetadatasize', '16M', '--thinpool', 'pool', 'vg0']);
};

/** What is asked before the table of own addresses, which is the first by default. */
const RULE = ['ip', 'rule'];
const portalOf = ({ addresses }: GuestHost): string => `${addresses[1]}/32`;

/** The second portal cannot be reached from the host any more; its server goes on. */
export const cutPath = async (host: GuestHost): Promise<void> => {
  await host.exec([...RULE, 'add', 'pref', '100', 'lookup', 'local']);
  await host.exec([...RULE, 'add', 'pref', '50', 'to', portalOf(host), 'blackhole']);
  await host.exec([...RULE, 'del', 'pref', '0']);
};

export const healPath = async (host: GuestHost): Promise<void> => {
  await host.exec([...RULE, 'del', 'pref', '50']);
};

/** A thin pool of the host, with both its addresses as portals. */
export const sanPool = ({ address, addresses }: GuestHost) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'san' },
  spec: {
    driver: 'iscsi',
    hostPoolRefs: [{ name: 'kvm' }],
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    iscsi: {
      target: {
        software: 'LIO',
        address,
        credentialsSecretRef: { name: 'san-ssh' },
        portals: addresses.map((it) => `${it}:3260`),
      },
      backing: { type: 'LVMThin', lvmThin: { volumeGroup: 'vg0', thinPool: 'pool' } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
      attach: 'Host',
    },
  },
});

/** A target of somebody else, open to everybody who asks. */
export const putForeign = async (guest: GuestHost): Promise<void> => {
  await guest.exec(['lvcreate', '-qq', '--yes', '-L', '16M', '-n', 'foreign', 'vg0']);
  const lines = [
    'import sys, rtslib_fb',
    'so = rtslib_fb.BlockStorageObject("foreign", sys.argv[1])',
    'tpg = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), sys.argv[2]), 1)',
    'rtslib_fb.LUN(tpg, 0, so)',
    'rtslib_fb.NetworkPortal(tpg, sys.argv[3], 3260)',
    'for name, value in (("authentication", 0), ("generate_node_acls", 1), ("cache_dynamic_acls", 1)):',
    '    tpg.set_attribute(name, value)',
    'tpg.enable = True',
  ];
  const words = ['/dev/vg0/foreign', foreignTarget, guest.address];
  await guest.exec(['python3', '-c', lines.join('\n'), ...words]);
};

/** The lines of the documentation for an account that is not root. */
export const hostSudoers = (): string => {
  const text = readFileSync(join(repositoryRoot, 'docs/storage-servers.md'), 'utf8');
  const lines = text
    .split('\n')
    .filter((line) => /^ovcp ALL=.*(iscsiadm|multipath|tar|ovcp-login)/.test(line));
  return `${lines.join('\n')}\n`;
};
