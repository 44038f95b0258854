/**
 * The shapes of the Kubernetes API that every kind shares (apimachinery meta/v1). Dates are RFC 3339 strings as
 * the server sends them; objects are read-only because stores hand out the same object to every reader.
 */

/** One condition, `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What the server stamps on every stored object; `managedFields` is removed before it reaches a store. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Any object. Kinds with other top-level fields (`data` of a Secret) extend it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** Where a kind is served. `group` is empty for the core group. */
export interface KindInfo {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly scope: 'Namespaced' | 'Cluster';
}

/** Turns what the server sent into the typed object; may throw (zod does), which makes the object unreadable. */
export type Parse<T extends KubeObject> = (raw: unknown) => T;

/** `namespace/name`, or `name` for a cluster-scoped object. */
export type ObjectKey = string;

/** Name and, for a namespaced kind, namespace. */
export interface ObjectName {
  readonly name: string;
  readonly namespace?: string;
}

export const keyOfName = ({ name, namespace }: ObjectName): ObjectKey =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;

export const keyOf = (object: { readonly metadata: ObjectName }): ObjectKey => keyOfName(object.metadata);

/** The inverse of `keyOf`; neither part can hold a slash (RFC 1123 names). */
export const parseKey = (key: ObjectKey): ObjectName => {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

/** `v1`, or `group/version`. */
export const apiVersionOf = ({ group, version }: Pick<KindInfo, 'group' | 'version'>): string =>
  group === '' ? version : `${group}/${version}`;
