import { clampToSafe } from './codec.ts';
import type { TypedParam } from './protocol.gen.ts';

/** Numbers beyond 2^53-1 are clamped; booleans are true and false. */
export type TypedValues = Readonly<Record<string, number | boolean | string>>;

const valueOf = ({ value }: TypedParam): number | boolean | string => {
  switch (value.type) {
    case 3:
    case 4:
      return clampToSafe(value.value);
    case 6:
      return value.value !== 0;
    case 7:
      return value.value;
    case 1:
    case 2:
    case 5:
      return value.value;
    default:
      return value satisfies never;
  }
};

/** A host's list of named values; a name that comes twice keeps its last value. Has no prototype. */
export const readTypedParams = (params: readonly TypedParam[]): TypedValues => {
  const values: Record<string, number | boolean | string> = Object.create(null);
  for (const param of params) values[param.field] = valueOf(param);
  return values;
};
