const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const definedKeys = (value: Record<string, unknown>): string[] =>
  Object.keys(value).filter((key) => value[key] !== undefined);

/** JSON equality: order of keys does not matter, and a member that is undefined counts as absent. */
export const deepEqual = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) {
    return true;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, at) => deepEqual(item, b[at]));
  }
  if (!isRecord(a) || !isRecord(b)) {
    return false;
  }
  const keys = definedKeys(a);
  return (
    keys.length === definedKeys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && deepEqual(a[key], b[key]))
  );
};

/** Whether a status needs no write; no status at all equals an empty one. */
export const statusEqual = (a: unknown, b: unknown): boolean => deepEqual(a ?? {}, b ?? {});
