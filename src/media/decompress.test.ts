import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault, isFault } from '../runtime/fault.ts';
import { type Compression, decompress } from './decompress.ts';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;
/** `printf hello | xz --check=crc64`, so that the test needs no xz program. */
const xzHello = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAEaGVsbG8AAAAAsTe52+XaHpsAAR0FuC2Arx+2830BAAAAAARZWg==',
  'base64',
);

async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
const unpack = async (bytes: Uint8Array, compression: Compression, maxOutputBytes = 1e9, size = 1000) => {
  const parts: Uint8Array[] = [];
  for await (const part of decompress(pieces(bytes, size), { compression, maxOutputBytes }, never))
    parts.push(part);
  return Buffer.concat(parts);
};
const reasonOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  const error: unknown = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error === undefined || error instanceof Fault, String(error)).toBe(true);
  return isFault(error) ? error.reason : undefined;
};

describe.each([
  ['gz', gzipSync],
  ['zst', zstdCompressSync],
] as const)('decompress %s', (compression, pack) => {
  const data = randomBytes(300_000);

  it('unpacks one and several members', async () => {
    expect((await unpack(pack(data), compression)).equals(data)).toBe(true);
    const twice = Buffer.concat([pack(data), pack(data)]);
    expect((await unpack(twice, compression, 1e9, 1e6)).equals(Buffer.concat([data, data]))).toBe(true);
  });

  it('says that the data is cut off', async () => {
    const cut = pack(data).subarray(0, -9);
    await expect(unpack(cut, compression)).rejects.toMatchObject({ reason: 'ImageFormatRefused' });
    await expect(unpack(cut, compression)).rejects.toThrow(/cut off/);
    await expect(unpack(Buffer.alloc(0), compression)).rejects.toThrow(/cut off/);
  });

  it.each([1, 7, 1e6])('refuses what follows the data, in pieces of %i', async (size) => {
    for (const tail of [Buffer.from('garbage'), Buffer.alloc(3000), randomBytes(100)]) {
      const bytes = Buffer.concat([pack(data.subarray(0, 200)), tail]);
      expect(await reasonOf(unpack(bytes, compression, 1e9, size))).toBe('ImageFormatRefused');
    }
  });

  it('stops a bomb at the limit', async () => {
    const bomb = pack(Buffer.alloc(50_000_000));
    expect(await reasonOf(unpack(bomb, compression, 1_000_000))).toBe('ImageTooLarge');
    expect(await reasonOf(unpack(bomb, compression, 50_000_000))).toBeUndefined();
  });

  it('is not ahead of its consumer, and ends the source when left', async () => {
    let given = 0;
    let ended = false;
    const packed = pack(randomBytes(4_000_000));
    const source = async function* () {
      try {
        for await (const piece of pieces(packed, 16_384)) {
          given += piece.byteLength;
          yield piece;
        }
      } finally {
        ended = true;
      }
    };
    let taken = 0;
    for await (const part of decompress(source(), { compression, maxOutputBytes: 1e9 }, never)) {
      taken += part.byteLength;
      expect(given - taken).toBeLessThan(300_000);
      if (taken > 1_000_000) break;
    }
    expect(ended).toBe(true);
    expect(given).toBeLessThan(1_500_000);
  });

  it('passes on faults of the source', async () => {
    const source = async function* () {
      yield pack(data).subarray(0, 1000);
      throw new Fault('unreachable', 'gone', { reason: 'ImageTruncated' });
    };
    const run = async () =>
      Array.fromAsync(decompress(source(), { compression, maxOutputBytes: 1e9 }, never));
    expect(await reasonOf(run())).toBe('ImageTruncated');
  });

  it('survives mutations', async () => {
    const base = pack(data.subarray(0, 2000));
    const edit = fc.record({ at: fc.nat(base.byteLength - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const bytes = Uint8Array.from(base);
        for (const { at, byte } of edits) bytes[at] = byte;
        await reasonOf(unpack(bytes, compression, 1e6));
      }),
      { numRuns: 50 },
    );
  });
});

describe('decompress xz', () => {
  it('unpacks, also several streams with padding', async () => {
    expect((await unpack(xzHello, 'xz')).toString()).toBe('hello');
    const padded = Buffer.concat([xzHello, Buffer.alloc(8), xzHello]);
    expect((await unpack(padded, 'xz', 100, 5)).toString()).toBe('hellohello');
  });

  it('refuses what is cut off, damaged, empty or followed by something else', async () => {
    const bad = Buffer.from(xzHello);
    bad[30] = 1;
    const broken = [xzHello.subarray(0, -4), xzHello.subarray(0, 20), bad, Buffer.alloc(0)];
    for (const bytes of [...broken, Buffer.concat([xzHello, Buffer.from('garbage')])])
      expect(await reasonOf(unpack(bytes, 'xz'))).toBe('ImageFormatRefused');
    expect((await unpack(xzHello, 'xz')).toString()).toBe('hello');
  });

  it('stops at the limit, and serves the next one', async () => {
    expect(await reasonOf(unpack(xzHello, 'xz', 4))).toBe('ImageTooLarge');
    const both = await Promise.all([unpack(xzHello, 'xz'), unpack(xzHello, 'xz')]);
    expect(both.map(String)).toEqual(['hello', 'hello']);
  });

  it('skips empty chunks, which the decoder would take for the end', async () => {
    const source = async function* () {
      yield new Uint8Array(0);
      yield xzHello.subarray(0, 10);
      yield new Uint8Array(0);
      yield xzHello.subarray(10);
    };
    const parts = await Array.fromAsync(
      decompress(source(), { compression: 'xz', maxOutputBytes: 10 }, never),
    );
    expect(Buffer.concat(parts).toString()).toBe('hello');
  });
});

describe('createTurns', () => {
  it('goes in order and forgets who was aborted', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const first = await turns.take(never);
    const gone = new AbortController();
    const second = turns.take(gone.signal);
    const third = turns.take(never).then((release) => {
      order.push('third');
      return release;
    });
    gone.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    expect(order).toEqual([]);
    first();
    first();
    (await third)();
    expect(order).toEqual(['third']);
    await expect(turns.take(AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
  });
});
