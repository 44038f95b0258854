import type { KindInfo, ObjectMeta } from './types.ts';
import { apiVersionOf } from './types.ts';

/** An object as the server sent it, known to have the metadata that every stored object has. */
export interface RawObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const withoutLastApplied = (annotations: Record<string, unknown>): Record<string, unknown> | undefined => {
  const { [LAST_APPLIED]: _, ...rest } = annotations;
  return Object.keys(rest).length === 0 ? undefined : rest;
};

/**
 * Without `managedFields` and kubectl's last-applied annotation (a third of an object's memory), and with the
 * apiVersion and kind that the items of a list lack. Undefined for what is no object of the API.
 */
export const toRawObject = (kindInfo: KindInfo, value: unknown): RawObject | undefined => {
  if (!isRecord(value) || !isRecord(value['metadata'])) {
    return undefined;
  }
  const { managedFields: _, annotations, ...metadata } = value['metadata'];
  const { name, uid, resourceVersion } = metadata;
  if (typeof name !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string') {
    return undefined;
  }
  const kept = isRecord(annotations) ? withoutLastApplied(annotations) : undefined;
  return {
    ...value,
    apiVersion: apiVersionOf(kindInfo),
    kind: kindInfo.kind,
    metadata: { ...metadata, name, uid, resourceVersion, ...(kept && { annotations: kept }) } as ObjectMeta,
  };
};
