import { type Messages, messages, type Procedures, procedures, structs } from './protocol.gen.ts';
import {
  createXdrReader,
  createXdrWriter,
  uuidFromBytes,
  uuidToBytes,
  XdrError,
  type XdrReader,
  type XdrWriter,
} from './xdr.ts';

/** `least` is the smallest number of bytes a value takes: it bounds the counts of arrays. */
type Codec = { read(from: XdrReader): unknown; write(to: XdrWriter, value: unknown): void; least: number };

const mismatch = (wanted: string): never => {
  throw new XdrError(`${wanted} expected`);
};
const asNumber = (value: unknown): number => (typeof value === 'number' ? value : mismatch('a number'));
const asBigint = (value: unknown): bigint => (typeof value === 'bigint' ? value : mismatch('a bigint'));
const asString = (value: unknown): string => (typeof value === 'string' ? value : mismatch('a string'));
const asBytes = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : mismatch('bytes'));
const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : mismatch('an object');

const int: Codec = { read: (r) => r.int(), write: (w, v) => w.int(asNumber(v)), least: 4 };
const uint: Codec = { read: (r) => r.uint(), write: (w, v) => w.uint(asNumber(v)), least: 4 };
const hyper: Codec = { read: (r) => r.hyper(), write: (w, v) => w.hyper(asBigint(v)), least: 8 };
const uhyper: Codec = { read: (r) => r.uhyper(), write: (w, v) => w.uhyper(asBigint(v)), least: 8 };
const double: Codec = { read: (r) => r.double(), write: (w, v) => w.double(asNumber(v)), least: 8 };
const string: Codec = { read: (r) => r.string(), write: (w, v) => w.string(asString(v)), least: 4 };
const uuid: Codec = {
  read: (r) => uuidFromBytes(r.fixed(16)),
  write: (w, v) => w.fixed(uuidToBytes(asString(v))),
  least: 16,
};

/** The arms of remote_typed_param_value by virTypedParameterType (include/libvirt/libvirt-common.h.in). */
const typedValues: ReadonlyMap<number, Codec> = new Map([
  [1, int],
  [2, uint],
  [3, hyper],
  [4, uhyper],
  [5, double],
  [6, int],
  [7, string],
]);

const typedValue: Codec = {
  read: (reader) => {
    const type = reader.int();
    const arm = typedValues.get(type) ?? mismatch('a known type of typed parameter');
    return { type, value: arm.read(reader) };
  },
  write: (writer, value) => {
    const { type, value: inner } = asObject(value) as { type?: unknown; value?: unknown };
    const arm = typedValues.get(asNumber(type)) ?? mismatch('a known type of typed parameter');
    writer.int(asNumber(type));
    arm.write(writer, inner);
  },
  least: 8,
};

const scalars: Readonly<Record<string, Codec>> = {
  i: int,
  u: uint,
  c: int,
  C: uint,
  w: uint,
  h: hyper,
  H: uhyper,
  d: double,
  s: string,
  U: uuid,
  P: typedValue,
};

const nullable = (inner: Codec): Codec => ({
  read: (reader) => (reader.uint() === 0 ? null : inner.read(reader)),
  write: (writer, value) => {
    writer.uint(value === null ? 0 : 1);
    if (value !== null) inner.write(writer, value);
  },
  least: 4,
});

/**
 * The limit of the protocol file binds what we send. What we receive is bounded by the packet alone: libvirt has
 * raised such limits between releases, and a newer host's longer list is not an error.
 */
const array = (inner: Codec, max: number): Codec => ({
  read: (reader) => Array.from({ length: reader.count(inner.least) }, () => inner.read(reader)),
  write: (writer, value) => {
    if (!Array.isArray(value)) return mismatch('an array');
    if (value.length > max) throw new XdrError(`${value.length} items where ${max} are the limit`);
    writer.uint(value.length);
    for (const item of value) inner.write(writer, item);
  },
  least: 4,
});

const opaque = (max: number): Codec => ({
  read: (reader) => Uint8Array.from(reader.opaque(reader.remaining())),
  write: (writer, value) => writer.opaque(asBytes(value), max),
  least: 4,
});

/** rpcgen makes `char x<n>` a vector of XDR integers: four bytes per character. */
const chars = (max: number): Codec => ({
  read: (reader) => Uint8Array.from({ length: reader.count(4) }, () => reader.int()),
  write: (writer, value) => {
    const bytes = asBytes(value);
    if (bytes.length > max) throw new XdrError(`${bytes.length} bytes where ${max} are the limit`);
    writer.uint(bytes.length);
    for (const byte of bytes) writer.int(byte);
  },
  least: 4,
});

