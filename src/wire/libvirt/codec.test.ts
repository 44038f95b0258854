import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clampToSafe, decodeStruct, encodeStruct } from './codec.ts';
import { messages, procedures, structs } from './protocol.gen.ts';
import { XdrError } from './xdr.ts';

const uuid = fc.uuid();
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
const hyper = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uhyper = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const arms: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  1: int,
  2: uint,
  3: hyper,
  4: uhyper,
  5: fc.double({ noNaN: true }),
  6: int,
  7: text,
};
const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  i: int,
  c: fc.integer({ min: -128, max: 127 }),
  u: uint,
  C: fc.nat(255),
  w: fc.nat(65_535),
  h: hyper,
  H: uhyper,
  d: fc.double({ noNaN: true }),
  s: text,
  U: uuid,
  P: fc.integer({ min: 1, max: 7 }).chain((type) => (arms[type] ?? int).map((value) => ({ type, value }))),
};

const arbitraryOf = (type: string): fc.Arbitrary<unknown> => {
  if (type.startsWith('?')) return fc.option(arbitraryOf(type.slice(1)), { nil: null });
  if (type.startsWith('@')) return structOf(structs[type.slice(1) as keyof typeof structs]);
  const vector = /^([[(])\d+[\])](.+)$/.exec(type);
  if (vector?.[1] === '(') return fc.string({ maxLength: 20, unit: 'grapheme-ascii' });
  if (vector?.[2] === 'o' || vector?.[2] === 'c') return fc.uint8Array({ maxLength: 64 });
  if (vector !== null) return fc.array(arbitraryOf(vector[2] ?? ''), { maxLength: 3 });
  return scalars[type] ?? fc.constant(undefined);
};

const structOf = (descriptor: string): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      descriptor
        .split(' ')
        .filter((field) => field !== '')
        .map((field) => [
          field.slice(0, field.indexOf(':')),
          arbitraryOf(field.slice(field.indexOf(':') + 1)),
        ]),
    ),
    { noNullPrototype: true },
  );

const descriptors = [
  ...new Set([
    ...Object.values(procedures).flatMap(([, args, ret]) => [args, ret]),
    ...Object.values(messages).map(([, body]) => body),
  ]),
];

/** What the struct dump calls a type, from our descriptor. */
const dumpName = (type: string): string => {
  if (type.startsWith('?')) return dumpName(type.slice(1));
  const array = /^\[\d+\](.+)$/.exec(type);
  if (array !== null) return `${dumpName(array[1] ?? '')}[]`;
  const names: Readonly<Record<string, string>> = {
    i: 'int',
    u: 'u_int',
    c: 'char',
    o: 'char',
    C: 'u_char',
    w: 'u_short',
    h: 'int64_t',
    H: 'uint64_t',
    d: 'double',
    s: 'string',
    U: 'uuid',
    P: 'TypedParamValue',
  };
  if (type.startsWith('(')) return 'char';
  return names[type] ?? type.slice(1);
};

const pascal = (name: string): string =>
  name.replace(/(^|_)(\w)/g, (_, __, letter: string) => letter.toUpperCase());

const normal = (type: string): string => {
  const array = type.endsWith('[]') ? '[]' : '';
  const bare = type
    .replace('[]', '')
    .replace(/^(remote|qemu)_/, '')
    .replace(/^nonnull_/, '');
  const plain = /^(int|u_int|char|u_char|u_short|int64_t|uint64_t|double|string|uuid)$/.test(bare);
  return `${bare === 'auth_type' ? 'int' : plain ? bare : pascal(bare)}${array}`;
};

const dump: ReadonlyMap<string, string> = new Map(
  readFileSync(join(import.meta.dirname, 'fixtures/struct-dump.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [, name = '', body = ''] = /^(\w+) \{ (.*) \}$/.exec(line) ?? [];
      const fields = body.split('; ').map((field) => {
        const [, type = '', field_ = '', size = ''] = /^(.+?) (\w+)(\[\d+\])?$/.exec(field) ?? [];
        return `${normal(type)} ${field_}${size}`;
      });
      return [name, fields.join('; ')];
    }),
);

