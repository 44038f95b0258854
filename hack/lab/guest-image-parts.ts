import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptGet, mustAptGet } from './apt.ts';
import { run } from './process.ts';

/** Folder of the files that make the guest what it is. */
export const guestFolder = join(dirname(fileURLToPath(import.meta.url)), 'guest');

/**
 * Drivers the guest loads, with what they depend on. AHCI is why it has the generic kernel: the cloud flavour lacks
 * it, and a CD-ROM on SATA is the default of the q35 machine.
 */
const drivers = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_scsi',
  'virtio_console',
  'virtio_balloon',
  'virtio-rng',
  'ahci',
  'ata_piix',
  'sd_mod',
  'sr_mod',
  'isofs',
  'nls_utf8',
  'nls_iso8859-1',
  'e1000',
  'button',
  'evdev',
];

/**
 * Unpacks the newest kernel's package and these into `directory` without installing them: busybox-static would push
 * busybox out, and a second kernel is nothing for the machine.
 */
export const unpackPackages = async (others: readonly string[], directory: string): Promise<void> => {
  const downloads = join(directory, '.debs');
  const download = async (): Promise<string[]> => {
    rmSync(downloads, { recursive: true, force: true });
    mkdirSync(downloads, { recursive: true });
    return ['download', await kernelPackage(), ...others];
  };
  const first = await aptGet(await download(), { cwd: downloads });
  if (first.code !== 0) {
    await mustAptGet(['update']);
    // New lists may know another kernel, and not the one before it.
    await mustAptGet(await download(), { cwd: downloads });
  }
  for (const file of readdirSync(downloads)) await run(['dpkg', '-x', join(downloads, file), directory]);
};

/** The package with the newest kernel that Debian's metapackage stands for. */
const kernelPackage = async (): Promise<string> => {
  const look = async (): Promise<string | undefined> => {
    const { stdout } = await run(['apt-cache', 'depends', 'linux-image-amd64'], { allowFailure: true });
    return /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  };
  const name = (await look()) ?? (await mustAptGet(['update']).then(look));
  if (name === undefined) throw new Error('apt knows no linux-image-amd64');
  return name;
};

const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Kernel module names use - and _ alike. */
const moduleName = (path: string): string =>
  basename(path)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');

const loadable = async (path: string): Promise<string> => {
  if (!path.endsWith('.xz')) return path;
  await run(['xz', '-d', path]);
  return path.slice(0, -'.xz'.length);
};

/** The `depends` entry of a module's .modinfo section. */
const dependenciesOf = (path: string): string[] => {
  const list = /\0depends=([^\0]*)\0/.exec(readFileSync(path, 'latin1'))?.[1] ?? '';
  return list.split(',').filter((name) => name !== '');
};

/** Copies the drivers below `root`/lib/modules and lists them in /etc/modules in the order in which they load. */
export const addModules = async (kernelTree: string, root: string): Promise<void> => {
  const modulesFolder = [join(kernelTree, 'lib/modules'), join(kernelTree, 'usr/lib/modules')].find(
    existsSync,
  );
  if (modulesFolder === undefined) throw new Error('the kernel package has no modules');
  const files = new Map(
    walk(modulesFolder)
      .filter((path) => /\.ko(\.xz)?$/.test(path))
      .map((path) => [moduleName(path), path]),
  );
  const order: string[] = [];
  const seen = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const key = name.replaceAll('-', '_');
    const found = files.get(key);
    // Built in, or gone from a newer kernel: the guest's own test says when something it needs is missing.
    if (found === undefined || seen.has(key)) return;
    seen.add(key);
    const path = await loadable(found);
    for (const dependency of dependenciesOf(path)) await add(dependency);
    mkdirSync(join(root, 'lib/modules'), { recursive: true });
    copyFileSync(path, join(root, 'lib/modules', `${key}.ko`));
    order.push(`/lib/modules/${key}.ko`);
  };
  for (const driver of drivers) await add(driver);
  writeFileSync(join(root, 'etc/modules'), `${order.join('\n')}\n`);
};

/** Copies a program of the machine's own libraries together with all of them, as ldd names them. */
const addProgram = async (program: string, root: string): Promise<void> => {
  copyFileSync(program, join(root, 'bin', basename(program)));
  const { stdout } = await run(['ldd', program]);
  for (const [, library = ''] of stdout.matchAll(/(\/\S+) \(0x/g)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
};

const addScripts = (root: string): void => {
  const place: Record<string, string> = {
    inittab: 'etc/inittab',
    rc: 'etc/rc',
    network: 'etc/network',
    watcher: 'etc/watcher',
    'guest-agent': 'etc/guest-agent',
    functions: 'etc/functions',
    'udhcpc.script': 'etc/udhcpc.script',
    'os-release': 'etc/os-release',
    shutdown: 'sbin/shutdown',
  };
  for (const [name, target] of Object.entries(place)) {
    cpSync(join(guestFolder, name), join(root, target));
    chmodSync(join(root, target), 0o755);
  }
  // busybox acpid runs the file named after the power button's event.
  mkdirSync(join(root, 'etc/acpi/PWRF'), { recursive: true });
  writeFileSync(join(root, 'etc/acpi/PWRF/00000080'), '#!/bin/sh\nexec /sbin/shutdown -P\n', { mode: 0o755 });
};

/** The guest's whole root file system, which is its initial RAM disk. */
export const makeRoot = async (packagesTree: string, root: string): Promise<void> => {
  for (const folder of ['bin', 'sbin', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'root', 'lib']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const busybox = [join(packagesTree, 'bin/busybox'), join(packagesTree, 'usr/bin/busybox')].find(existsSync);
  if (busybox === undefined) throw new Error('busybox-static has no busybox');
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const { stdout } = await run([busybox, '--list']);
  for (const applet of stdout.split('\n')) {
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  symlinkSync('/bin/busybox', join(root, 'init'));
  writeFileSync(join(root, 'etc/passwd'), 'root::0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  addScripts(root);
  await addProgram(join(packagesTree, 'usr/sbin/qemu-ga'), root);
  await addModules(packagesTree, root);
};
