/**
 * XDR (RFC 4506) primitives as libvirt uses them: every item padded to four bytes, big endian. Readers never look
 * past their bytes: hostile input ends in an XdrError. Strings are UTF-8, at most 4 MiB (REMOTE_STRING_MAX).
 */
export const STRING_MAX_BYTES = 4_194_304;

export class XdrError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XdrError';
  }
}

const padding = (bytes: number): number => (4 - (bytes % 4)) % 4;

export type XdrWriter = ReturnType<typeof createXdrWriter>;

/** Grows as needed; `finish` returns what was written. */
export const createXdrWriter = () => {
  let buffer = Buffer.alloc(256);
  let length = 0;
  const reserve = (bytes: number): number => {
    if (length + bytes > buffer.length) {
      const grown = Buffer.alloc(Math.max(buffer.length * 2, length + bytes));
      buffer.copy(grown, 0, 0, length);
      buffer = grown;
    }
    const at = length;
    length += bytes;
    return at;
  };
  const ranged = (write: (at: number) => unknown, bytes: number): void => {
    const at = reserve(bytes);
    try {
      write(at);
    } catch (error) {
      throw new XdrError(error instanceof Error ? error.message : 'value out of range');
    }
  };
  const raw = (bytes: Uint8Array): void => {
    // Reserved first: it may put another buffer in the place of this one.
    const at = reserve(bytes.length + padding(bytes.length));
    buffer.set(bytes, at);
  };
  const counted = (bytes: Uint8Array, max: number): void => {
    if (bytes.length > max) throw new XdrError(`${bytes.length} bytes where ${max} are the limit`);
    ranged((at) => buffer.writeUInt32BE(bytes.length, at), 4);
    raw(bytes);
  };
  return {
    int: (value: number): void => ranged((at) => buffer.writeInt32BE(value, at), 4),
    uint: (value: number): void => ranged((at) => buffer.writeUInt32BE(value, at), 4),
    hyper: (value: bigint): void => ranged((at) => buffer.writeBigInt64BE(value, at), 8),
    uhyper: (value: bigint): void => ranged((at) => buffer.writeBigUInt64BE(value, at), 8),
    double: (value: number): void => ranged((at) => buffer.writeDoubleBE(value, at), 8),
    /** A NUL would end the string early on the other side (libvirt reads C strings), so it is refused. */
    string: (value: string): void => {
      if (value.includes('\0')) throw new XdrError('a string holds a NUL character');
      counted(Buffer.from(value, 'utf8'), STRING_MAX_BYTES);
    },
    opaque: counted,
    /** Fixed-size opaque: bytes without a length. */
    fixed: raw,
    finish: (): Buffer => buffer.subarray(0, length),
  };
};

export type XdrReader = ReturnType<typeof createXdrReader>;

export const createXdrReader = (bytes: Buffer) => {
  let offset = 0;
  const take = (count: number): number => {
    if (count > bytes.length - offset)
      throw new XdrError(`ends ${count - (bytes.length - offset)} bytes early`);
    const at = offset;
    offset += count;
    return at;
  };
  const uint = (): number => bytes.readUInt32BE(take(4));
  const fixed = (count: number): Buffer => {
    const at = take(count);
    take(padding(count));
    return bytes.subarray(at, at + count);
  };
  const opaque = (max: number): Buffer => {
    const count = uint();
    if (count > max) throw new XdrError(`${count} bytes where ${max} are the limit`);
    return fixed(count);
  };
  return {
    int: (): number => bytes.readInt32BE(take(4)),
    uint,
    hyper: (): bigint => bytes.readBigInt64BE(take(8)),
    uhyper: (): bigint => bytes.readBigUInt64BE(take(8)),
    double: (): number => bytes.readDoubleBE(take(8)),
    string: (): string => opaque(STRING_MAX_BYTES).toString('utf8'),
    opaque,
    fixed,
    /** Items of at least `itemBytes` each: a count that cannot fit is refused before anything is allocated. */
    count: (itemBytes: number): number => {
      const count = uint();
      if (count * itemBytes > bytes.length - offset)
        throw new XdrError(`${count} items do not fit the message`);
      return count;
    },
    remaining: (): number => bytes.length - offset,
  };
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const uuidToBytes = (uuid: string): Buffer => {
  if (!UUID.test(uuid)) throw new XdrError('not a UUID');
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
};

/** 16 bytes as lower-case text with hyphens. */
export const uuidFromBytes = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
