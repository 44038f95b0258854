import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { run } from './process.ts';

/** Debian packages of a KVM host of the lab. */
export const kvmHostPackages = [
  'libvirt-daemon-system',
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
] as const;

/** Debian packages that make the guest image, and the test oracles. What runs in the guest is unpacked, not installed. */
export const guestImagePackages = [
  'cpio',
  'genisoimage',
  'mtools',
  'qemu-system-x86',
  'qemu-utils',
  'syslinux',
  'syslinux-common',
  'xz-utils',
] as const;

const policyPath = '/usr/sbin/policy-rc.d';

const installedPackages = async (names: readonly string[]): Promise<Set<string>> => {
  const { stdout } = await run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    allowFailure: true,
  });
  const lines = stdout.split('\n').map((line) => line.split(' '));
  return new Set(lines.filter(([, status]) => status === 'installed').map(([name]) => name ?? ''));
};

/** The names that are not installed; all of them where there is no dpkg. */
export const missingPackages = async (names: readonly string[]): Promise<string[]> => {
  if (!existsSync('/usr/bin/dpkg-query')) return [...names];
  const installed = await installedPackages(names);
  return names.filter((name) => !installed.has(name));
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

/**
 * Installs what is missing of `names` with apt-get, without starting any service and without recommended packages.
 * `say` hears what is installed before it happens. Throws when not root or when apt-get fails.
 */
export const ensureDebianPackages = async (
  names: readonly string[],
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  signal?: AbortSignal,
): Promise<void> => {
  const missing = await missingPackages([...new Set(names)]);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`these Debian packages are missing: ${missing.join(' ')}`);
  say(`installing Debian packages: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another apt or a boot-time update may hold the lock: wait for it rather than fail.
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];
  const install = [...apt, 'install', '--no-install-recommends', ...missing];
  await withoutServiceStart(async () => {
    const first = await run(install, { env, allowFailure: true }, signal);
    if (first.code === 0) return;
    // No package lists yet, or stale ones.
    await run([...apt, 'update'], { env }, signal);
    await run(install, { env }, signal);
  });
};
