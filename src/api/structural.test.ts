import { expect, it } from 'vitest';
import { z } from 'zod';
import { absent, int, rule, text } from './kit.ts';
import { structural } from './structural.ts';

const branch = <Tag extends string, Shape extends z.ZodRawShape>(tag: Tag, shape: Shape) =>
  z.object({ type: z.literal(tag), ...shape });

it('merges the branches of a union and says by rule what belongs to which', () => {
  const union = z.discriminatedUnion('type', [
    branch('A', { a: text(3), common: text(5).default('x'), b: absent() }),
    branch('B', { b: int(1, 2), common: text(5).default('x'), a: absent() }),
  ]);
  expect(structural(union)).toEqual({
    type: 'object',
    required: ['type'],
    properties: {
      type: { type: 'string', enum: ['A', 'B'] },
      a: { type: 'string', maxLength: 3 },
      common: { type: 'string', maxLength: 5, default: 'x' },
      b: { type: 'integer', format: 'int32', minimum: 1, maximum: 2 },
    },
    'x-kubernetes-validations': [
      { rule: "self.type != 'A' || (has(self.a) && !has(self.b))", message: 'type A needs a and takes no b' },
      { rule: "self.type != 'B' || (has(self.b) && !has(self.a))", message: 'type B needs b and takes no a' },
    ],
  });
});

it('keeps every rule of a schema, in the order in which they were attached', () => {
  const schema = rule(
    rule(text(3), { cel: 'size(self) > 0', message: 'one', js: (value) => value.length > 0 }),
    { cel: 'size(self) < 3', message: 'two', js: (value) => value.length < 3 },
  );
  expect(structural(schema.optional())['x-kubernetes-validations']).toEqual([
    { rule: 'size(self) > 0', message: 'one' },
    { rule: 'size(self) < 3', message: 'two' },
  ]);
  expect(schema.safeParse('').error?.issues[0]?.message).toBe('one');
  expect(schema.safeParse('abc').error?.issues[0]?.message).toBe('two');
});

it.each([
  [
    'a branch that keeps silent about a field of another',
    z.discriminatedUnion('type', [branch('A', { a: text(1) }), branch('B', {})]),
    /every branch must name it/,
  ],
  [
    'a default that would leak into another branch',
    z.discriminatedUnion('type', [branch('A', { a: text(1).default('x') }), branch('B', { a: absent() })]),
    /default would be set in the other branches/,
  ],
  [
    'one name for two things',
    z.discriminatedUnion('type', [branch('A', { a: text(1) }), branch('B', { a: int(0, 1) })]),
    /differs between branches/,
  ],
  [
    'a union without a tag',
    z.union([z.object({ a: text(1) }), z.object({ b: text(1) })]),
    /tells its branches apart/,
  ],
  ['a null', z.object({ a: text(1).nullable() }), /has no 'nullable'/],
  ['a date', z.object({ a: z.date() }), /Date cannot be represented/],
])('refuses %s', (_, schema, message) => {
  expect(() => structural(schema)).toThrow(message);
});
