import { z } from 'zod';

/** A check of the API server, as a CRD writes it. */
export interface Validation {
  readonly rule: string;
  readonly message: string;
}

/** An OpenAPI v3 schema as a CustomResourceDefinition takes it. */
export interface StructuralSchema {
  readonly description?: string;
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic';
  readonly 'x-kubernetes-validations'?: readonly Validation[];
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nodesOf = (value: unknown): Node[] => (Array.isArray(value) ? value.filter(isNode) : []);

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

const entriesOf = (value: unknown): [string, Node][] =>
  isNode(value) ? Object.entries(value).filter((entry): entry is [string, Node] => isNode(entry[1])) : [];

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** How `absent()` of kit.ts is emitted. */
const isAbsent = (node: Node): boolean => same(node['not'], {});

const COPIED = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const;

/** What structural schemas replace by something else, or what says nothing to the API server. */
const REWRITTEN = new Set([
  'properties',
  'items',
  'additionalProperties',
  'propertyNames',
  'oneOf',
  'anyOf',
  '$schema',
]);

/**
 * The schema that goes into a CRD. Unions are merged into one object; which fields belong to which branch is
 * said by CEL rules, because the API server's message for `oneOf` helps nobody.
 * @throws Error when zod says something that a structural schema cannot: that is a mistake in src/api
 */
export const structural = (schema: z.ZodType): StructuralSchema =>
  rewrite(
    z.toJSONSchema(schema, {
      target: 'openapi-3.0',
      io: 'input',
      reused: 'inline',
      cycles: 'throw',
      unrepresentable: 'throw',
    }),
    '$',
  );

const rewrite = (node: Node, path: string): StructuralSchema => {
  const union = nodesOf(node['oneOf'] ?? node['anyOf']);
  if (union.length > 0) return rewrite(mergeUnion(node, union, path), path);
  for (const key of Object.keys(node)) {
    if (!REWRITTEN.has(key) && !COPIED.some((known) => known === key)) {
      throw new Error(`${path}: a structural schema has no '${key}'`);
    }
  }
  const copied = Object.fromEntries(
    COPIED.filter((key) => node[key] !== undefined).map((key) => [key, node[key]]),
  );
  const properties = entriesOf(node['properties']);
  return {
    ...copied,
    ...(node['type'] === 'integer' ? { format: integerFormat(node) } : {}),
    ...(isNode(node['items']) ? { items: rewrite(node['items'], `${path}[]`) } : {}),
    ...(isNode(node['additionalProperties'])
      ? { additionalProperties: rewrite(node['additionalProperties'], `${path}.*`) }
      : {}),
    ...(properties.length > 0
      ? {
          properties: Object.fromEntries(
            properties.map(([name, it]) => [name, rewrite(it, `${path}.${name}`)]),
          ),
        }
      : {}),
  } as StructuralSchema;
};

const integerFormat = (node: Node): 'int32' | 'int64' =>
  typeof node['maximum'] === 'number' && node['maximum'] < 2 ** 31 ? 'int32' : 'int64';

/** The one field whose value tells the branches apart. */
const tagOf = (branches: readonly Node[], path: string): string => {
  const [first] = branches;
  const tag = entriesOf(first?.['properties'])
    .map(([name]) => name)
    .find((name) => branches.every((branch) => tagValue(branch, name) !== undefined));
  if (tag === undefined) throw new Error(`${path}: a union needs a field that tells its branches apart`);
  return tag;
};

const propertyOf = (branch: Node, name: string): Node | undefined =>
  entriesOf(branch['properties']).find(([key]) => key === name)?.[1];

const tagValue = (branch: Node, tag: string): string | undefined => {
  const values = stringsOf(propertyOf(branch, tag)?.['enum']);
  return values.length === 1 && stringsOf(branch['required']).includes(tag) ? values[0] : undefined;
};

const mergeUnion = (node: Node, branches: readonly Node[], path: string): Node => {
  const tag = tagOf(branches, path);
  const names = [
    ...new Set(branches.flatMap((branch) => entriesOf(branch['properties']).map(([name]) => name))),
  ];
  const required = names.filter((name) => branches.every((it) => stringsOf(it['required']).includes(name)));
  const { oneOf: _oneOf, anyOf: _anyOf, ...outside } = node;
  return {
    ...outside,
    type: 'object',
    properties: Object.fromEntries(
      names.map((name) => [name, mergeProperty(branches, name, tag, `${path}.${name}`)]),
    ),
    required,
    'x-kubernetes-validations': [
      ...nodesOf(node['x-kubernetes-validations']),
      ...branches.map((branch) => branchRule(branch, tag, required)),
    ],
  };
};

const mergeProperty = (branches: readonly Node[], name: string, tag: string, path: string): Node => {
  const all = branches.map((branch) => propertyOf(branch, name));
  const present = all.filter((it) => it !== undefined && !isAbsent(it));
  const [first] = present;
  if (first === undefined || all.includes(undefined)) {
    throw new Error(`${path}: every branch must name it, or say absent()`);
  }
  if (name === tag) return { ...first, enum: present.flatMap((it) => stringsOf(it?.['enum'])) };
  if (!present.every((it) => same(it, first))) throw new Error(`${path}: it differs between branches`);
  if (present.length < branches.length && first['default'] !== undefined) {
    throw new Error(`${path}: its default would be set in the other branches too`);
  }
  return first;
};

const branchRule = (branch: Node, tag: string, requiredByAll: readonly string[]): Validation => {
  const value = tagValue(branch, tag) ?? '';
  const needed = stringsOf(branch['required']).filter((name) => !requiredByAll.includes(name));
  const excluded = entriesOf(branch['properties'])
    .filter(([, it]) => isAbsent(it))
    .map(([name]) => name);
  const checks = [
    ...needed.map((name) => `has(self.${name})`),
    ...excluded.map((name) => `!has(self.${name})`),
  ];
  const says = [
    ...(needed.length > 0 ? [`needs ${needed.join(', ')}`] : []),
    ...(excluded.length > 0 ? [`takes no ${excluded.join(', ')}`] : []),
  ];
  return {
    rule: `self.${tag} != '${value}' || (${checks.join(' && ')})`,
    message: `${tag} ${value} ${says.join(' and ')}`,
  };
};
