import { Fault } from '../runtime/fault.ts';

const NEWLINE = 0x0a;

const parseLine = (line: Buffer): unknown => {
  try {
    return JSON.parse(line.toString('utf8')) as unknown;
  } catch {
    throw new Fault('unreachable', 'a watch event is not whole JSON', { reason: 'BadWatchEvent' });
  }
};

/**
 * Newline-delimited JSON, one array of values per chunk that completed any. A last line without newline counts if
 * it is whole. Rejects with an `unreachable` fault: `BadWatchEvent` for text that is not JSON or was cut,
 * `WatchEventTooLarge` for a line beyond `maxLineBytes`.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
  onChunk: () => void = () => undefined,
): AsyncGenerator<unknown[], void, undefined> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  const hold = (part: Buffer): void => {
    pendingBytes += part.length;
    if (pendingBytes > maxLineBytes) {
      throw new Fault('unreachable', `a watch event exceeds ${maxLineBytes} bytes`, {
        reason: 'WatchEventTooLarge',
      });
    }
    if (part.length > 0) {
      pending.push(part);
    }
  };

  const take = (): Buffer => {
    const [only] = pending;
    const line = pending.length === 1 && only !== undefined ? only : Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
    return line;
  };

  for await (const chunk of chunks) {
    onChunk();
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const values: unknown[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      hold(bytes.subarray(start, end));
      const line = take();
      if (line.length > 0) {
        values.push(parseLine(line));
      }
      start = end + 1;
    }
    hold(bytes.subarray(start));
    if (values.length > 0) {
      yield values;
    }
  }
  if (pendingBytes > 0) {
    yield [parseLine(take())];
  }
}
