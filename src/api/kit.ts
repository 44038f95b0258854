import { z } from 'zod';
import { isCidr, isIp, isNetworkCidr } from './ip.ts';
import { isQuantity, QUANTITY_SHAPE } from './quantity.ts';

/** One check in two languages: CEL for the API server, JavaScript for whoever parses with zod. */
export interface Rule<Value> {
  /** A CEL expression over `self` (and `oldSelf`, which makes it a rule of change). */
  readonly cel: string;
  /** One sentence that a person can act on. */
  readonly message: string;
  /** The same check; absent on rules of change, which zod cannot see. */
  readonly js?: (value: Value) => boolean;
}

/** A parsed value: read-only all the way down, and what is absent is not there rather than undefined. */
export type Value<Type> = Type extends readonly (infer Item)[]
  ? readonly Value<Item>[]
  : Type extends object
    ? { readonly [Key in keyof Type]: Value<Exclude<Type[Key], undefined>> }
    : Type;

/** What parsing with the schema gives. */
export type Output<Schema extends z.ZodType> = Value<z.output<Schema>>;

/**
 * Reads a value; defaults are filled in and fields nobody knows are dropped.
 * @throws z.ZodError when it does not fit
 */
export const parseWith = <Schema extends z.ZodType>(schema: Schema, value: unknown): Output<Schema> =>
  schema.parse(value) as Output<Schema>;

interface ValidationMeta {
  readonly rule: string;
  readonly message: string;
}

const validationsOf = (schema: z.ZodType): readonly ValidationMeta[] => {
  const found: unknown = schema.meta()?.['x-kubernetes-validations'];
  return Array.isArray(found) ? (found as ValidationMeta[]) : [];
};

/** Attaches CEL and its JavaScript twin together, so that neither can be forgotten. */
export const rule = <Schema extends z.ZodType>(schema: Schema, it: Rule<z.output<Schema>>): Schema => {
  const { js } = it;
  const checked = js === undefined ? schema : schema.refine((value) => js(value), { message: it.message });
  const validations = [...validationsOf(schema), { rule: it.cel, message: it.message }];
  return checked.meta({ ...schema.meta(), 'x-kubernetes-validations': validations });
};

/** A value that never changes once the object exists. For a required field, or an object as a whole. */
export const immutable = <Schema extends z.ZodType>(schema: Schema, what: string): Schema =>
  rule(schema, { cel: 'self == oldSelf', message: `${what} cannot be changed once it is set` });