/** `char x[n]`: a C string in n integers, NUL filled. */
const charVector = (size: number): Codec => ({
  read: (reader) => {
    const bytes = Buffer.from(Array.from({ length: size }, () => reader.int() & 0xff));
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end < 0 ? size : end);
  },
  write: (writer, value) => {
    const bytes = Buffer.from(asString(value), 'utf8');
    if (bytes.length >= size) throw new XdrError(`${bytes.length} bytes where ${size - 1} are the limit`);
    for (let i = 0; i < size; i += 1) writer.int(bytes[i] ?? 0);
  },
  least: size * 4,
});

const compiledStructs = new Map<string, Codec>();

const compileType = (type: string): Codec => {
  if (type.startsWith('?')) return nullable(compileType(type.slice(1)));
  const [, open, size = '', inner = ''] = /^([[(])(\d+)[\])](.+)$/.exec(type) ?? [];
  if (open === '(') return charVector(Number(size));
  if (open === '[' && inner === 'o') return opaque(Number(size));
  if (open === '[' && inner === 'c') return chars(Number(size));
  if (open === '[') return array(compileType(inner), Number(size));
  if (type.startsWith('@')) return namedStruct(type.slice(1));
  return scalars[type] ?? mismatch(`a known descriptor instead of ${type}`);
};

const compileStruct = (descriptor: string): Codec => {
  const fields = descriptor
    .split(' ')
    .filter((field) => field !== '')
    .map((field) => {
      const colon = field.indexOf(':');
      return { name: field.slice(0, colon), codec: compileType(field.slice(colon + 1)) };
    });
  return {
    read: (reader) => {
      const value: Record<string, unknown> = {};
      for (const { name, codec } of fields) value[name] = codec.read(reader);
      return value;
    },
    write: (writer, value) => {
      const object = asObject(value);
      for (const { name, codec } of fields) {
        try {
          codec.write(writer, object[name]);
        } catch (error) {
          throw error instanceof XdrError ? new XdrError(`${name}: ${error.message}`) : error;
        }
      }
    },
    least: fields.reduce((sum, { codec }) => sum + codec.least, 0),
  };
};

const namedStruct = (name: string): Codec => {
  const known = compiledStructs.get(name);
  if (known !== undefined) return known;
  const descriptor =
    (structs as Readonly<Record<string, string>>)[name] ?? mismatch(`a struct named ${name}`);
  const made = compileStruct(descriptor);
  compiledStructs.set(name, made);
  return made;
};

const compiled = new Map<string, Codec>();

const codecOf = (descriptor: string): Codec => {
  const known = compiled.get(descriptor) ?? compileStruct(descriptor);
  compiled.set(descriptor, known);
  return known;
};

/** Bytes of a struct by its descriptor (see protocol.gen.ts). Throws XdrError naming the field. */
export const encodeStruct = (descriptor: string, value: unknown): Buffer => {
  const writer = createXdrWriter();
  codecOf(descriptor).write(writer, value);
  return writer.finish();
};

/** Throws XdrError when the bytes are too few, too many or hold what the struct cannot. */
export const decodeStruct = (descriptor: string, bytes: Buffer): unknown => {
  const reader = createXdrReader(bytes);
  const value = codecOf(descriptor).read(reader);
  if (reader.remaining() !== 0) throw new XdrError(`${reader.remaining()} bytes too many`);
  return value;
};

export type ProcedureName = keyof Procedures;
export type MessageName = keyof Messages;
export type Args<P extends ProcedureName> = Procedures[P]['args'];
export type Ret<P extends ProcedureName> = Procedures[P]['ret'];

export const encodeArgs = <P extends ProcedureName>(name: P, args: Args<P>): Buffer =>
  encodeStruct(procedures[name][1], args);

export const decodeRet = <P extends ProcedureName>(name: P, bytes: Buffer): Ret<P> =>
  decodeStruct(procedures[name][2], bytes) as Ret<P>;

export const decodeMessage = <M extends MessageName>(name: M, bytes: Buffer): Messages[M] =>
  decodeStruct(messages[name][1], bytes) as Messages[M];

/** Decided once: a count or size as a number; what exceeds 2^53-1 (libvirt's "unlimited") becomes that bound. */
export const clampToSafe = (value: bigint): number => {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  if (value > limit) return Number.MAX_SAFE_INTEGER;
  return value < -limit ? -Number.MAX_SAFE_INTEGER : Number(value);
};
