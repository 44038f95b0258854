/** What the folders of all machines in the lab have in common: a file that is written, sshd, sudo. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Paths of the machine's own host key and of the keys that may log in. */
export interface SshFiles {
  readonly hostKey: string;
  readonly authorizedKeys: string;
}

/** A new file in place of any that is there, with its folders. */
export const writeFile = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
};

const sshdConfig = (address: string, more: readonly string[]): string =>
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
    ...more,
    '',
  ].join('\n');

/** /etc/ssh of the machine whose folder is `dir`; `more`: further lines of sshd_config(5). */
export const writeSshFiles = (
  dir: string,
  address: string,
  ssh: SshFiles,
  more: readonly string[] = [],
): void => {
  const at = (name: string): string => join(dir, 'etc/ssh', name);
  writeFile(at('sshd_config'), sshdConfig(address, more));
  writeFile(at('authorized_keys'), readFileSync(ssh.authorizedKeys, 'utf8'));
  copyFileSync(ssh.hostKey, at('ssh_host_ed25519_key'));
  chmodSync(at('ssh_host_ed25519_key'), 0o600);
};

/** A whole sudoers(5) with these rules. */
export const writeSudoers = (dir: string, rules: readonly string[]): void => {
  const lines = [
    'Defaults env_reset',
    'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"',
    ...rules,
    '',
  ];
  writeFile(join(dir, 'etc/sudoers'), lines.join('\n'), 0o440);
};

/** An empty /run with these folders, as after power-on; only when nothing of the machine runs. */
export const emptyRun = (dir: string, folders: readonly string[]): void => {
  rmSync(join(dir, 'run'), { recursive: true, force: true });
  for (const path of folders) mkdirSync(join(dir, 'run', path), { recursive: true });
};
