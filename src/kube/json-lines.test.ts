import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLines } from './json-lines.ts';

async function* chunksOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  }
}

const read = async (chunks: AsyncIterable<Uint8Array>, max = 1_000): Promise<unknown[]> => {
  const values: unknown[] = [];
  for await (const batch of jsonLines(chunks, max)) values.push(...batch);
  return values;
};

test('any values cut anywhere, also inside a character, come back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      async (values, sizes) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        const chunks: Buffer[] = [];
        for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          chunks.push(bytes.subarray(from, from + size));
          from += size;
        }
        expect(await read(chunksOf(...chunks), 1_000_000)).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
  );
});

test('a last line counts if it is whole', async () => {
  expect(await read(chunksOf('{"a":1}\n\n{"b"', ':2}'))).toEqual([{ a: 1 }, { b: 2 }]);
  await expect(read(chunksOf('{"a":1}\n{"b"'))).rejects.toMatchObject({ reason: 'BadWatchEvent' });
});

test('what came before a bad line is yielded first', async () => {
  const lines = jsonLines(chunksOf('{"a":1}\nnonsense\n'), 100);
  expect(await lines.next()).toEqual({ done: false, value: [{ a: 1 }] });
  await expect(lines.next()).rejects.toMatchObject({ kind: 'unreachable', reason: 'BadWatchEvent' });
});

test('a line without end does not fill the memory', async () => {
  await expect(read(chunksOf('x'.repeat(60), 'x'.repeat(60)), 100)).rejects.toMatchObject({
    reason: 'WatchEventTooLarge',
  });
});
