import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIntern, internWithin } from './intern.ts';

/** Counts the texts that were new to it. */
const counting = (generation: number) => {
  const intern = createIntern(generation);
  return (texts: readonly string[]): readonly string[] => texts.map(intern);
};

describe('createIntern', () => {
  it('answers the same text, whatever it has forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 300 })), (texts) => {
        expect(counting(2)(texts)).toEqual(texts);
      }),
    );
  });
});

describe('internWithin', () => {
  it('changes nothing but the copies', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy: unknown = JSON.parse(JSON.stringify(value));
        internWithin(copy, createIntern());
        expect(copy).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('reaches every text of an object and of its lists', () => {
    const asked: string[] = [];
    internWithin({ a: 'one', b: [{ c: 'two' }, 'three'], d: 4, e: null }, (text) => {
      asked.push(text);
      return text;
    });
    expect(asked).toEqual(['one', 'two', 'three']);
  });

  it('hands out the first copy', () => {
    const object = { conditions: [{ reason: 'Ready' }] };
    internWithin(object, () => 'shared');
    expect(object).toEqual({ conditions: [{ reason: 'shared' }] });
  });
});
