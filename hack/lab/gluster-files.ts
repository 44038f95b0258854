import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { accountFiles } from './accounts.ts';
import type { HostNamespace } from './host-namespace.ts';
import { emptyRun, type SshFiles, writeFile, writeSshFiles, writeSudoers } from './machine-files.ts';
import { run } from './process.ts';

/** Account that is not root. */
export const sudoUser = 'ovcp';
const sudoUserId = 64_900;

/** Where a server's file system for bricks is mounted. */
export const brickFolder = '/var/lib/ovcp/bricks';

/** What hides the machine's own files of the same path inside a server. */
export const glusterMounts = [
  'run',
  'etc/ssh',
  'etc/passwd',
  'etc/group',
  'etc/hosts',
  'etc/nsswitch.conf',
  'etc/sudoers',
  'var/lib/glusterd',
  'var/log/glusterfs',
  'var/lib/ovcp',
] as const;

export type GlusterFiles = {
  dir: string;
  name: string;
  address: string;
  role: 'server' | 'client';
  /** Lines of /etc/hosts: every machine of the cluster, so that their names can be used and looked up backwards. */
  hosts: readonly string[];
  ssh: SshFiles;
};

/** The whole of what an account needs; docs/storage-servers.md shows the same. */
export const sudoersLines: readonly string[] = [
  `${sudoUser} ALL=(root) NOPASSWD: /usr/sbin/gluster --mode\\=script --xml *`,
  `${sudoUser} ALL=(root) NOPASSWD: /usr/bin/ls -A -- *`,
  `${sudoUser} ALL=(root) NOPASSWD: /usr/bin/stat -c %m -- *`,
];

/** Writes the folder of a machine: what is mounted inside it, and the daemons' configuration. */
export const writeGlusterFiles = (files: GlusterFiles): void => {
  const at = (path: string): string => join(files.dir, path);
  for (const path of ['run', 'var/log/glusterfs', 'var/lib/ovcp/bricks'])
    mkdirSync(at(path), { recursive: true });
  // The option groups and hooks that the package brings; the rest of the folder is the cluster's state.
  for (const path of ['groups', 'hooks']) {
    cpSync(join('/var/lib/glusterd', path), at(`var/lib/glusterd/${path}`), { recursive: true });
  }
  const { passwd, group } = accountFiles({ name: sudoUser, id: sudoUserId });
  writeFile(at('etc/passwd'), passwd);
  writeFile(at('etc/group'), group);
  writeFile(at('etc/hosts'), ['127.0.0.1 localhost', ...files.hosts, ''].join('\n'));
  // glusterd looks up every address backwards, and would wait for name servers that the lab's network does not reach.
  writeFile(at('etc/nsswitch.conf'), 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n');
  writeSudoers(files.dir, sudoersLines);
  writeSshFiles(files.dir, files.address, files.ssh);
};

/** An empty /run, as after power-on; only when nothing of the machine runs. */
export const wipeRun = ({ dir }: Pick<GlusterFiles, 'dir'>): void => {
  emptyRun(dir, ['gluster', 'sshd', 'lock']);
};

/** A file system that is not the root's, as bricks should have. */
export const createBrickDisk = async ({ dir }: GlusterFiles, sizeMiB: number): Promise<void> => {
  const image = join(dir, 'bricks.img');
  await run(['truncate', '-s', `${sizeMiB}M`, image]);
  await run(['mkfs.ext4', '-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1', image]);
};

/** Mounts it inside the machine alone: with the machine goes the mount, and with the mount the loop device. */
export const mountBrickDisk = async (
  { dir }: Pick<GlusterFiles, 'dir'>,
  ns: HostNamespace,
): Promise<void> => {
  const { stdout } = await run(['losetup', '--find', '--show', join(dir, 'bricks.img')]);
  const device = stdout.trim();
  try {
    const inside = '/dev/brick-disk';
    const minor = device.replace('/dev/loop', '');
    await ns.exec(['mknod', inside, 'b', '7', minor]);
    await ns.exec(['mount', '-t', 'ext4', inside, brickFolder]);
  } finally {
    // While it is mounted this only marks the device to go with the mount.
    await run(['losetup', '--detach', device]);
  }
};
