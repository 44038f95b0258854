import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { constants, zstdCompressSync } from 'node:zlib';
import { cached, cacheRoot } from './cache.ts';
import { guestFolder, makeRoot, unpackPackages } from './guest-image-parts.ts';
import { run } from './process.ts';

export type GuestImage = {
  rawPath: string;
  qcow2Path: string;
  /** Virtual size of both, in bytes. */
  sizeBytes: number;
  /** SHA-256 of each file, lower case hex. */
  sha256: { raw: string; qcow2: string };
};

const sector = 512;
const diskBytes = 48 * 1024 * 1024;
const partitionStart = 2048;
const partitionSectors = diskBytes / sector - partitionStart;
/** Sector between partition table and first partition by which the guest knows its boot disk (guest/functions). */
const markSector = 999;

/** Changes whenever anything changes that the image is made of, other than Debian's packages. */
const recipeKey = (): string => {
  const hash = createHash('sha256');
  const own = ['guest-image.ts', 'guest-image-parts.ts'].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
  const files = readdirSync(guestFolder)
    .toSorted()
    .map((name) => join(guestFolder, name));
  for (const file of [...own, ...files]) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
};

const writeAt = (file: string, offset: number, bytes: Uint8Array): void => {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
};

/** One active FAT16 (LBA) partition; CHS fields are 0xFE,0xFF,0xFF, "use LBA". */
const partitionTable = (): Uint8Array => {
  const table = Buffer.alloc(66);
  table.set([0x80, 0xfe, 0xff, 0xff, 0x0e, 0xfe, 0xff, 0xff], 0);
  table.writeUInt32LE(partitionStart, 8);
  table.writeUInt32LE(partitionSectors, 12);
  table.set([0x55, 0xaa], 64);
  return table;
};

/**
 * A disk with SYSLINUX, kernel and initial RAM disk on FAT. mtools and syslinux work on a file at an offset, so
 * neither loop devices nor mounts are needed.
 */
const makeDisk = async (raw: string, kernel: string, initrd: string): Promise<void> => {
  writeFileSync(raw, '');
  truncateSync(raw, diskBytes);
  writeAt(raw, 0, readFileSync('/usr/lib/syslinux/mbr/mbr.bin').subarray(0, 440));
  writeAt(raw, 446, partitionTable());
  writeAt(raw, markSector * sector, Buffer.from('OVCPBOOT\n'));
  const offset = partitionStart * sector;
  const drive = `${raw}@@${offset}`;
  const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' };
  await run(
    [
      'mformat',
      '-i',
      drive,
      '-T',
      `${partitionSectors}`,
      '-h',
      '16',
      '-s',
      '63',
      '-H',
      `${partitionStart}`,
      '::',
    ],
    { env },
  );
  await run(['syslinux', '--install', '--offset', `${offset}`, raw]);
  const files = { vmlinuz: kernel, initrd, 'syslinux.cfg': join(guestFolder, 'syslinux.cfg') };
  for (const [name, path] of Object.entries(files))
    await run(['mcopy', '-i', drive, path, `::${name}`], { env });
};

const makeInitrd = async (root: string, path: string): Promise<void> => {
  const { stdout: names } = await run(['find', '.', '-mindepth', '1'], { cwd: root });
  const archive = `${path}.cpio`;
  await run(['cpio', '--quiet', '-o', '-H', 'newc', '-R', '0:0', '-F', archive], { cwd: root, stdin: names });
  // zstd is what an emulated CPU unpacks fastest of what Debian's kernels know.
  const params = { [constants.ZSTD_c_compressionLevel]: 19 };
  writeFileSync(path, zstdCompressSync(readFileSync(archive), { params }));
  rmSync(archive);
};

const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

const build = async (directory: string): Promise<void> => {
  const work = join(directory, 'work');
  const packages = join(work, 'packages');
  const root = join(work, 'root');
  mkdirSync(packages, { recursive: true });
  await unpackPackages(['busybox-static', 'qemu-guest-agent'], packages);
  await makeRoot(packages, root);
  await makeInitrd(root, join(work, 'initrd'));
  const kernel = readdirSync(join(packages, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error('the kernel package has no vmlinuz');
  copyFileSync(join(packages, 'boot', kernel), join(work, 'vmlinuz'));
  const [raw, qcow2] = [join(directory, 'guest.raw'), join(directory, 'guest.qcow2')];
  await makeDisk(raw, join(work, 'vmlinuz'), join(work, 'initrd'));
  await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
  const sha256 = { raw: await sha256Of(raw), qcow2: await sha256Of(qcow2) };
  writeFileSync(join(directory, 'image.json'), JSON.stringify({ sha256 }));
  rmSync(work, { recursive: true });
};

/**
 * A small disk image that boots from disk by BIOS, made of Debian's own packages (Linux, busybox, QEMU's guest agent)
 * once and kept in the cache. Needs the packages of `guestImagePackages` and apt's package lists, but not root.
 */
export const ensureGuestImage = async (
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  root: string = cacheRoot(),
): Promise<GuestImage> => {
  const folder = await cached(
    `guest-image-${recipeKey()}`,
    (directory) => {
      say('making the guest image (only this once; about a minute)');
      return build(directory);
    },
    root,
  );
  const { sha256 } = JSON.parse(await readFile(join(folder, 'image.json'), 'utf8')) as Pick<
    GuestImage,
    'sha256'
  >;
  const rawPath = join(folder, 'guest.raw');
  return { rawPath, qcow2Path: join(folder, 'guest.qcow2'), sizeBytes: statSync(rawPath).size, sha256 };
};

if (import.meta.main) process.stdout.write(`${JSON.stringify(await ensureGuestImage(), null, 2)}\n`);
