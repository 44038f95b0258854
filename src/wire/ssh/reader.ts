/** Hands out bytes in the sizes that are asked for, from pieces of any size. */
export type Reader = {
  /** Undefined when the source ends before so many bytes. */
  take(length: number): Promise<Buffer | undefined>;
  /** What comes before the next newline, which is taken too; undefined when there is none within `limit` bytes. */
  line(limit: number): Promise<Buffer | undefined>;
  /** Reads on without being asked, so that the end of a source is noticed while nothing is expected of it. */
  ahead(): void;
  /** Nothing is read any more. */
  leave(): Promise<void>;
};

export const createReader = (source: AsyncIterable<Uint8Array>): Reader => {
  const pieces = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let coming: Promise<IteratorResult<Uint8Array>> | undefined;
  const next = async (): Promise<Buffer | undefined> => {
    const piece = coming ?? pieces.next();
    coming = undefined;
    const { done, value } = await piece;
    return done === true ? undefined : Buffer.from(value.buffer, value.byteOffset, value.length);
  };
  return {
    take: async (length) => {
      const parts = [rest];
      let have = rest.length;
      while (have < length) {
        const piece = await next();
        if (piece === undefined) return undefined;
        parts.push(piece);
        have += piece.length;
      }
      const all = parts.length === 1 ? rest : Buffer.concat(parts);
      rest = all.subarray(length);
      return all.subarray(0, length);
    },
    line: async (limit) => {
      for (;;) {
        const end = rest.indexOf('\n');
        if (end >= 0) {
          const found = rest.subarray(0, end);
          rest = rest.subarray(end + 1);
          return found;
        }
        const piece = rest.length > limit ? undefined : await next();
        if (piece === undefined) return undefined;
        rest = Buffer.concat([rest, piece]);
      }
    },
    ahead: () => {
      coming ??= pieces.next();
      coming.catch(() => {});
    },
    leave: async () => void (await pieces.return?.()),
  };
};
