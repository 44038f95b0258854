import { expect, it } from 'vitest';
import { parseWith } from './kit.ts';
import { allowedNamespaces, allowsNamespace } from './namespaces.ts';

const allowed = (input: unknown) => parseWith(allowedNamespaces(), input);

it('allows nobody by default', () => {
  expect(allowsNamespace(allowed(undefined), { team: 'a' })).toBe(false);
});

it('allows all', () => {
  expect(allowsNamespace(allowed({ from: 'All' }), {})).toBe(true);
});

it('asks for every label of matchLabels', () => {
  const selected = allowed({ from: 'Selector', selector: { matchLabels: { team: 'a', stage: 'x' } } });
  expect(allowsNamespace(selected, { team: 'a', stage: 'x', other: 'y' })).toBe(true);
  expect(allowsNamespace(selected, { team: 'a' })).toBe(false);
});

it('an empty selector selects every namespace, as in Kubernetes', () => {
  expect(allowsNamespace(allowed({ from: 'Selector', selector: {} }), {})).toBe(true);
});

it.each([
  ['In', ['a', 'b'], { team: 'b' }, true],
  ['In', ['a'], { team: 'b' }, false],
  ['In', ['a'], {}, false],
  ['NotIn', ['a'], { team: 'b' }, true],
  ['NotIn', ['a'], {}, true],
  ['NotIn', ['a'], { team: 'a' }, false],
  ['Exists', undefined, { team: '' }, true],
  ['Exists', undefined, {}, false],
  ['DoesNotExist', undefined, {}, true],
  ['DoesNotExist', undefined, { team: 'a' }, false],
] as const)('%s %j over %j is %s', (operator, values, labels, expected) => {
  const requirement = { key: 'team', operator, ...(values === undefined ? {} : { values }) };
  const selected = allowed({ from: 'Selector', selector: { matchExpressions: [requirement] } });
  expect(allowsNamespace(selected, labels)).toBe(expected);
});
