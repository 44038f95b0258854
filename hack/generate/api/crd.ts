import { PENDING_STATUS } from '../../../src/api/conditions.ts';
import type { KindDefinition, PrinterColumn } from '../../../src/api/kind.ts';
import { type StructuralSchema, structural } from '../../../src/api/structural.ts';

const column = (it: PrinterColumn): object => ({
  name: it.name,
  type: it.type,
  jsonPath: it.jsonPath,
  ...(it.priority === undefined ? {} : { priority: it.priority }),
});

/** Schema of a whole object of the kind. */
export const objectSchema = (kind: KindDefinition): StructuralSchema => ({
  description: kind.description,
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: { description: 'What is wanted.', ...structural(kind.spec) },
    ...(kind.status === undefined
      ? {}
      : {
          status: { description: 'What is.', ...structural(kind.status), default: PENDING_STATUS },
        }),
  },
  ...(kind.rules.length === 0
    ? {}
    : { 'x-kubernetes-validations': kind.rules.map(({ cel, message }) => ({ rule: cel, message })) }),
});

/** The CustomResourceDefinition of a kind, ready to be printed as YAML. */
export const customResourceDefinition = (kind: KindDefinition): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.plural}.${kind.group}` },
  spec: {
    group: kind.group,
    scope: kind.scope,
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural: kind.plural,
      singular: kind.singular,
      shortNames: kind.shortNames,
      categories: ['ovcp'],
    },
    versions: [
      {
        name: kind.version,
        served: true,
        storage: true,
        ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
        additionalPrinterColumns: kind.printerColumns.map(column),
        schema: { openAPIV3Schema: objectSchema(kind) },
      },
    ],
  },
});