/** Optional fields of `schema` that may neither change nor come or go: a rule of the object that holds them. */
export const immutableOptional = <Schema extends z.ZodType>(schema: Schema, field: string): Schema =>
  rule(schema, {
    cel: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed once it is set`,
  });

/** Server-side apply replaces the whole map: two appliers can never each set one branch. */
export const atomic = <Schema extends z.ZodType>(schema: Schema): Schema =>
  schema.meta({ ...schema.meta(), 'x-kubernetes-map-type': 'atomic' });

/** Marks a field of another branch of a union: absent here. */
export const absent = () => z.never().optional();

/** A list that server-side apply merges by `key`. */
export const listMap = <Item extends z.ZodType>(item: Item, key: string, max: number) =>
  uniqueBy(z.array(item).max(max), key).meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
  });

const uniqueBy = <Item extends z.ZodType>(list: z.ZodArray<Item>, key: string): z.ZodArray<Item> =>
  list.refine(
    (items) => new Set(items.map((item) => (item as Record<string, unknown>)[key])).size === items.length,
    { message: `two entries have the same ${key}` },
  );

/** A list whose entries are all different; server-side apply merges it. */
export const listSet = <Item extends z.ZodType<string>>(item: Item, max: number) =>
  z
    .array(item)
    .max(max)
    .refine((items) => new Set(items).size === items.length, { message: 'an entry appears twice' })
    .meta({ 'x-kubernetes-list-type': 'set' });

/** An ordered list that server-side apply replaces as a whole. */
export const listAtomic = <Item extends z.ZodType>(item: Item, max: number) =>
  z.array(item).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

/** A whole number between two bounds, both included. */
export const int = (min: number, max: number) => z.number().int().min(min).max(max);

/** Free text of at most `max` characters. */
export const text = (max: number) => z.string().max(max);

/**
 * Text of one shape. It is checked by CEL and not by `pattern`, because the API server would show the pattern
 * to a person. `shape` must mean the same in JavaScript and RE2: no lookaround, no back references, no `\\s`.
 */
export const matching = (max: number, shape: RegExp, message: string) =>
  rule(z.string().max(max), {
    cel: `self.matches(r'${shape.source}')`,
    message,
    js: (value) => shape.test(value),
  });

/** RFC 1123 label: a machine, a list entry. */
export const dnsLabel = () =>
  matching(
    63,
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be a DNS label such as web-1: lower case letters, digits and dashes',
  );

/** RFC 1123 subdomain: the name of most Kubernetes objects. */
export const dnsSubdomain = (max = 253) =>
  matching(
    max,
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a DNS name such as web-1.example: lower case letters, digits, dashes and dots',
  );

/** `metadata.uid`. */
export const uid = () => z.string().max(64);

/** A reference by name; to which kind and namespace is said by the field. */
export const reference = (description: string) =>
  atomic(z.object({ name: dnsSubdomain().describe('Name of the object.') })).describe(description);

/** An amount of bytes that is reported, as Kubernetes writes it: `512Mi`, `1.5Gi`. See `quantity.ts`. */
export const quantity = () => z.string().max(20).regex(QUANTITY_SHAPE);

/** A quantity that is asked for, within two bounds, both included. */
export const quantityBetween = (min: string, max: string, what: string) =>
  rule(z.string().max(20), {
    cel:
      `self.matches(r'${QUANTITY_SHAPE.source}') && ` +
      `!quantity(self).isLessThan(quantity('${min}')) && !quantity(self).isGreaterThan(quantity('${max}'))`,
    message: `${what} must be a quantity between ${min} and ${max}, such as 4Gi`,
    js: (value) => isQuantity(value, min, max),
  });

/** A quantity that may change in one direction only. */
export const growOnly = <Schema extends z.ZodType<string>>(schema: Schema, message: string): Schema =>
  rule(schema, { cel: '!isQuantity(self) || !quantity(self).isLessThan(quantity(oldSelf))', message });

/** A unicast MAC address in lower case. */
export const mac = () =>
  matching(
    17,
    /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/,
    'must be a unicast MAC address in lower case such as 52:54:00:12:34:56',
  );

/** An IPv4 or IPv6 address. */
export const ip = () =>
  rule(z.string().max(39), {
    cel: 'isIP(self)',
    message: 'must be an IPv4 or IPv6 address such as 192.0.2.10 or 2001:db8::10',
    js: isIp,
  });

/** An address with the length of its prefix: `192.0.2.10/24`. */
export const addressWithPrefix = () =>
  rule(z.string().max(43), {
    cel: 'isCIDR(self)',
    message: 'must be an address with its prefix length such as 192.0.2.10/24',
    js: isCidr,
  });

const NETWORK_SHAPE = /^[0-9.]+\/([89]|1[0-9]|2[0-9])$/;

/** An IPv4 network: `192.168.150.0/24`, prefix 8 to 29. */
export const networkCidr = () =>
  rule(z.string().max(18), {
    cel: `self.matches(r'${NETWORK_SHAPE.source}') && isCIDR(self) && cidr(self) == cidr(self).masked()`,
    message: 'must be an IPv4 network such as 192.168.150.0/24, prefix 8 to 29, with no bits set after it',
    js: (value) => NETWORK_SHAPE.test(value) && isNetworkCidr(value),
  });

/** Digest of a file, algorithm first. */
export const digest = () =>
  matching(
    135,
    /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/,
    'must be sha256: and 64, or sha512: and 128 hexadecimal digits in lower case',
  );

const TIME_SHAPE =
  /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/;

/** RFC 3339 time, as `date -u +%FT%TZ` prints it. */
export const time = () =>
  z
    .string()
    .max(35)
    .refine((value) => TIME_SHAPE.test(value) && !Number.isNaN(Date.parse(value)), {
      message: 'must be an RFC 3339 time such as 2026-03-01T12:00:00Z',
    })
    .meta({ format: 'date-time' });
