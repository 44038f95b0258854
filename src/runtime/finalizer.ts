/** The operations of RFC 6902 that are used here. */
export type JsonPatch = readonly (
  | { readonly op: 'test' | 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
)[];

/** The part of an object's metadata that decides, as it was last read. */
export interface FinalizedMeta {
  readonly uid: string;
  readonly finalizers?: readonly string[];
}

const list = '/metadata/finalizers';

/** A recreated object of the same name is another object, whose finalizers are not ours to change. */
const sameObject = (uid: string) => ({ op: 'test', path: '/metadata/uid', value: uid }) as const;

export const hasFinalizer = (meta: FinalizedMeta, name: string): boolean =>
  meta.finalizers?.includes(name) === true;

/**
 * The JSON patch that adds our finalizer, undefined when it is there. It fails as a whole (422, to be treated as a
 * conflict: read again) when the list is no longer as read, so nobody else's finalizer is lost or doubled.
 * A `test` for null holds for an absent member at the API server (github.com/evanphx/json-patch).
 */
export const addFinalizerPatch = (meta: FinalizedMeta, name: string): JsonPatch | undefined => {
  if (hasFinalizer(meta, name)) {
    return undefined;
  }
  const { finalizers = [] } = meta;
  return finalizers.length === 0
    ? [
        sameObject(meta.uid),
        { op: 'test', path: list, value: null },
        { op: 'add', path: list, value: [name] },
      ]
    : [
        sameObject(meta.uid),
        { op: 'test', path: list, value: finalizers },
        { op: 'add', path: `${list}/-`, value: name },
      ];
};

/**
 * The JSON patch that removes our finalizer alone, undefined when it is not there. The `test` of its place makes the
 * patch fail (422, to be treated as a conflict) when another's finalizer came or went meanwhile.
 */
export const removeFinalizerPatch = (meta: FinalizedMeta, name: string): JsonPatch | undefined => {
  const at = meta.finalizers?.indexOf(name) ?? -1;
  if (at < 0) {
    return undefined;
  }
  const path = `${list}/${at}`;
  return [sameObject(meta.uid), { op: 'test', path, value: name }, { op: 'remove', path }];
};
