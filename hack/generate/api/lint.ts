import type { StructuralSchema } from '../../../src/api/structural.ts';

/** Fields whose shape Kubernetes itself owns. */
const OF_KUBERNETES = new Set(['$.apiVersion', '$.kind', '$.metadata']);

/** Parts of a pattern that Go's RE2 does not know. */
const NOT_RE2 = /\(\?[=!<]|\\[1-9]/;

const unbounded = (schema: StructuralSchema): string | undefined => {
  switch (schema.type) {
    case 'string':
      return schema.maxLength === undefined && schema.enum === undefined
        ? 'a string without maxLength'
        : undefined;
    case 'array':
      return schema.maxItems === undefined ? 'a list without maxItems' : undefined;
    case 'integer':
      return schema.minimum === undefined || schema.maximum === undefined
        ? 'an integer without minimum and maximum'
        : undefined;
    case 'object':
      return schema.additionalProperties !== undefined && schema.maxProperties === undefined
        ? 'a map without maxProperties'
        : undefined;
    case 'boolean':
      return undefined;
    default:
      return `unknown type ${String(schema.type satisfies never)}`;
  }
};

const own = (schema: StructuralSchema): string[] => {
  const bound = unbounded(schema);
  return [
    ...(bound === undefined ? [] : [bound]),
    ...(schema.pattern !== undefined && NOT_RE2.test(schema.pattern)
      ? ['a pattern that RE2 does not know']
      : []),
    ...(schema.type === 'array' && schema['x-kubernetes-list-type'] === undefined
      ? ['a list without list-type']
      : []),
    ...(schema.type === 'array' && schema.items === undefined ? ['a list without items'] : []),
    ...(schema.properties !== undefined && schema.additionalProperties !== undefined
      ? ['properties next to additionalProperties']
      : []),
    ...(schema['x-kubernetes-validations'] ?? [])
      .filter((it) => /[\n\r]/.test(it.message) || it.message.length > 200)
      .map((it) => `a message that is too long: ${it.message}`),
  ];
};

/** What the API server, or a reader, would not like about a schema; each line begins with the path. */
export const lintSchema = (schema: StructuralSchema, path = '$'): string[] => {
  if (OF_KUBERNETES.has(path)) return [];
  const children: [string, StructuralSchema][] = [
    ...Object.entries(schema.properties ?? {}).map(([name, it]): [string, StructuralSchema] => [
      `${path}.${name}`,
      it,
    ]),
    ...(schema.items === undefined ? [] : [[`${path}[]`, schema.items] satisfies [string, StructuralSchema]]),
    ...(schema.additionalProperties === undefined
      ? []
      : [[`${path}.*`, schema.additionalProperties] satisfies [string, StructuralSchema]]),
  ];
  const undescribed = Object.entries(schema.properties ?? {})
    .filter(([name, it]) => it.description === undefined && !OF_KUBERNETES.has(`${path}.${name}`))
    .map(([name]) => `${path}.${name}: no description`);
  return [
    ...own(schema).map((problem) => `${path}: ${problem}`),
    ...undescribed,
    ...children.flatMap(([at, it]) => lintSchema(it, at)),
  ];
};
