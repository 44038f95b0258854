import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { accountFiles } from './accounts.ts';
import { emptyRun, type SshFiles, writeFile, writeSshFiles, writeSudoers } from './machine-files.ts';

/** Account that is not root. */
export const targetUser = 'ovcp';
const targetUserId = 64_900;

/** Where disks are kept inside: a small file system of its own. */
export const lunFolder = '/var/lib/ovcp/luns';

/** What hides the machine's own files of the same path inside a target server. */
export const targetMounts = [
  'run',
  'etc/ssh',
  'etc/passwd',
  'etc/group',
  'etc/hosts',
  'etc/nsswitch.conf',
  'etc/sudoers',
  'etc/tgt',
  'var/lib/ovcp',
] as const;

export type TargetFiles = {
  dir: string;
  name: string;
  address: string;
  ssh: SshFiles;
};

/** A target that somebody else made: it must be the same after everything. */
export const foreignTarget = {
  iqn: 'iqn.2001-04.com.example:foreign',
  user: 'archivist',
  secret: 'a-secret-of-others',
  path: '/var/lib/ovcp/foreign.raw',
} as const;

/** The whole of what an account needs; docs/storage-servers.md shows the same line. */
export const targetSudoersLine = `${targetUser} ALL=(root) NOPASSWD: /usr/bin/python3 -I -c *`;

/** As Debian's package has it. */
const targetsConf = 'include /etc/tgt/conf.d/*.conf\n';

const foreignConf = [
  `<target ${foreignTarget.iqn}>`,
  `    backing-store ${foreignTarget.path}`,
  `    incominguser ${foreignTarget.user} ${foreignTarget.secret}`,
  '    initiator-address ALL',
  '</target>',
  '',
].join('\n');

/** Writes the folder of a target server: what is mounted inside it, and the daemons' configuration. */
export const writeTargetFiles = (files: TargetFiles): void => {
  const at = (path: string): string => join(files.dir, path);
  for (const path of ['run', 'var/lib/ovcp/luns']) mkdirSync(at(path), { recursive: true });
  const { passwd, group } = accountFiles({ name: targetUser, id: targetUserId });
  writeFile(at('etc/passwd'), passwd);
  writeFile(at('etc/group'), group);
  writeFile(at('etc/hosts'), `127.0.0.1 localhost\n${files.address} ${files.name}\n`);
  // No name server can be reached from the lab's network.
  writeFile(at('etc/nsswitch.conf'), 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n');
  writeSudoers(files.dir, [targetSudoersLine]);
  writeFile(at('etc/tgt/targets.conf'), targetsConf);
  writeFile(at('etc/tgt/conf.d/foreign.conf'), foreignConf, 0o600);
  writeFile(at('var/lib/ovcp/foreign.raw'), 'somebody else keeps this'.padEnd(1024 * 1024, '.'));
  writeSshFiles(files.dir, files.address, files.ssh);
};

/** An empty /run, as after power-on; only when nothing of the server runs. */
export const wipeTargetRun = ({ dir }: TargetFiles): void => {
  emptyRun(dir, ['sshd', 'lock', 'sudo']);
};
