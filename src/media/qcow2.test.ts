import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../runtime/fault.ts';
import { checkQcow2FileSize, inspectQcow2 } from './qcow2.ts';
import { sampleQcow2 } from './qcow2-sample.ts';

const GiB = 1024 ** 3;
const refusal = (bytes: Uint8Array, total?: number): string => {
  try {
    inspectQcow2(bytes, total);
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ kind: 'invalid', reason: 'ImageFormatRefused' });
    return (error as Fault).message;
  }
  return 'accepted';
};

describe('inspectQcow2', () => {
  it('reads a plain version 3 header', () => {
    expect(inspectQcow2(sampleQcow2({ virtualSize: 40n * BigInt(GiB) }))).toMatchObject({
      version: 3,
      virtualSizeBytes: 40 * GiB,
      clusterBits: 16,
      compression: 'zlib',
      extendedL2: false,
      snapshots: 0,
    });
  });

  it('reads version 2 and zstd', () => {
    expect(inspectQcow2(sampleQcow2({ version: 2 })).version).toBe(2);
    expect(inspectQcow2(sampleQcow2({ incompatible: 8n, compressionType: 1 })).compression).toBe('zstd');
  });

  it.each([
    ['no header', sampleQcow2({ magic: 0 }), /no qcow2 header/],
    ['version 1', sampleQcow2({ version: 1 }), /neither 2 nor 3/],
    ['version 4', sampleQcow2({ version: 4 }), /neither 2 nor 3/],
    ['backing file', sampleQcow2({ backingOffset: 512n, backingSize: 11 }), /backing file/],
    ['backing size alone', sampleQcow2({ backingSize: 11 }), /backing file/],
    ['AES', sampleQcow2({ crypt: 1 }), /encrypted/],
    ['LUKS', sampleQcow2({ crypt: 2 }), /encrypted/],
    ['dirty', sampleQcow2({ incompatible: 1n }), /not closed cleanly/],
    ['corrupt', sampleQcow2({ incompatible: 2n }), /corrupt/],
    ['data file', sampleQcow2({ incompatible: 4n }), /external file/],
    ['raw data file', sampleQcow2({ autoclear: 2n }), /external file/],
    [
      'unknown feature',
      sampleQcow2({ incompatible: 1n << 40n }),
      /unknown incompatible features \(0x10000000000\)/,
    ],
    ['bitmaps bit', sampleQcow2({ autoclear: 1n }), /bitmaps/],
    ['compression without bit', sampleQcow2({ compressionType: 1 }), /contradicts/],
    ['compression bit alone', sampleQcow2({ incompatible: 8n }), /contradicts/],
    ['compression type 2', sampleQcow2({ incompatible: 8n, compressionType: 2 }), /type 2 is unknown/],
    [
      'extended L2 in small clusters',
      sampleQcow2({ incompatible: 16n, clusterBits: 12 }),
      /too small for extended/,
    ],
    ['clusters of 256 bytes', sampleQcow2({ clusterBits: 8 }), /cluster size/],
    ['clusters of 4 MiB', sampleQcow2({ clusterBits: 22 }), /cluster size/],
    ['size 2^63', sampleQcow2({ virtualSize: 1n << 63n }), /virtual size is absurd/],
    ['size 0', sampleQcow2({ virtualSize: 0n }), /virtual size is zero/],
    ['L1 too small', sampleQcow2({ l1Entries: 1, virtualSize: 1n << 40n }), /too small/],
    ['L1 far too large', sampleQcow2({ l1Entries: 100_000 }), /absurdly large/],
    ['L1 over 32 MiB', sampleQcow2({ l1Entries: 2 ** 24 }), /over 32 MiB/],
    ['L1 unaligned', sampleQcow2({ l1Offset: 70_000n }), /L1 table is misplaced/],
    ['L1 over the header', sampleQcow2({ l1Offset: 0n }), /L1 table is misplaced/],
    ['no refcounts', sampleQcow2({ refcountClusters: 0 }), /no reference count table/],
    ['refcounts too large', sampleQcow2({ refcountClusters: 1000 }), /over 8 MiB/],
    ['refcount order', sampleQcow2({ refcountOrder: 7 }), /wider than 64/],
    ['many snapshots', sampleQcow2({ snapshots: 65, snapshotsOffset: 65_536n }), /65 internal snapshots/],
    ['short header', sampleQcow2({ headerLength: 96 }), /header length/],
    ['long header', sampleQcow2({ headerLength: 0xff_ff_ff_f8 }), /longer than its first cluster/],
    [
      'data file name',
      sampleQcow2({ extensions: [[0x44415441, Buffer.from('/etc/shadow')]] }),
      /external file/,
    ],
    ['backing format', sampleQcow2({ extensions: [[0xe2792aca, Buffer.from('raw')]] }), /backing file/],
    ['bitmaps', sampleQcow2({ extensions: [[0x23852875, Buffer.alloc(24)]] }), /bitmaps/],
    ['LUKS header', sampleQcow2({ extensions: [[0x0537be77, Buffer.alloc(16)]] }), /encrypted/],
    [
      'hidden behind another',
      sampleQcow2({
        extensions: [
          [7, Buffer.alloc(5)],
          [0x44415441, Buffer.from('x')],
        ],
      }),
      /external/,
    ],
    [
      'version 2 with a data file',
      sampleQcow2({ version: 2, extensions: [[0x44415441, Buffer.from('x')]] }),
      /external/,
    ],
    [
      'twice',
      sampleQcow2({
        extensions: [
          [7, Buffer.alloc(5)],
          [7, Buffer.alloc(5)],
        ],
      }),
      /twice/,
    ],
  ])('refuses %s', (_name, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  it('refuses an extension that claims more than the cluster', () => {
    const bytes = sampleQcow2({ extensions: [[7, Buffer.alloc(8)]] });
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(112 + 4, 0xffff_ffff);
    expect(refusal(bytes)).toMatch(/longer than the first cluster/);
  });

  it('refuses an extension area that runs out of the prefix', () => {
    expect(refusal(sampleQcow2({ clusterBits: 20, extensions: [[7, Buffer.alloc(70_000)]] }))).toMatch(
      /no end/,
    );
  });

  it('ignores unknown extensions, as the specification allows', () => {
    expect(
      refusal(
        sampleQcow2({
          extensions: [
            [7, Buffer.alloc(5)],
            [0x6803f857, Buffer.alloc(96)],
          ],
        }),
      ),
    ).toBe('accepted');
  });

  it('knows tables beyond the file only with its length', () => {
    const bytes = sampleQcow2({ l1Offset: 1n << 30n });
    const info = inspectQcow2(bytes);
    expect(() => checkQcow2FileSize(info, 2 ** 30)).toThrow(/L1 table lies beyond the end/);
    expect(() => checkQcow2FileSize(info, 2 ** 30 + 8)).not.toThrow();
    expect(refusal(bytes, bytes.byteLength)).toMatch(/beyond the end/);
    expect(refusal(sampleQcow2({ snapshots: 1, snapshotsOffset: 1n << 30n }), 2 ** 20)).toMatch(
      /snapshot table lies/,
    );
  });

  it('never throws anything but a Fault, whatever the bytes', () => {
    const base = sampleQcow2({});
    const edit = fc.record({ at: fc.nat(200), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 12 }), fc.nat(300), (edits, keep) => {
        const bytes = Uint8Array.from(base.subarray(0, keep + (edits.length > 6 ? 0 : 70_000)));
        for (const { at, byte } of edits) if (at < bytes.length) bytes[at] = byte;
        refusal(bytes, 400_000);
      }),
      { numRuns: 2000 },
    );
  });

  it('never accepts what points to another file', () => {
    const poison = fc.oneof(
      fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }).map((backingOffset) => ({ backingOffset })),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((bits) => ({ incompatible: bits | 4n })),
      fc.constant({ extensions: [[0x44415441, Buffer.from('secret')] as const] }),
      fc.constant({ crypt: 2 }),
    );
    const shape = fc.record({ version: fc.constant(3), clusterBits: fc.integer({ min: 9, max: 21 }) });
    fc.assert(
      fc.property(poison, shape, (bad, good) => {
        expect(refusal(sampleQcow2(good))).toBe('accepted');
        expect(refusal(sampleQcow2({ ...good, ...bad }))).not.toBe('accepted');
      }),
    );
  });
});
