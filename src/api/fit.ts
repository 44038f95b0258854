import type { z } from 'zod';

type Path = readonly PropertyKey[];

const isRecord = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON has no half characters: the API server would store another text than was sent, and it would differ for ever. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, it]) => [key, wellFormed(it)]))
    : value;
};

const without = (value: unknown, key: PropertyKey): unknown => {
  if (Array.isArray(value)) return value.filter((_, index) => index !== key);
  return isRecord(value) ? Object.fromEntries(Object.entries(value).filter(([name]) => name !== key)) : value;
};

const getAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (it, key) => (Array.isArray(it) ? it[Number(key)] : isRecord(it) ? it[key] : undefined),
    value,
  );

/** The value with another one at a path; undefined takes it out. */
const putAt = (value: unknown, path: Path, given: unknown): unknown => {
  const [key, ...rest] = path;
  if (key === undefined) return given;
  const below = rest.length === 0 ? given : putAt(getAt(value, [key]), rest, given);
  if (below === undefined) return without(value, key);
  if (Array.isArray(value)) return value.map((it, index) => (index === key ? below : it));
  return isRecord(value) ? { ...value, [key]: below } : value;
};

/** A text that is too long is cut, a list shortened, a number brought to its bound; anything else is left out. */
const mended = (value: unknown, issue: z.core.$ZodIssue): unknown => {
  if (issue.code === 'too_big') {
    const max = Number(issue.maximum);
    if (typeof value === 'string') return value.slice(0, max).toWellFormed();
    if (Array.isArray(value)) return value.slice(0, max);
    if (typeof value === 'number') return max;
  }
  if (issue.code === 'too_small' && typeof value === 'number') return Number(issue.minimum);
  return undefined;
};

const mend = (value: unknown, issue: z.core.$ZodIssue): unknown => {
  const found = getAt(value, issue.path);
  // What is required and not there cannot be left out: what needs it is.
  const path = found === undefined ? issue.path.slice(0, -1) : issue.path;
  return path.length === 0
    ? value
    : putAt(value, path, found === undefined ? undefined : mended(found, issue));
};

/** Each round mends what the one before uncovered; a schema is not deeper than this. */
const maxRounds = 16;

/**
 * Makes a status fit its schema. Hosts, guests and servers tell what they like: a value that the API server would
 * refuse (422) must never keep the rest of the status from being written, again and again. What fits comes back as it
 * is.
 */
export const fitTo =
  (schema: z.ZodType) =>
  <Status>(status: Status): Status => {
    let value: unknown = wellFormed(status);
    for (let round = 0; round < maxRounds; round += 1) {
      const parsed = schema.safeParse(value);
      if (parsed.success) break;
      // From the end, so that places in a list stay what they were.
      value = parsed.error.issues.toReversed().reduce(mend, value);
    }
    return value as Status;
  };
