import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { accountFiles } from './accounts.ts';
import { type SshFiles, writeFile, writeSshFiles } from './machine-files.ts';

/** Name of the host account that is not root and may use libvirt by its group. */
export const unprivilegedUser = 'ovcp';
const unprivilegedId = 64_900;

/** What hides the machine's own files of the same path inside a host. */
export const hostMounts = [
  'run',
  'etc/libvirt',
  'etc/ssh',
  'etc/passwd',
  'etc/group',
  'etc/hosts',
  'var/lib/libvirt',
  'var/cache/libvirt',
  'var/log/libvirt',
  'var/lib/ovcp',
] as const;

export type HostFiles = {
  /** The host's folder. */
  dir: string;
  name: string;
  address: string;
  hostUuid: string;
  /** Paths of PEM files; undefined without a TLS listener. */
  tls: { ca: string; cert: string; key: string } | undefined;
  ssh: SshFiles;
  /** Folder (as seen inside) where the daemon makes its socket. */
  socketDir: string;
};

/** libvirtd.conf(5). Access is by socket permission alone: there is no polkit inside a host. */
const libvirtdConf = (files: HostFiles): string =>
  [
    'unix_sock_group = "libvirt"',
    'unix_sock_ro_perms = "0777"',
    'unix_sock_rw_perms = "0770"',
    'auth_unix_ro = "none"',
    'auth_unix_rw = "none"',
    `unix_sock_dir = "${files.socketDir}"`,
    'listen_tcp = 0',
    `listen_tls = ${files.tls === undefined ? 0 : 1}`,
    ...(files.tls === undefined
      ? []
      : [
          `listen_addr = "${files.address}"`,
          'tls_port = "16514"',
          'auth_tls = "none"',
          `ca_file = "${files.tls.ca}"`,
          `cert_file = "${files.tls.cert}"`,
          `key_file = "${files.tls.key}"`,
        ]),
    `host_uuid = "${files.hostUuid}"`,
    'log_level = 3',
    '',
  ].join('\n');

/**
 * qemu.conf. Everything runs as root because the host has no other mapping of users to files; libvirt's own mount
 * namespaces and cgroups would need a systemd that is not there; owners remembered in extended attributes would
 * outlive the lab on the machine's own files.
 */
const qemuConf = [
  'user = "root"',
  'group = "root"',
  'security_driver = "none"',
  'namespaces = []',
  'cgroup_controllers = []',
  'remember_owner = 0',
  'vnc_listen = "127.0.0.1"',
  '',
].join('\n');

/** The account that is not root is in group libvirt. */
const accounts = (): { passwd: string; group: string } => {
  const { passwd, group } = accountFiles({ name: unprivilegedUser, id: unprivilegedId });
  const joined = (head: string, members: string): string =>
    `${head}${members === '' ? '' : `${members},`}${unprivilegedUser}`;
  return {
    passwd,
    group: group.replace(/^(libvirt:[^:]*:\d+:)(.*)$/m, (_, head: string, members: string) =>
      joined(head, members),
    ),
  };
};

/** Writes (or completes) the host's folder: what is mounted inside it, and the daemons' configuration. */
export const writeHostFiles = (files: HostFiles): void => {
  const at = (path: string): string => join(files.dir, path);
  for (const path of [
    'run',
    'var/lib/libvirt',
    'var/cache/libvirt',
    'var/log/libvirt',
    'var/lib/ovcp/disks',
  ]) {
    mkdirSync(at(path), { recursive: true });
  }
  mkdirSync(at('etc/libvirt'), { recursive: true });
  // The filters (clean-traffic and its parts) that a Debian host has.
  if (existsSync('/etc/libvirt/nwfilter')) {
    cpSync('/etc/libvirt/nwfilter', at('etc/libvirt/nwfilter'), { recursive: true });
  }
  const { passwd, group } = accounts();
  writeFile(at('etc/passwd'), passwd);
  writeFile(at('etc/group'), group);
  writeFile(at('etc/hosts'), `127.0.0.1 localhost\n${files.address} ${files.name}\n`);
  writeFile(at('etc/libvirt/libvirtd.conf'), libvirtdConf(files));
  writeFile(at('etc/libvirt/qemu.conf'), qemuConf);
  writeSshFiles(files.dir, files.address, files.ssh, ['Subsystem sftp internal-sftp']);
};

/** Folders that daemons expect in an empty /run. */
export const prepareRun = (files: HostFiles): void => {
  for (const path of ['libvirt', 'sshd', 'lock', 'user'])
    mkdirSync(join(files.dir, 'run', path), { recursive: true });
};
