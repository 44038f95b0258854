/** What the suite of hosts that log in themselves finds on its storage server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../hack/lab/operator.ts';
import type { StorageGuest } from '../../../hack/lab/storage-guest.ts';

export const foreignTarget = 'iqn.2003-01.org.example:foreign';

/** A thin pool of the storage guest, with both its addresses as portals. */
export const sanPool = ({ address, addresses, volumeGroup, thinPool }: StorageGuest) => ({
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
      backing: { type: 'LVMThin', lvmThin: { volumeGroup, thinPool } },
      chap: { credentialsSecretRef: { name: 'san-chap' } },
      attach: 'Host',
    },
  },
});

/** A target of somebody else, open to everybody who asks. */
export const putForeign = async (guest: StorageGuest): Promise<void> => {
  const { volumeGroup, address } = guest;
  await guest.exec(['lvcreate', '-qq', '--yes', '-L', '16M', '-n', 'foreign', volumeGroup]);
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
  const words = [`/dev/${volumeGroup}/foreign`, foreignTarget, address];
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
