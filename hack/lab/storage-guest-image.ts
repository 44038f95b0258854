import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, cacheRoot } from './cache.ts';
import { sinceDebian13 } from './packages.ts';
import { run } from './process.ts';

/** What a storage guest is started from. The root disk is raw, and nothing may be written to it: overlays are. */
export type StorageGuestImage = { kernelPath: string; initrdPath: string; rootPath: string };

const files = fileURLToPath(new URL('storage-guest', import.meta.url));

/** Installed in the guest: what a storage server needs, and what a host needs that mounts and logs in itself. */
const guestPackages = [
  'linux-image-amd64',
  'lvm2',
  'thin-provisioning-tools',
  'python3-rtslib-fb',
  'targetcli-fb',
  'nfs-kernel-server',
  'open-iscsi',
  'multipath-tools',
  'sg3-utils',
  'nfs-common',
  'libvirt-daemon-system',
  'libvirt-daemon-system-systemd',
  'libvirt-daemon-driver-qemu',
  'libvirt-clients',
  'qemu-system-x86',
  'qemu-utils',
  'iptables',
  'netcat-openbsd',
];

/** Changes whenever anything changes that the image is made of, other than Debian's packages. */
const recipeKey = (release: string): string => {
  const hash = createHash('sha256').update(`${release} ${guestPackages.join(' ')}`);
  for (const name of readdirSync(files).toSorted()) hash.update(name).update(readFileSync(join(files, name)));
  return hash.digest('hex').slice(0, 12);
};

type Archive = { site: string; release: string };

/** Where this machine's own Debian comes from: the same archive has the guest's packages. */
const debianArchive = async (): Promise<Archive> => {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const format = ['--format', '$(SITE) $(CODENAME) $(COMPONENT)', 'Identifier: Packages'];
  const { stdout } = await run(['apt-get', 'indextargets', ...format]);
  const sources = stdout.split('\n').map((line) => line.split(' '));
  const own = sources.find(([, codename, component]) => codename === release && component === 'main');
  if (own?.[0] === undefined || release === undefined) throw new Error('apt has no source of this Debian');
  return { site: own[0], release };
};

/** The build has mounts of its own, which go with it even when it is killed. */
const build = async (directory: string, archive: Archive): Promise<void> => {
  const work = join(directory, 'root');
  mkdirSync(work);
  const env = {
    PATH: process.env['PATH'],
    WORK: directory,
    FILES: files,
    MIRROR: archive.site,
    SUITE: archive.release,
    PACKAGES: guestPackages.join(' '),
    NEWER_PACKAGES: sinceDebian13.join(' '),
  };
  const isolated = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
  await run([...isolated, 'setpriv', '--pdeathsig', 'KILL', '--', 'sh', join(files, 'build')], { env });
  rmSync(work, { recursive: true });
};

/**
 * The disk, kernel and initial RAM disk of the storage guest: a Debian of the machine's own release with LIO, LVM, an
 * NFS server, the initiator's side and libvirt, made once and kept in the cache. Needs root, debootstrap and mke2fs.
 */
export const ensureStorageGuestImage = async (
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  root: string = cacheRoot(),
): Promise<StorageGuestImage> => {
  const archive = await debianArchive();
  const folder = await cached(
    `storage-guest-${archive.release}-${recipeKey(archive.release)}`,
    (directory) => {
      say('making the storage guest (only this once; one to three minutes)');
      return build(directory, archive);
    },
    root,
  );
  return {
    kernelPath: join(folder, 'vmlinuz'),
    initrdPath: join(folder, 'initrd.img'),
    rootPath: join(folder, 'root.img'),
  };
};

if (import.meta.main) process.stdout.write(`${JSON.stringify(await ensureStorageGuestImage(), null, 2)}\n`);
