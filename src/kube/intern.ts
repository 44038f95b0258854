/**
 * One copy of each text that many objects share. What was just parsed from JSON has its own copy of every reason,
 * message and time of a condition: about a third of what a cached object weighs.
 */

/** Longer texts are seldom alike. */
const MAX_LENGTH = 256;
/** Texts remembered at most, twice over: a generation that is full makes room for the next, and what is used moves on. */
const GENERATION = 4_096;

export type Intern = (text: string) => string;

export const createIntern = (generation = GENERATION): Intern => {
  let young = new Map<string, string>();
  let old = new Map<string, string>();
  return (text) => {
    if (text.length > MAX_LENGTH) {
      return text;
    }
    const known = young.get(text);
    if (known !== undefined) {
      return known;
    }
    if (young.size >= generation) {
      old = young;
      young = new Map();
    }
    const kept = old.get(text) ?? text;
    young.set(kept, kept);
    return kept;
  };
};

const isContainer = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Replaces the texts within a value that nobody else holds yet. */
export const internWithin = (value: unknown, intern: Intern): void => {
  if (!isContainer(value)) {
    return;
  }
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (typeof member === 'string') {
      value[key] = intern(member);
    } else {
      internWithin(member, intern);
    }
  }
};