const asDump = (descriptor: string): string =>
  descriptor
    .split(' ')
    .map((field) => {
      const [name = '', type = ''] = field.split(/:(.*)/);
      const size = /^\((\d+)\)/.exec(type)?.[1];
      return `${dumpName(type)} ${name}${size === undefined ? '' : `[${size}]`}`;
    })
    .join('; ');

const structKey = (procedure: string, suffix: string): string =>
  procedure.startsWith('QEMU_')
    ? `${procedure.toLowerCase()}_${suffix}`
    : `remote_${procedure.toLowerCase()}_${suffix}`;

describe('the generated tables', () => {
  it('hold every procedure of libvirt 9.0.0 once', () => {
    const all = [...Object.entries(procedures), ...Object.entries(messages)];
    const remote = all.filter(([name]) => !name.startsWith('QEMU_')).map(([, [number]]) => number);
    expect(remote.sort((a, b) => a - b)).toEqual(Array.from({ length: 443 }, (_, index) => index + 1));
  });

  it('agree with the struct dump beside the protocol description, field by field', () => {
    const seen = new Set<string>();
    const compare = (key: string, descriptor: string): void => {
      if (descriptor === '') return;
      seen.add(key);
      expect(`${key} ${asDump(descriptor)}`).toBe(`${key} ${dump.get(key)}`);
    };
    for (const [name, [, args, ret]] of Object.entries(procedures)) {
      compare(structKey(name, 'args'), args);
      compare(structKey(name, 'ret'), ret);
    }
    for (const [name, [, body]] of Object.entries(messages)) compare(structKey(name, 'msg'), body);
    const missed = [...dump.keys()].filter((key) => /_(args|ret)$/.test(key) && !seen.has(key));
    expect(missed).toEqual([]);
    expect(seen.size).toBeGreaterThan(600);
  });
});

describe('the codec', () => {
  it('reads back what it wrote, for every struct of the protocol', () => {
    fc.assert(
      fc.property(
        fc
          .constantFrom(...descriptors)
          .chain((descriptor) => fc.tuple(fc.constant(descriptor), structOf(descriptor))),
        ([descriptor, value]) => {
          const bytes = encodeStruct(descriptor, value);
          expect(bytes.length % 4).toBe(0);
          expect(decodeStruct(descriptor, bytes)).toEqual(value);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('answers any bytes with a value or an XdrError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...descriptors), fc.uint8Array({ maxLength: 200 }), (descriptor, bytes) => {
        try {
          decodeStruct(descriptor, Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses counts and lengths beyond the message before reserving memory', () => {
    const huge = Buffer.from('ffffffff', 'hex');
    expect(() => decodeStruct('names:[16384]s', huge)).toThrow('4294967295 items do not fit the message');
    expect(() => decodeStruct('xml:s', huge)).toThrow('4294967295 bytes where 4194304 are the limit');
  });

  it('names the field that cannot be sent', () => {
    expect(() => encodeStruct('dom:@Domain', { dom: { name: 'a', uuid: 'x', id: 1 } })).toThrow(
      'dom: uuid: not a UUID',
    );
    expect(() => encodeStruct('xml:s', { xml: 'a\0b' })).toThrow('xml: a string holds a NUL character');
    expect(() => encodeStruct('flags:u', { flags: -1 })).toThrow(XdrError);
  });

  it('spends four bytes on each character of a char vector', () => {
    expect(encodeStruct('model:(4)c', { model: 'ab' }).toString('hex')).toBe(
      '00000061000000620000000000000000',
    );
    expect(encodeStruct('data:[9]c', { data: Uint8Array.of(7) }).toString('hex')).toBe('0000000100000007');
  });

  it('clamps what no number holds', () => {
    expect(clampToSafe(2n ** 64n - 1n)).toBe(Number.MAX_SAFE_INTEGER);
    expect(clampToSafe(12n)).toBe(12);
  });
});
