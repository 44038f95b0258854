const UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1000n,
  M: 1000n ** 2n,
  G: 1000n ** 3n,
  T: 1000n ** 4n,
  P: 1000n ** 5n,
  Ki: 1024n,
  Mi: 1024n ** 2n,
  Gi: 1024n ** 3n,
  Ti: 1024n ** 4n,
  Pi: 1024n ** 5n,
};

/** What a quantity looks like; no sign, at most three decimals. */
export const QUANTITY_SHAPE = /^([0-9]{1,15})(?:\.([0-9]{1,3}))?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/;

/**
 * Bytes of a quantity such as `512Mi` or `1.5Gi`; a fraction of a byte counts as a whole one.
 * @throws RangeError when the text is no quantity
 */
export const parseQuantity = (text: string): bigint => {
  const match = QUANTITY_SHAPE.exec(text);
  const [, whole = '', fraction = '', unit = ''] = match ?? [];
  const factor = UNITS[unit];
  if (match === null || factor === undefined) throw new RangeError(`'${text}' is not a quantity`);
  const thousandths = BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, '0'));
  return (thousandths * factor + 999n) / 1000n;
};

/**
 * The same as a number.
 * @throws RangeError when the text is no quantity or is beyond 2^53 bytes (8 PiB)
 */
export const bytesOf = (text: string): number => {
  const bytes = parseQuantity(text);
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`'${text}' is beyond 8 PiB`);
  return Number(bytes);
};

/** Bytes as the shortest exact quantity in binary units: 2147483648 is `2Gi`, 1000 is `1000`. */
export const formatQuantity = (bytes: bigint | number): string => {
  let rest = BigInt(bytes);
  let unit = '';
  for (const next of ['Ki', 'Mi', 'Gi', 'Ti', 'Pi']) {
    if (rest === 0n || rest % 1024n !== 0n) break;
    rest /= 1024n;
    unit = next;
  }
  return `${rest}${unit}`;
};

/** Whether the text is a quantity within the two bounds, both included. */
export const isQuantity = (text: string, min: string, max: string): boolean => {
  if (!QUANTITY_SHAPE.test(text)) return false;
  const bytes = parseQuantity(text);
  return bytes >= parseQuantity(min) && bytes <= parseQuantity(max);
};
