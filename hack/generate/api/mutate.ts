import type { StructuralSchema } from '../../../src/api/structural.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

type JsonObject = { readonly [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where something is in a document. */
export type Path = readonly (string | number)[];

/** Every place in a document, the root first. */
export const pathsOf = (value: Json, at: Path = []): Path[] => {
  if (Array.isArray(value)) {
    return [at, ...value.flatMap((item: Json, index) => pathsOf(item, [...at, index]))];
  }
  if (isObject(value)) {
    return [at, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...at, key]))];
  }
  return [at];
};

/** The document with one place changed; `undefined` takes it away. */
export const changeAt = (
  value: Json,
  path: Path,
  change: (old: Json | undefined) => Json | undefined,
): Json | undefined => {
  const [head, ...rest] = path;
  if (head === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((item: Json, index) => {
      if (index !== head) return [item];
      const next = changeAt(item, rest, change);
      return next === undefined ? [] : [next];
    });
  }
  const entries = Object.entries(value ?? {}).flatMap(([key, item]): [string, Json][] => {
    if (key !== head) return [[key, item as Json]];
    const next = changeAt(item as Json, rest, change);
    return next === undefined ? [] : [[key, next]];
  });
  return Object.fromEntries(entries);
};

/** Values that stand just outside, or are of another type, or mean something elsewhere in the API. */
export const FOREIGN: readonly Json[] = [
  '',
  'a',
  'A.b',
  '-a',
  'x'.repeat(300),
  'None',
  'Selector',
  'Blank',
  'Image',
  'NAT',
  'libvirt',
  'simulated',
  '1Gi',
  '1.5Ki',
  '100Pi',
  '10.0.0.0/8',
  '10.0.0.1',
  '10.0.0.256',
  '::1',
  'fe80::1%eth0',
  '2026-02-30T25:00:00Z',
  '52:54:00:00:00:0g',
  '/a/../b',
  'https://user@example.org/',
  -1,
  0,
  1,
  4095,
  2 ** 31,
  true,
  [],
  {},
  ['a', 'a'],
  { name: 'a' },
  { unknown: 1 },
];

/** The schema of a place, where there is one. */
export const schemaAt = (schema: StructuralSchema, path: Path): StructuralSchema | undefined => {
  const [head, ...rest] = path;
  if (head === undefined) return schema;
  const next =
    typeof head === 'number' ? schema.items : (schema.properties?.[head] ?? schema.additionalProperties);
  return next === undefined ? undefined : schemaAt(next, rest);
};

/** Values at and just beyond the bounds that the schema gives. */
export const beyondBounds = (schema: StructuralSchema, old: Json | undefined): Json[] => [
  ...(schema.maximum === undefined ? [] : [schema.maximum, schema.maximum + 1]),
  ...(schema.minimum === undefined ? [] : [schema.minimum, schema.minimum - 1]),
  ...(schema.maxLength === undefined ? [] : ['a'.repeat(schema.maxLength), 'a'.repeat(schema.maxLength + 1)]),
  ...(schema.enum ?? []),
  ...(schema.maxItems !== undefined && Array.isArray(old)
    ? [[...old, ...old] as Json, Array.from({ length: schema.maxItems + 1 }, () => (old as Json[])[0] ?? 'a')]
    : []),
];

export type { Json };
