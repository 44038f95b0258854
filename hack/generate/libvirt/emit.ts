import type { Field, Protocol } from './parse.ts';

/** XDR scalars as libvirt's files name them: [descriptor letter, TypeScript type]. */
const scalars: Readonly<Record<string, readonly [string, string]>> = {
  int: ['i', 'number'],
  'unsigned int': ['u', 'number'],
  unsigned: ['u', 'number'],
  char: ['c', 'number'],
  'unsigned char': ['C', 'number'],
  'unsigned short': ['w', 'number'],
  hyper: ['h', 'bigint'],
  'unsigned hyper': ['H', 'bigint'],
  double: ['d', 'number'],
  remote_nonnull_string: ['s', 'string'],
  remote_string: ['?s', 'string | null'],
  remote_uuid: ['U', 'string'],
  remote_auth_type: ['i', 'number'],
  remote_typed_param_value: ['P', 'TypedParamValue'],
};

/** `remote_nonnull_storage_vol` is StorageVol; remote_error keeps its first word, Error means something else here. */
const structName = (name: string): string =>
  name
    .replace(/^remote_error$/, 'remote_remote_error')
    .replace(/^(remote|qemu)_/, '')
    .replace(/^nonnull_/, '')
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

type Emitted = { descriptor: string; type: string };

const emitBase = (type: string, remote: Protocol): Emitted => {
  const scalar = scalars[type];
  if (scalar !== undefined) return { descriptor: scalar[0], type: scalar[1] };
  if (remote.structs.has(type)) return { descriptor: `@${structName(type)}`, type: structName(type) };
  const alias = remote.typedefs.get(type);
  if (alias === undefined || alias.shape !== 'nullable') throw new Error(`type ${type} is not known`);
  const target = emitBase(alias.type, remote);
  return { descriptor: `?${target.descriptor}`, type: `${target.type} | null` };
};

/** `opaque<max>` and `char<max>` are bytes; `char x[n]` is a C string in n vector items of four bytes each. */
const emitField = (field: Field, remote: Protocol): Emitted => {
  const { shape, type } = field;
  if (typeof shape === 'object' && 'fixed' in shape) {
    if (type !== 'char') throw new Error(`${field.name}: fixed vectors of ${type} are not known`);
    return { descriptor: `(${shape.fixed})c`, type: 'string' };
  }
  if (typeof shape === 'object') {
    if (type === 'opaque') return { descriptor: `[${shape.max}]o`, type: 'Uint8Array' };
    if (type === 'char') return { descriptor: `[${shape.max}]c`, type: 'Uint8Array' };
    const item = emitBase(type, remote);
    return { descriptor: `[${shape.max}]${item.descriptor}`, type: `readonly ${item.type}[]` };
  }
  if (shape === 'nullable') throw new Error(`${field.name}: inline pointers are not known`);
  return emitBase(type, remote);
};

const emitStruct = (fields: readonly Field[] | undefined, remote: Protocol): Emitted => {
  if (fields === undefined) return { descriptor: '', type: 'Nothing' };
  const emitted = fields.map((field) => ({ name: field.name, ...emitField(field, remote) }));
  return {
    descriptor: emitted.map(({ name, descriptor }) => `${name}:${descriptor}`).join(' '),
    type: `{ ${emitted.map(({ name, type }) => `${name}: ${type}`).join('; ')} }`,
  };
};

type Tables = { types: string[]; procedures: string[]; messageTypes: string[]; messages: string[] };

