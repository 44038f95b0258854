import { BlockList, isIP as versionOf } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { Ajv } from 'ajv';
import type { StructuralSchema } from '../../../src/api/structural.ts';

/** The CEL interpreter tells its types apart by constructor, hence two classes in a house of functions. */
class Quantity {
  readonly thousandths: bigint;
  constructor(thousandths: bigint) {
    this.thousandths = thousandths;
  }
}

class Cidr {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** 4, 6 or 0. The API server takes no address with a zone (k8s.io/apiserver/pkg/cel/library/ip.go). */
const isIP = (text: string): number => (text.includes('%') ? 0 : versionOf(text));

const isCidr = (text: string): boolean => {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1;
  return rest.length === 0 && /^(0|[1-9]\d*)$/.test(prefix) && Number(prefix) <= bits;
};

/** The network an IPv4 prefix belongs to; IPv6 ones never reach this, their shape is refused before. */
const masked = ({ text }: Cidr): Cidr => {
  const [address = '', prefix = '0'] = text.split('/');
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const block = 2 ** (32 - Number(prefix));
  const first = Math.floor(number / block) * block;
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
  return new Cidr(`${parts.join('.')}/${prefix}`);
};

const contains = ({ text }: Cidr, ip: string): boolean => {
  const [address = '', prefix = '0'] = text.split('/');
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return isIP(address) === isIP(ip) && list.check(ip, isIP(ip) === 4 ? 'ipv4' : 'ipv6');
};

const SCALES: Readonly<Record<string, bigint>> = { '': 1n, Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n };

const scaleOf = (unit: string): bigint =>
  SCALES[unit] ??
  (unit.endsWith('i')
    ? 1n << (unit.startsWith('T') ? 40n : 50n)
    : 1000n ** BigInt('kMGTP'.indexOf(unit) + 1));

const quantityOf = (text: string): Quantity => {
  const match = /^(\d+)(?:\.(\d{1,3}))?([KMGTP]i|[kMGTP])?$/.exec(text);
  if (match === null) throw new RangeError('no quantity');
  const [, whole = '', fraction = '', unit = ''] = match;
  return new Quantity((BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, '0'))) * scaleOf(unit));
};

const isLess = (a: Quantity, b: Quantity): boolean => a.thousandths < b.thousandths;

const createEnvironment = () => {
  const sync = { async: false } as const;
  return new Environment({ unlistedVariablesAreDyn: true })
    .registerType('Quantity', Quantity)
    .registerType('Cidr', Cidr)
    .registerFunction('quantity(string): Quantity', quantityOf, sync)
    .registerFunction('Quantity.isLessThan(Quantity): bool', isLess, sync)
    .registerFunction(
      'Quantity.isGreaterThan(Quantity): bool',
      (a: Quantity, b: Quantity) => isLess(b, a),
      sync,
    )
    .registerFunction('isIP(string): bool', (text: string) => isIP(text) !== 0, sync)
    .registerFunction('isCIDR(string): bool', isCidr, sync)
    .registerFunction('cidr(string): Cidr', (text: string) => new Cidr(text), sync)
    .registerFunction('Cidr.masked(): Cidr', masked, sync)
    .registerFunction('Cidr.containsIP(string): bool', contains, sync)
    .registerOperator('Cidr == Cidr', (a: Cidr, b: Cidr) => a.text === b.text);
};

/** CEL has integers apart from floating point numbers; the schemas have no floats. */
const forCel = (value: unknown): unknown => {
  if (typeof value === 'number') return BigInt(value);
  if (Array.isArray(value)) return value.map(forCel);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, forCel(it)]));
};

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const isDateTime = (text: string): boolean => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text));

/** Reads an object as the API server would; undefined when it is accepted, else the first complaint. */
export type Witness = (object: unknown) => string | undefined;

type Evaluate = (rule: string, self: unknown) => unknown;

const brokenRule = (schema: StructuralSchema, value: unknown, evaluate: Evaluate): string | undefined => {
  for (const { rule, message } of schema['x-kubernetes-validations'] ?? []) {
    if (!rule.includes('oldSelf') && evaluate(rule, value) !== true) return message;
  }
  const children: [StructuralSchema, unknown][] = Array.isArray(value)
    ? value.map((item) => [schema.items ?? { type: 'object' }, item])
    : Object.entries(typeof value === 'object' && value !== null ? value : {}).map(([name, item]) => [
        schema.properties?.[name] ?? schema.additionalProperties ?? { type: 'object' },
        item,
      ]);
  return children.map(([at, item]) => brokenRule(at, item, evaluate)).find((broken) => broken !== undefined);
};

const repeatedKey = (schema: StructuralSchema, value: unknown): string | undefined => {
  if (Array.isArray(value)) {
    const [key] = schema['x-kubernetes-list-map-keys'] ?? [];
    const keys = value.map((item: unknown) =>
      key === undefined ? item : (item as Readonly<Record<string, unknown>>)[key],
    );
    const unique = schema['x-kubernetes-list-type'] !== 'atomic';
    if (unique && new Set(keys).size < keys.length) return 'Duplicate value';
    return value.map((item) => repeatedKey(schema.items ?? schema, item)).find((it) => it !== undefined);
  }
  return Object.entries(typeof value === 'object' && value !== null ? value : {})
    .map(([name, item]) => {
      const at = schema.properties?.[name];
      return at === undefined ? undefined : repeatedKey(at, item);
    })
    .find((it) => it !== undefined);
};

/**
 * A second reader of an emitted CRD schema that shares no code with zod: ajv for the schema, an interpreter for
 * the CEL rules. Rules of change are left out, since there is no earlier object.
 */
export const createWitness = (schema: StructuralSchema): Witness => {
  const ajv = new Ajv({ strict: false, useDefaults: true });
  ajv.addFormat('date-time', isDateTime).addFormat('int32', true).addFormat('int64', true);
  const validate = ajv.compile(schema);
  const environment = createEnvironment();
  const parsed = new Map<string, (context: object) => unknown>();
  const evaluate: Evaluate = (rule, self) => {
    const run = parsed.get(rule) ?? environment.parse(rule);
    parsed.set(rule, run);
    try {
      return run({ self: forCel(self) });
    } catch (error) {
      // The API server refuses too when a rule fails; the interpreter's error drags its whole parse tree along.
      return error instanceof Error ? error.message : String(error);
    }
  };
  return (object) => {
    const copy = structuredClone(object);
    if (!validate(copy)) return ajv.errorsText(validate.errors);
    return repeatedKey(schema, copy) ?? brokenRule(schema, copy, evaluate);
  };
};
