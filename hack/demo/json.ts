/** Reading of objects whose shape is not known: what kubectl prints. Pure. */

export type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** The value at these keys, undefined when there is none. */
export const at = (value: unknown, ...keys: readonly (string | number)[]): unknown =>
  keys.reduce<unknown>((here, key) => {
    if (Array.isArray(here) && typeof key === 'number') return here[key];
    return isObject(here) ? here[key] : undefined;
  }, value);

/** The same as a string; empty when there is none. */
export const textAt = (value: unknown, ...keys: readonly (string | number)[]): string => {
  const found = at(value, ...keys);
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
    ? String(found)
    : '';
};

export const listAt = (value: unknown, ...keys: readonly (string | number)[]): readonly Json[] => {
  const found = at(value, ...keys);
  return Array.isArray(found) ? found.filter(isObject) : [];
};

/** The entry of a list map. */
export const named = (list: readonly Json[], name: string): Json | undefined =>
  list.find((each) => each['name'] === name);

export const conditionOf = (object: unknown, type: string): Json | undefined =>
  listAt(object, 'status', 'conditions').find((each) => each['type'] === type);

/**
 * Whether this condition is `status` and speaks of the present spec: right after a change of the spec the old
 * condition still stands.
 */
export const hasCondition = (object: unknown, type: string, status = 'True'): boolean =>
  textAt(conditionOf(object, type), 'status') === status &&
  at(object, 'status', 'observedGeneration') === at(object, 'metadata', 'generation');

/** What a printer column's path finds: `.a.b`, `.a[*].b`, or `.status.conditions[?(@.type=="Ready")].status`. */
export const columnOf = (object: unknown, jsonPath: string): string => {
  const condition = /^\.status\.conditions\[\?\(@\.type=="(\w+)"\)\]\.(\w+)$/.exec(jsonPath);
  if (condition?.[1] !== undefined && condition[2] !== undefined) {
    return textAt(conditionOf(object, condition[1]), condition[2]);
  }
  // Of a list (`copies[*]`), the first entry.
  const keys = jsonPath.split('.').slice(1);
  return textAt(object, ...keys.flatMap((key) => (key.endsWith('[*]') ? [key.slice(0, -3), 0] : [key])));
};
