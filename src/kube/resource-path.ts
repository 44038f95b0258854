import { Fault } from '../runtime/fault.ts';
import type { KindInfo, ObjectName } from './types.ts';

/**
 * Names come from specs, that is from users. The server's own rule for a path segment (`IsValidPathSegmentName`)
 * is checked here, because an empty name would turn the deletion of an object into that of its collection.
 */
const segment = (kindInfo: KindInfo, text: string): string => {
  if (text === '' || text === '.' || text === '..' || /[/%]/.test(text)) {
    throw new Fault('invalid', `"${text}" is not a name of a ${kindInfo.kind} or its namespace`, {
      reason: 'InvalidName',
    });
  }
  return encodeURIComponent(text);
};

/** `/api/v1/…` for the core group, `/apis/<group>/<version>/…` else; all namespaces without `namespace`. */
export const collectionPath = (kindInfo: KindInfo, namespace?: string): string => {
  const { group, version, plural, scope } = kindInfo;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return scope === 'Cluster' || namespace === undefined
    ? `${root}/${plural}`
    : `${root}/namespaces/${segment(kindInfo, namespace)}/${plural}`;
};

/** The collection that holds an object: in its namespace for a namespaced kind. */
export const collectionOf = (kindInfo: KindInfo, { namespace }: ObjectName): string => {
  if (kindInfo.scope === 'Namespaced' && namespace === undefined) {
    throw new Fault('bug', `a ${kindInfo.kind} is addressed without its namespace`, {
      reason: 'NoNamespace',
    });
  }
  return collectionPath(kindInfo, namespace);
};

export const objectPath = (kindInfo: KindInfo, object: ObjectName, subresource?: string): string => {
  const path = `${collectionOf(kindInfo, object)}/${segment(kindInfo, object.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
};
