import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { accountFiles } from './accounts.ts';

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
  ssh: { hostKey: string; authorizedKeys: string };
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

const sshdConfig = (address: string): string =>
  [
    `ListenAddress ${address}:22`,
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'PidFile none',
    // Below /etc, because the lab's own folder may be closed to accounts other than root.
    'AuthorizedKeysFile /etc/ssh/authorized_keys',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    '',
  ].join('\n');

const sudoers = [
  'Defaults env_reset',
  'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"',
  targetSudoersLine,
  '',
].join('\n');

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

const write = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
};

/** Writes the folder of a target server: what is mounted inside it, and the daemons' configuration. */
export const writeTargetFiles = (files: TargetFiles): void => {
  const at = (path: string): string => join(files.dir, path);
  for (const path of ['run', 'var/lib/ovcp/luns']) mkdirSync(at(path), { recursive: true });
  const { passwd, group } = accountFiles({ name: targetUser, id: targetUserId });
  write(at('etc/passwd'), passwd);
  write(at('etc/group'), group);
  write(at('etc/hosts'), `127.0.0.1 localhost\n${files.address} ${files.name}\n`);
  // No name server can be reached from the lab's network.
  write(at('etc/nsswitch.conf'), 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n');
  write(at('etc/sudoers'), sudoers, 0o440);
  write(at('etc/tgt/targets.conf'), targetsConf);
  write(at('etc/tgt/conf.d/foreign.conf'), foreignConf, 0o600);
  write(at('var/lib/ovcp/foreign.raw'), 'somebody else keeps this'.padEnd(1024 * 1024, '.'));
  write(at('etc/ssh/sshd_config'), sshdConfig(files.address));
  write(at('etc/ssh/authorized_keys'), readFileSync(files.ssh.authorizedKeys, 'utf8'));
  copyFileSync(files.ssh.hostKey, at('etc/ssh/ssh_host_ed25519_key'));
  chmodSync(at('etc/ssh/ssh_host_ed25519_key'), 0o600);
};

/** An empty /run, as after power-on; only when nothing of the server runs. */
export const wipeTargetRun = ({ dir }: TargetFiles): void => {
  rmSync(join(dir, 'run'), { recursive: true, force: true });
  for (const path of ['sshd', 'lock', 'sudo']) mkdirSync(join(dir, 'run', path), { recursive: true });
};
