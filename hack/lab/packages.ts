import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { aptGet, mustAptGet } from './apt.ts';
import { run } from './process.ts';

/** Parts of Debian 12's libvirt-daemon that are packages of their own later; an older apt does not know them. */
export const sinceDebian13: readonly string[] = [
  'libvirt-daemon-driver-interface',
  'libvirt-daemon-driver-network',
  'libvirt-daemon-driver-nodedev',
  'libvirt-daemon-driver-nwfilter',
  'libvirt-daemon-driver-secret',
  'libvirt-daemon-driver-storage',
  'libvirt-daemon-log',
];

/** Debian packages of a KVM host of the lab. */
export const kvmHostPackages: readonly string[] = [
  'libvirt-daemon-system',
  'libvirt-daemon-driver-qemu',
  'libvirt-daemon-config-nwfilter',
  'libvirt-clients',
  'qemu-system-x86',
  'qemu-utils',
  'dnsmasq-base',
  'openssh-server',
  'openssh-client',
  'openssl',
  'iproute2',
  'iptables',
  'util-linux',
  'netcat-openbsd',
  ...sinceDebian13,
];

/** Debian packages that make the guest image, and the test oracles. What runs in the guest is unpacked, not installed. */
export const guestImagePackages: readonly string[] = [
  'cpio',
  'genisoimage',
  'mtools',
  'qemu-system-x86',
  'qemu-utils',
  'syslinux',
  'syslinux-common',
  'xz-utils',
  'zstd',
];

/** Debian packages that make and start the storage guest, and the initiators that tests look with. */
export const storageGuestPackages: readonly string[] = [
  'debootstrap',
  'e2fsprogs',
  'iproute2',
  'libiscsi-bin',
  'openssh-client',
  'qemu-block-extra',
  'qemu-system-x86',
  'qemu-utils',
  'util-linux',
];

/** Debian packages of a Gluster server or client of the lab. */
export const glusterPackages: readonly string[] = [
  'glusterfs-server',
  'glusterfs-client',
  'attr',
  'e2fsprogs',
  'iproute2',
  'netcat-openbsd',
  'openssh-client',
  'openssh-server',
  'openssl',
  'procps',
  'sudo',
  'util-linux',
];

/** Debian packages of a tgt server of the lab, and of the initiators that tests look at it with. */
export const iscsiTargetPackages: readonly string[] = [
  'tgt',
  'libiscsi-bin',
  'qemu-block-extra',
  'qemu-utils',
  'openssh-server',
  'openssh-client',
  'openssl',
  'iproute2',
  'util-linux',
  'netcat-openbsd',
  'python3-minimal',
  'sudo',
];

/** Debian packages of the whole of `make lab` and `make demo`. */
export const labPackages: readonly string[] = [
  ...new Set([...kvmHostPackages, ...guestImagePackages, ...glusterPackages, ...iscsiTargetPackages]),
];

const policyPath = '/usr/sbin/policy-rc.d';

const installedPackages = async (names: readonly string[]): Promise<Set<string>> => {
  const { stdout } = await run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    allowFailure: true,
  });
  const lines = stdout.split('\n').map((line) => line.split(' '));
  return new Set(lines.filter(([, status]) => status === 'installed').map(([name]) => name ?? ''));
};

/** Those of these names that apt can install. */
const knownToApt = async (names: readonly string[]): Promise<Set<string>> => {
  const { stdout } = await run(['apt-cache', 'policy', ...names], { allowFailure: true });
  const stanzas = stdout.matchAll(/^(\S+):\n(?: .*\n)*? {2}Candidate: (?!\(none\))/gm);
  return new Set([...stanzas].map((stanza) => stanza[1] ?? ''));
};

/** The names that are not installed, without those this Debian does not know; all of them where there is no dpkg. */
export const missingPackages = async (names: readonly string[]): Promise<string[]> => {
  if (!existsSync('/usr/bin/dpkg-query')) return [...names];
  const installed = await installedPackages(names);
  const missing = names.filter((name) => !installed.has(name));
  const newer = missing.filter((name) => sinceDebian13.includes(name));
  const known = newer.length === 0 ? new Set<string>() : await knownToApt(newer);
  return missing.filter((name) => !sinceDebian13.includes(name) || known.has(name));
};

/** Keeps package scripts from starting services, for as long as `body` runs (Debian Policy 9.3.3, policy-rc.d). */
const withoutServiceStart = async <T>(body: () => Promise<T>): Promise<T> => {
  const before = existsSync(policyPath)
    ? { text: readFileSync(policyPath), mode: statSync(policyPath).mode & 0o777 }
    : undefined;
  writeFileSync(policyPath, '#!/bin/sh\nexit 101\n');
  chmodSync(policyPath, 0o755);
  try {
    return await body();
  } finally {
    if (before === undefined) rmSync(policyPath, { force: true });
    else {
      writeFileSync(policyPath, before.text);
      chmodSync(policyPath, before.mode);
    }
  }
};

const hasPackageLists = (): boolean =>
  existsSync('/var/lib/apt/lists') &&
  readdirSync('/var/lib/apt/lists').some((name) => /_Packages(\.\w+)?$/.test(name));

/**
 * Installs what is missing of `names` with apt-get, without starting any service and without recommended packages.
 * `say` hears what is installed before it happens. Throws when not root or when apt-get fails.
 */
export const ensureDebianPackages = async (
  names: readonly string[],
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  signal?: AbortSignal,
): Promise<void> => {
  if ((await missingPackages(names)).length === 0) return;
  const isRoot = process.getuid?.() === 0;
  // A fresh machine has no package lists, and without them apt knows no name.
  if (isRoot && !hasPackageLists()) {
    say('fetching the lists of Debian packages');
    await mustAptGet(['update'], { say }, signal);
  }
  const missing = await missingPackages([...new Set(names)]);
  if (!isRoot) throw new Error(`these Debian packages are missing: ${missing.join(' ')}`);
  say(`installing Debian packages: ${missing.join(' ')}`);
  const install = ['install', '--no-install-recommends', ...missing];
  await withoutServiceStart(async () => {
    const first = await aptGet(install, { say }, signal);
    if (first.code === 0) return;
    say('that failed; once more with new package lists');
    // Stale lists name versions that are no longer there.
    await mustAptGet(['update'], { say }, signal);
    await mustAptGet(install, { say }, signal);
  });
};
