import { describe, expect, it } from 'vitest';
import { isFault } from '../runtime/fault.ts';
import { type RawChunk, type ReadRange, readOwnQcow2, readQcow2 } from './qcow2-read.ts';
import { sampleQcow2 } from './qcow2-sample.ts';

const cluster = 65_536;
const size = 4 * cluster;

/** Ranges of a buffer, in small pieces. */
const ranges = (file: Uint8Array, asked: [number, number][] = []): ReadRange =>
  async function* (offset, length) {
    asked.push([offset, length]);
    const end = Math.min(offset + length, file.byteLength);
    for (let at = offset; at < end; at += 10_000) yield file.subarray(at, Math.min(at + 10_000, end));
  };

const contentOf = async (chunks: AsyncIterable<RawChunk>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks)
    parts.push(chunk instanceof Uint8Array ? chunk : new Uint8Array(chunk.hole));
  return Buffer.concat(parts);
};

/** Header, L1 in cluster 3, one L2 in cluster 4, data from cluster 5 on. */
const image = (entries: readonly bigint[], dataClusters = 3): Buffer => {
  const file = Buffer.alloc((5 + dataClusters) * cluster);
  sampleQcow2({ virtualSize: BigInt(size) }).copy(file);
  file.fill(0, 3 * cluster);
  file.writeBigUInt64BE(BigInt(4 * cluster) | (1n << 63n), 3 * cluster);
  entries.forEach((entry, at) => file.writeBigUInt64BE(entry, 4 * cluster + at * 8));
  for (let at = 0; at < dataClusters; at += 1) file.fill(0x61 + at, (5 + at) * cluster, (6 + at) * cluster);
  return file;
};
const at = (number: number): bigint => BigInt(number * cluster) | (1n << 63n);

describe('readQcow2', () => {
  it('gives data where the tables point to, and zeros elsewhere', async () => {
    const content = await contentOf(readQcow2(ranges(image([at(6), 0n, at(5) | 1n, at(7)]))));
    expect(content.byteLength).toBe(size);
    expect(content.subarray(0, cluster).every((byte) => byte === 0x62)).toBe(true);
    expect(content.subarray(cluster, 3 * cluster).every((byte) => byte === 0)).toBe(true);
    expect(content.subarray(3 * cluster).every((byte) => byte === 0x63)).toBe(true);
  });

  it('reads in one go what lies in a row', async () => {
    const asked: [number, number][] = [];
    await contentOf(readQcow2(ranges(image([at(5), at(6), at(7), 0n]), asked)));
    expect(asked.at(-1)).toEqual([5 * cluster, 3 * cluster]);
    // Header, L1, L2 and the data.
    expect(asked).toHaveLength(4);
  });

  it('takes the file to be zeros after its end, in the last cluster alone', async () => {
    const whole = image([at(5), at(6), 0n, at(7)]);
    const content = await contentOf(readQcow2(ranges(whole.subarray(0, -100))));
    expect(content.byteLength).toBe(size);
    expect(content.subarray(-100).every((byte) => byte === 0)).toBe(true);
    await expect(contentOf(readQcow2(ranges(whole.subarray(0, -cluster - 1))))).rejects.toSatisfy((error) =>
      isFault(error, 'invalid'),
    );
  });

  it.each([
    ['compressed clusters', image([(1n << 62n) | at(5)])],
    ['a misplaced cluster', image([at(5) + 512n])],
    ['a file that ends in its L2 table', image([at(5)]).subarray(0, 4 * cluster)],
    ['a file that ends in its L1 table', image([at(5)]).subarray(0, 3 * cluster)],
    ['extended L2 entries', sampleQcow2({ incompatible: 16n })],
    ['something else', Buffer.alloc(cluster)],
  ])('refuses %s', async (_name, file) => {
    await expect(contentOf(readQcow2(ranges(file)))).rejects.toMatchObject({
      kind: 'invalid',
      reason: 'ImageFormatRefused',
    });
  });

  it('hands faults of the reader on', async () => {
    const broken: ReadRange = async function* () {
      yield new Uint8Array(1);
      throw new TypeError('gone');
    };
    await expect(contentOf(readQcow2(broken))).rejects.toThrow('gone');
  });
});

describe('readOwnQcow2', () => {
  const byteAt = (content: Buffer, number: number): number | undefined => content[number * cluster + 1];

  it('takes from below what the disk does not hold, and nothing where it holds zeros', async () => {
    const top = image([at(6), 0n, at(5) | 1n, 0n]);
    const below = image([at(5), at(7), at(6), 0n]);
    const content = await contentOf(readOwnQcow2(ranges(top), ranges(below)));
    expect(content.byteLength).toBe(size);
    expect([0, 1, 2, 3].map((number) => byteAt(content, number))).toEqual([0x62, 0x63, 0, 0]);
  });

  it('goes on in zeros where what is below ends', async () => {
    const top = image([0n, 0n, 0n, at(7)]);
    const below = image([at(5), at(6)]);
    below.writeBigUInt64BE(BigInt(2 * cluster - 100), 24);
    const content = await contentOf(readOwnQcow2(ranges(top), ranges(below)));
    expect([0, 1, 2, 3].map((number) => byteAt(content, number))).toEqual([0x61, 0x62, 0, 0x63]);
    expect(content.subarray(2 * cluster - 100, 2 * cluster).every((byte) => byte === 0)).toBe(true);
  });

  it('reads a disk that was not closed and names what it stands on, which a copy of ours may not', async () => {
    const used = image([at(5), 0n, 0n, 0n]);
    used.writeBigUInt64BE(1n, 72);
    used.writeBigUInt64BE(112n, 8);
    used.writeUInt32BE(9, 16);
    const content = await contentOf(readOwnQcow2(ranges(used), ranges(image([at(6), at(6), 0n, 0n]))));
    expect([0, 1, 2, 3].map((number) => byteAt(content, number))).toEqual([0x61, 0x62, 0, 0]);
    await expect(contentOf(readQcow2(ranges(used)))).rejects.toMatchObject({ reason: 'ImageFormatRefused' });
    await expect(contentOf(readOwnQcow2(ranges(image([0n])), ranges(used)))).rejects.toMatchObject({
      reason: 'ImageFormatRefused',
    });
  });
});
