import { describe, expect, it } from 'vitest';
import { digestOf, diskContent } from './disk-content.ts';
import type { RawChunk } from './qcow2-read.ts';

const KiB = 1024;

async function* from(...chunks: readonly RawChunk[]): AsyncGenerator<RawChunk, void, void> {
  yield* chunks;
}

const filled = (size: number, byte: number): Uint8Array => new Uint8Array(size).fill(byte);
const quiet = (): void => undefined;

const collected = async (chunks: AsyncIterable<RawChunk>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks)
    parts.push(chunk instanceof Uint8Array ? chunk : new Uint8Array(chunk.hole));
  return Buffer.concat(parts);
};

describe('the content of a disk', () => {
  it('is handed on as it is, with holes where it is zero', async () => {
    const pieces = [
      filled(100, 7),
      { hole: 3_000 * KiB },
      filled(70 * KiB, 9),
      filled(200 * KiB, 0),
      filled(5, 1),
    ];
    const told: number[] = [];
    const content = diskContent(from(...pieces), (bytes) => told.push(bytes));
    const seen: RawChunk[] = [];
    const whole = await collected(
      (async function* () {
        for await (const chunk of content.chunks) {
          seen.push(chunk);
          yield chunk;
        }
      })(),
    );
    expect(whole.equals(await collected(from(...pieces)))).toBe(true);
    expect(content.result().bytes).toBe(whole.byteLength);
    expect(told.at(-1)).toBe(whole.byteLength);
    const data = seen.reduce((sum, it) => sum + (it instanceof Uint8Array ? it.byteLength : 0), 0);
    expect(data).toBeLessThan(330 * KiB);
  });

  it('has a digest that does not depend on pieces, holes or zeros at the end', async () => {
    const one = await digestOf(from(filled(10, 5), { hole: 64 * KiB - 10 }, filled(64 * KiB, 6)), quiet);
    const other = await digestOf(
      from(filled(4, 5), filled(6, 5), filled(64 * KiB - 10, 0), filled(64 * KiB, 6), { hole: 5_000 * KiB }),
      quiet,
    );
    expect(other.digest).toBe(one.digest);
    const short = await digestOf(from(filled(10, 5)), quiet);
    expect((await digestOf(from(filled(10, 5), { hole: 7 }), quiet)).digest).toBe(short.digest);
  });

  it('has another digest when a byte is another one, or lies elsewhere', async () => {
    const base = (await digestOf(from(filled(64 * KiB, 5), { hole: 64 * KiB }), quiet)).digest;
    const others = [
      from(filled(64 * KiB - 1, 5), filled(1, 4)),
      from({ hole: 64 * KiB }, filled(64 * KiB, 5)),
      from(filled(128 * KiB, 5)),
      from({ hole: 128 * KiB }),
    ];
    for (const other of others) expect((await digestOf(other, quiet)).digest).not.toBe(base);
  });
});
