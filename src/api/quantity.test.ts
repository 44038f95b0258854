import { assert, bigInt, constantFrom, integer, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, formatQuantity, isQuantity, parseQuantity } from './quantity.ts';

describe('parseQuantity', () => {
  it.each([
    ['0', 0n],
    ['1000', 1000n],
    ['1k', 1000n],
    ['1Ki', 1024n],
    ['1.5Gi', 1_610_612_736n],
    ['0.001', 1n],
    ['2P', 2_000_000_000_000_000n],
  ])('%s is %s bytes', (text, bytes) => {
    expect(parseQuantity(text)).toBe(bytes);
  });

  it.each(['', 'Gi', '-1', '1.', '.5', '1gi', '1 Gi', '1e3', '1Gi\n'])('refuses %j', (text) => {
    expect(() => parseQuantity(text)).toThrow(RangeError);
  });

  it('reads back what formatQuantity writes', () => {
    assert(
      property(bigInt({ min: 0n, max: 2n ** 49n }), (bytes) => {
        expect(parseQuantity(formatQuantity(bytes))).toBe(bytes);
      }),
    );
    assert(
      property(integer({ min: 1, max: 4096 }), constantFrom('Ki', 'Mi', 'Gi', 'Ti'), (count, unit) => {
        expect(parseQuantity(formatQuantity(parseQuantity(`${count}${unit}`)))).toBe(
          parseQuantity(`${count}${unit}`),
        );
      }),
    );
  });

  it('either gives bytes or a RangeError, whatever it is given', () => {
    assert(
      property(string(), (text) => {
        expect(isQuantity(text, '0', '999999999999999P')).toBe(
          /^[0-9]{1,15}(\.[0-9]{1,3})?([KMGTP]i|[kMGTP])?$/.test(text),
        );
      }),
    );
  });
});

describe('bytesOf', () => {
  it('gives a number', () => {
    expect(bytesOf('64Ti')).toBe(64 * 2 ** 40);
  });

  it('refuses what a number cannot hold', () => {
    expect(() => bytesOf('8Pi')).toThrow(/beyond 8 PiB/);
  });
});

describe('formatQuantity', () => {
  it.each([
    [0, '0'],
    [2_147_483_648, '2Gi'],
    [1_610_612_736, '1536Mi'],
    [1000, '1000'],
  ])('%s bytes are %s', (bytes, text) => {
    expect(formatQuantity(bytes)).toBe(text);
  });
});
