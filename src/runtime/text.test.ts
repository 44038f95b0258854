import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeText } from './text.ts';

describe('safeText', () => {
  it.each([
    ['a\r\nb\tc\u0000d', 'a b c d'],
    ['right\u202eleft\u2066x', 'right left x'],
    ['get https://user:pa55@host/x failed', 'get https://[redacted]@host/x failed'],
    ['password=hunter2, retry', 'password=[redacted], retry'],
    ['Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['key -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end', 'key [redacted] end'],
    ['key -----BEGIN PRIVATE KEY-----\nMIIE cut off', 'key [redacted]'],
  ])('%j becomes %j', (text, expected) => {
    expect(safeText(text, 1_024)).toBe(expected);
  });

  it('is bounded in bytes, one line, well-formed and stable', () => {
    const property = fc.property(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 8, max: 60 }),
      (text, max) => {
        const safe = safeText(text, max);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(max);
        expect(safe.isWellFormed()).toBe(true);
        expect(safe).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      },
    );
    fc.assert(property);
  });
});
