import { Fault, toFault } from '../runtime/fault.ts';

const NEWLINE = 0x0a;

const parseLine = (line: Buffer): unknown => {
  try {
    return JSON.parse(line.toString('utf8')) as unknown;
  } catch {
    throw new Fault('unreachable', 'a watch event is not whole JSON', { reason: 'BadWatchEvent' });
  }
};

/** The start of a line whose end has not come yet, in the pieces it came in. */
const createHeld = (maxBytes: number) => {
  let pieces: Buffer[] = [];
  let size = 0;
  const hold = (piece: Buffer): void => {
    size += piece.length;
    if (size > maxBytes) {
      throw new Fault('unreachable', `a watch event exceeds ${maxBytes} bytes`, {
        reason: 'WatchEventTooLarge',
      });
    }
    if (piece.length > 0) {
      pieces.push(piece);
    }
  };
  const take = (): Buffer => {
    const [only] = pieces;
    const line = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, size);
    pieces = [];
    size = 0;
    return line;
  };
  return { hold, take };
};

type Held = ReturnType<typeof createHeld>;

/** The lines that end in this chunk; what was read before a bad one comes with the failure. */
const completed = (bytes: Buffer, held: Held): { values: unknown[]; failure: Fault | undefined } => {
  const values: unknown[] = [];
  let start = 0;
  try {
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      held.hold(bytes.subarray(start, end));
      const line = held.take();
      if (line.length > 0) {
        values.push(parseLine(line));
      }
      start = end + 1;
    }
    held.hold(bytes.subarray(start));
    return { values, failure: undefined };
  } catch (error) {
    return { values, failure: toFault(error) };
  }
};

/**
 * Newline-delimited JSON, one array of values per chunk that completed any; `onChunk` hears of every chunk. A last
 * line without newline counts if it is whole. Rejects with an `unreachable` fault: `BadWatchEvent` for text that is
 * not JSON or was cut, `WatchEventTooLarge` for a line beyond `maxLineBytes`; all values before are yielded first.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
  onChunk: () => void = () => undefined,
): AsyncGenerator<unknown[], void, undefined> {
  const held = createHeld(maxLineBytes);
  for await (const chunk of chunks) {
    onChunk();
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const { values, failure } = completed(bytes, held);
    if (values.length > 0) {
      yield values;
    }
    if (failure !== undefined) {
      throw failure;
    }
  }
  const rest = held.take();
  if (rest.length > 0) {
    yield [parseLine(rest)];
  }
}
