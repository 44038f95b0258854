import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { Fault } from '../../../runtime/fault.ts';
import type { Chunk } from '../../hypervisor/host-storage.ts';
import type { ServerLink } from '../server-link.ts';
import { fillFrames, readDisk } from './transfer.ts';

const head = (kind: string, length: number): Buffer => {
  const bytes = Buffer.alloc(9);
  bytes.write(kind, 0, 'latin1');
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
};
const endOf = (...parts: Uint8Array[]): Buffer =>
  Buffer.concat([head('E', 32), createHash('sha256').update(Buffer.concat(parts)).digest()]);

async function* from<T>(...items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const gather = async (frames: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const part of frames) parts.push(part);
  return Buffer.concat(parts);
};

const quiet = (): void => undefined;

describe('frames of a fill', () => {
  it('carry data and holes and end with a checksum', async () => {
    const told: number[] = [];
    const chunks = from<Chunk>(Buffer.from('abcd'), { hole: 6 });
    const fill = { sizeBytes: 10, chunks, finished: Promise.resolve() };
    const body = Buffer.concat([head('D', 4), Buffer.from('abcd'), head('H', 6)]);
    const sent = await gather(fillFrames(fill, (percent) => told.push(percent), quiet));
    expect(sent).toEqual(Buffer.concat([body, endOf(body)]));
    expect(told).toEqual([40, 99]);
  });

  it('tell that somebody is there while the source is slow', async () => {
    vi.useFakeTimers();
    try {
      const slow = Promise.withResolvers<void>();
      async function* chunks(): AsyncGenerator<Chunk> {
        await slow.promise;
        yield { hole: 6 };
      }
      const late = Promise.withResolvers<void>();
      const fill = { sizeBytes: 6, chunks: chunks(), finished: late.promise };
      const frames = fillFrames(fill, quiet, quiet);
      const next = async (): Promise<Uint8Array | undefined> => {
        const frame = frames.next();
        await vi.advanceTimersByTimeAsync(30_000);
        const { value } = await frame;
        return value ?? undefined;
      };
      expect(await next()).toEqual(head('N', 0));
      expect(await next()).toEqual(head('N', 0));
      slow.resolve();
      expect(await next()).toEqual(head('H', 6));
      expect(await next()).toEqual(head('N', 0));
      late.resolve();
      // They are no part of the content.
      expect(await next()).toEqual(endOf(head('H', 6)));
    } finally {
      vi.useRealTimers();
    }
  });

  it('cut what is larger than a frame', async () => {
    const chunks = from<Chunk>(new Uint8Array(1024 * 1024 + 1));
    const sent = await gather(
      fillFrames({ sizeBytes: 1, chunks, finished: Promise.resolve() }, quiet, quiet),
    );
    expect(sent.subarray(0, 9)).toEqual(head('D', 1024 * 1024));
    expect(sent.length).toBe(9 + 1024 * 1024 + 9 + 1 + 9 + 32);
  });

  it.each([
    [
      'the source',
      async function* (): AsyncGenerator<Chunk> {
        yield { hole: 1 };
        throw new Fault('unreachable', 'The download failed.');
      },
      () => Promise.resolve(),
    ],
    [
      'the checksum',
      async function* (): AsyncGenerator<Chunk> {
        yield { hole: 1 };
      },
      () => Promise.reject(new Fault('invalid', 'The checksum is wrong.')),
    ],
  ] as const)('give up when %s fails', async (_, chunks, finished) => {
    let failure: unknown;
    const sent = await gather(
      fillFrames({ sizeBytes: 1, chunks: chunks(), finished: finished() }, quiet, (error) => {
        failure = error;
      }),
    );
    expect(sent.subarray(-9)).toEqual(head('A', 0));
    expect(failure).toBeInstanceOf(Fault);
  });
});

describe('a disk that is read', () => {
  const linkOf = (pieces: readonly Uint8Array[], code = 0): ServerLink => ({
    endpoint: { name: 'target', address: 'a', ssh: { host: 'a', port: 22, user: 'root', credentials: {} } },
    run: () => Promise.reject(new Error('not asked')),
    ask: () => Promise.reject(new Error('not asked')),
    start: () =>
      Promise.resolve({
        stdout: from(...pieces),
        stderr: () => '',
        ended: Promise.resolve({ code, signal: undefined }),
      }),
    close: quiet,
  });
  const read = async (...pieces: Uint8Array[]): Promise<Chunk[]> => {
    const chunks: Chunk[] = [];
    for await (const chunk of readDisk(linkOf(pieces), '', { op: 'read' }, new AbortController().signal))
      chunks.push(chunk);
    return chunks;
  };
  const body = Buffer.concat([head('D', 3), Buffer.from('xyz'), head('H', 5)]);

  it('comes in whatever pieces the connection brings', async () => {
    const all = Buffer.concat([body, endOf(body)]);
    const wanted = [new Uint8Array(Buffer.from('xyz')), { hole: 5 }];
    expect(await read(all)).toEqual(wanted);
    expect(await read(...Array.from(all, (byte) => Buffer.from([byte])))).toEqual(wanted);
  });

  it('is refused when its end is missing or its checksum is another', async () => {
    await expect(read(body)).rejects.toMatchObject({ name: 'Fault' });
    await expect(read(body.subarray(0, 5))).rejects.toMatchObject({ name: 'Fault' });
    await expect(read(body, endOf(Buffer.from('other')))).rejects.toMatchObject({
      name: 'Fault',
      kind: 'unreachable',
    });
    await expect(read(head('D', 2 ** 40))).rejects.toMatchObject({ name: 'Fault' });
  });

  it('tells the fault of the server', async () => {
    const words = Buffer.from(
      JSON.stringify({ fault: { kind: 'conflict', message: 'it is published', reason: null } }),
    );
    await expect(read(head('R', words.length), words)).rejects.toMatchObject({
      kind: 'conflict',
      message: 'On server target: it is published.',
    });
  });
});