const emitProgram = (
  own: Protocol,
  remote: Protocol,
  prefix: 'remote' | 'qemu',
  into: Tables,
): Set<string> => {
  const used = new Set<string>();
  const take = (name: string, suffix: string): readonly Field[] | undefined => {
    const key = `${prefix}_${name.toLowerCase()}_${suffix}`;
    const fields = own.structs.get(key);
    if (fields !== undefined) used.add(key);
    return fields;
  };
  for (const { name, number } of own.procedures) {
    const key = prefix === 'qemu' ? `QEMU_${name}` : name;
    const message = take(name, 'msg');
    const args = emitStruct(take(name, 'args'), remote);
    const ret = emitStruct(take(name, 'ret'), remote);
    if (message !== undefined) {
      const body = emitStruct(message, remote);
      into.messageTypes.push(`  ${key}: ${body.type};`);
      into.messages.push(`  ${key}: [${number}, '${body.descriptor}'],`);
    } else {
      into.types.push(`  ${key}: { args: ${args.type}; ret: ${ret.type} };`);
      into.procedures.push(`  ${key}: [${number}, '${args.descriptor}', '${ret.descriptor}'],`);
    }
  }
  return used;
};

const header = (version: string): string => `/**
 * Written by hack/generate/libvirt/main.ts from the protocol description of libvirt ${version}
 * (remote_protocol.x, qemu_protocol.x): names, numbers and shapes of the wire. Do not edit.
 *
 * Descriptor of a struct: \`name:type\` for each field, in order. i int, u unsigned, c char, C unsigned char,
 * w unsigned short (four bytes each), h hyper, H unsigned hyper, d double, s string, U UUID, o opaque bytes,
 * P typed parameter's value, @Name struct, ?x nullable, [max]x counted array, (n)c vector of n chars.
 */
`;

/** The text of protocol.gen.ts. */
export const emitProtocol = (remote: Protocol, qemu: Protocol, version: string): string => {
  const tables: Tables = { types: [], procedures: [], messageTypes: [], messages: [] };
  const used = emitProgram(remote, remote, 'remote', tables);
  emitProgram(qemu, remote, 'qemu', tables);
  const shared = [...remote.structs].filter(([name]) => !used.has(name) || /_ret$|_msg$/.test(name));
  const referred = new Set(
    [...remote.structs.values(), ...qemu.structs.values()].flat().map(({ type }) => type),
  );
  for (const alias of remote.typedefs.values()) referred.add(alias.type);
  const structs = shared
    .filter(([name]) => !used.has(name) || referred.has(name))
    .map(([name, fields]) => ({ name: structName(name), ...emitStruct(fields, remote) }));
  const streams = remote.procedures.filter(({ stream }) => stream !== undefined);
  return [
    header(version),
    'export type Nothing = { readonly [name: string]: never };',
    'export type TypedParamValue =',
    '  | { type: 1; value: number } | { type: 2; value: number } | { type: 3; value: bigint }',
    '  | { type: 4; value: bigint } | { type: 5; value: number } | { type: 6; value: number }',
    '  | { type: 7; value: string };',
    ...structs.map(({ name, type }) => `export type ${name} = ${type};`),
    '',
    'export type Procedures = {',
    ...tables.types,
    '};',
    '',
    'export type Messages = {',
    ...tables.messageTypes,
    '};',
    '',
    `export const programs = { REMOTE: 0x${(remote.constants.get('REMOTE_PROGRAM') ?? 0).toString(16)}, QEMU: 0x${(qemu.constants.get('QEMU_PROGRAM') ?? 0).toString(16)}, version: 1 } as const;`,
    '',
    'export const structs = {',
    ...structs.map(({ name, descriptor }) => `  ${name}: '${descriptor}',`),
    '} as const;',
    '',
    '/** Number, descriptor of the arguments, descriptor of the result. */',
    'export const procedures: { readonly [P in keyof Procedures]: readonly [number, string, string] } = {',
    ...tables.procedures,
    '};',
    '',
    '/** What the server sends unasked: number and descriptor. */',
    'export const messages: { readonly [M in keyof Messages]: readonly [number, string] } = {',
    ...tables.messages,
    '};',
    '',
    '/** Procedures that open a stream, with the side that the data flows to as libvirt annotates it. */',
    'export const streamProcedures = {',
    ...streams.map(({ name, stream }) => `  ${name}: '${stream}',`),
    '} as const;',
    '',
  ].join('\n');
};
