import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectFormat } from '../../../src/media/image-format.ts';
import { inspectQcow2 } from '../../../src/media/qcow2.ts';
import { luks, luksInQcow2 } from './luks-files.ts';
import { haveTools, inFolder, tool } from './oracles.ts';

const ready = await haveTools('qemu-img');

/** Create an image with qemu-img, inspect the file, and hand out what we and what it says. */
const inspectMade = async (args: readonly string[], after: readonly (readonly string[])[] = []) =>
  inFolder(async (folder) => {
    const file = join(folder, 'disk');
    const fill = (words: readonly string[]) => words.map((word) => word.replaceAll('@', folder));
    await writeFile(join(folder, 'base'), Buffer.alloc(65_536));
    await tool('qemu-img', ...fill(args));
    for (const more of after) await tool('qemu-img', ...fill(more));
    const bytes = await readFile(file);
    const info = JSON.parse(String(await tool('qemu-img', 'info', '--output=json', file))) as Record<
      string,
      unknown
    >;
    return { ours: () => inspectQcow2(bytes, bytes.byteLength), theirs: info, format: detectFormat(bytes) };
  });
const create = (...options: readonly string[]): string[] => ['create', '-q', '-f', 'qcow2', ...options];

describe.skipIf(!ready)('qcow2 files of qemu-img', () => {
  it.each([
    ['plain', create('@/disk', '10G'), {}],
    ['tiny', create('@/disk', '512'), {}],
    ['2 TiB', create('@/disk', '2T'), {}],
    ['version 2', create('-o', 'compat=0.10', '@/disk', '10G'), { version: 2 }],
    ['small clusters', create('-o', 'cluster_size=512', '@/disk', '1G'), { clusterBits: 9 }],
    ['large clusters', create('-o', 'cluster_size=2M', '@/disk', '1G'), { clusterBits: 21 }],
    ['zstd', create('-o', 'compression_type=zstd', '@/disk', '1G'), { compression: 'zstd' }],
    ['extended L2', create('-o', 'extended_l2=on', '@/disk', '1G'), { extendedL2: true }],
    ['lazy refcounts', create('-o', 'lazy_refcounts=on', '@/disk', '1G'), {}],
    ['1-bit refcounts', create('-o', 'refcount_bits=1', '@/disk', '1G'), {}],
    ['preallocated', create('-o', 'preallocation=metadata', '@/disk', '64M'), {}],
  ])('takes %s and reads the same size', async (_name, args, expected) => {
    const { ours, theirs, format } = await inspectMade(args);
    expect(format).toBe('qcow2');
    expect(ours()).toMatchObject({ virtualSizeBytes: theirs['virtual-size'], ...expected });
    expect(2 ** ours().clusterBits).toBe(theirs['cluster-size']);
  });

  it('takes what was grown, shrunk and snapshotted', async () => {
    const { ours } = await inspectMade(create('@/disk', '1G'), [
      ['resize', '-q', '@/disk', '200G'],
      ['resize', '-q', '--shrink', '@/disk', '64M'],
      ['snapshot', '-c', 'one', '@/disk'],
    ]);
    expect(ours()).toMatchObject({ virtualSizeBytes: 64 * 1024 * 1024, snapshots: 1 });
  });

  it('takes converted and compressed images', async () => {
    const { ours } = await inspectMade(['convert', '-c', '-O', 'qcow2', '@/base', '@/disk']);
    expect(ours().virtualSizeBytes).toBe(65_536);
  });

  it.each([
    ['a backing file', create('-b', '@/base', '-F', 'raw', '@/disk'), /backing file/],
    ['a data file', create('-o', 'data_file=@/data', '@/disk', '1G'), /external file/],
    ['a raw data file', create('-o', 'data_file=@/data,data_file_raw=on', '@/disk', '1G'), /external file/],
    [
      'AES',
      create(
        ...['--object', 'secret,id=s,data=abc', '-o', 'encrypt.format=aes,encrypt.key-secret=s'],
        ...['@/disk', '1M'],
      ),
      /encrypted/,
    ],
  ])('refuses %s', async (_name, args, message) => {
    const { ours } = await inspectMade(args);
    expect(ours).toThrow(message);
  });

  it('refuses LUKS', () => {
    const bytes = luksInQcow2();
    expect(() => inspectQcow2(bytes, bytes.byteLength)).toThrow(/encrypted/);
  });

  it('refuses bitmaps', async () => {
    const { ours } = await inspectMade(create('@/disk', '1G'), [['bitmap', '--add', '@/disk', 'b0']]);
    expect(ours).toThrow(/bitmaps/);
  });

  it('takes an image whose backing file was removed again', async () => {
    const { ours } = await inspectMade(create('-b', '@/base', '-F', 'raw', '@/disk'), [
      ['rebase', '-u', '-b', '', '@/disk'],
    ]);
    expect(ours().virtualSizeBytes).toBe(65_536);
  });

  it('names luks', () => {
    expect(detectFormat(luks())).toBe('luks');
  });

  it.each(['vmdk', 'vhdx', 'vdi', 'vpc', 'qed', 'qcow', 'parallels'])('names %s', async (format) => {
    await inFolder(async (folder) => {
      const file = join(folder, 'disk');
      await tool('qemu-img', 'create', '-q', '-f', format, file, '8M');
      expect((await stat(file)).size).toBeGreaterThan(0);
      expect(detectFormat(await readFile(file))).toBe(format === 'vpc' ? 'vhd' : format);
    });
  });
});
