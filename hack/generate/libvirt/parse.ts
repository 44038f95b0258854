/**
 * Reads the RPC language (RFC 4506 / rpcgen) as far as libvirt's `*_protocol.x` files use it: constants, typedefs,
 * structs, enums and the annotations in the comments above a procedure.
 */
export type FieldShape = 'one' | 'nullable' | { fixed: number } | { max: number };
export type Field = { name: string; type: string; shape: FieldShape };
export type Procedure = { name: string; number: number; stream: 'read' | 'write' | undefined };
export type Protocol = {
  constants: ReadonlyMap<string, number>;
  typedefs: ReadonlyMap<string, Omit<Field, 'name'>>;
  structs: ReadonlyMap<string, readonly Field[]>;
  procedures: readonly Procedure[];
};

/** Constants of libvirt's public headers (libvirt-host.h, libvirt-common.h.in) that the .x files refer to. */
const headerConstants: ReadonlyMap<string, number> = new Map([
  ['VIR_UUID_BUFLEN', 16],
  ['VIR_SECURITY_MODEL_BUFLEN', 257],
  ['VIR_SECURITY_LABEL_BUFLEN', 4097],
  ['VIR_SECURITY_DOI_BUFLEN', 257],
]);

const stripComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^%.*$/gm, '');

const parseConstants = (text: string): Map<string, number> => {
  const constants = new Map(headerConstants);
  for (const [, name = '', value = ''] of text.matchAll(/const\s+(\w+)\s*=\s*(\w+)\s*;/g)) {
    const known = constants.get(value) ?? Number(value);
    if (!Number.isSafeInteger(known)) throw new Error(`constant ${name} = ${value} is not known`);
    constants.set(name, known);
  }
  return constants;
};

/** One declaration without its semicolon: `unsigned hyper cells<MAX>`, `remote_nonnull_string *x`. */
const parseField = (text: string, constants: ReadonlyMap<string, number>): Field => {
  const match = /^([\w\s]+?)\s*(\*?)\s*(\w+)\s*(?:([<[])(\w*)[>\]])?$/.exec(text.trim().replace(/\s+/g, ' '));
  if (match === null) throw new Error(`cannot read the declaration ${text}`);
  const [, type = '', star, name = '', bracket, limit = ''] = match;
  if (star === '*') return { name, type, shape: 'nullable' };
  if (bracket === undefined) return { name, type, shape: 'one' };
  const size = constants.get(limit) ?? Number(limit);
  if (!Number.isSafeInteger(size) || limit === '') throw new Error(`${name} has no size`);
  return { name, type, shape: bracket === '[' ? { fixed: size } : { max: size } };
};

const parseStructs = (text: string, constants: ReadonlyMap<string, number>): Map<string, Field[]> =>
  new Map(
    [...text.matchAll(/^struct\s+(\w+)\s*\{([^}]*)\}/gm)].map(([, name = '', body = '']) => [
      name,
      body
        .split(';')
        .filter((line) => line.trim() !== '')
        .map((line) => parseField(line, constants)),
    ]),
  );

const parseProcedures = (source: string, prefix: string): Procedure[] => {
  const body = source.slice(source.search(/^enum \w+_procedure/m));
  const entry = new RegExp(`/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*${prefix}_PROC_(\\w+)\\s*=\\s*(\\d+)`, 'g');
  const found = [...body.matchAll(entry)].map(([, comment = '', name = '', number]): Procedure => {
    const direction = /@(read|write)stream:/.exec(comment)?.[1];
    const stream = direction === 'read' || direction === 'write' ? direction : undefined;
    return { name, number: Number(number), stream };
  });
  const stated = [...stripComments(body).matchAll(new RegExp(`${prefix}_PROC_\\w+\\s*=`, 'g'))].length;
  if (found.length === 0 || found.length !== stated)
    throw new Error(`${found.length} of ${stated} procedures read`);
  return found;
};

/** `prefix` is that of the procedure names: REMOTE or QEMU. Throws on anything it does not understand. */
export const parseProtocol = (source: string, prefix: 'REMOTE' | 'QEMU'): Protocol => {
  const text = stripComments(source);
  const constants = parseConstants(text);
  const typedefs = new Map(
    [...text.matchAll(/^typedef\s+([^;]+);/gm)].map(([, declaration = '']) => {
      const { name, ...rest } = parseField(declaration, constants);
      return [name, rest];
    }),
  );
  return {
    constants,
    typedefs,
    structs: parseStructs(text, constants),
    procedures: parseProcedures(source, prefix),
  };
};
