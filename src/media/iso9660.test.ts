import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { detectFormat } from './image-format.ts';
import { buildIso } from './iso9660.ts';

const file = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });

describe('buildIso', () => {
  it('writes descriptors where ECMA-119 wants them', () => {
    const image = Buffer.from(buildIso({ label: 'cidata', files: [file('user-data', 'hello')] }));
    expect(detectFormat(image)).toBe('iso');
    expect(image.toString('latin1', 32_768 + 40, 32_768 + 72).trimEnd()).toBe('cidata');
    expect(image.readUInt32LE(32_768 + 80) * 2048).toBe(image.byteLength);
    expect(image.readUInt8(17 * 2048)).toBe(2);
    expect(image.readUInt8(18 * 2048)).toBe(255);
    expect(image.subarray(-2048).toString('latin1', 0, 5)).toBe('hello');
  });

  it('is a function of its content', () => {
    const digest = () =>
      createHash('sha256')
        .update(buildIso({ label: 'cidata', files: [file('meta-data', 'a'), file('user-data', 'b')] }))
        .digest('hex');
    expect(digest()).toBe(digest());
  });

  it('takes no files, empty files and many files', () => {
    expect(buildIso({ label: 'X', files: [] }).byteLength).toBe(25 * 2048);
    const many = Array.from({ length: 64 }, (_, index) => file(`user-data-${index}`, ''));
    expect(buildIso({ label: 'X', files: many }).byteLength % 2048).toBe(0);
  });

  it('refuses names it cannot write', () => {
    const wrong = [[file('a/b', '')], [file('', '')], [file('a', ''), file('a', '')], [file('ä', '')]];
    for (const files of wrong) expect(() => buildIso({ label: 'X', files })).toThrow(/malformed/);
    expect(() => buildIso({ label: 'a label with spaces', files: [] })).toThrow(/malformed/);
  });
});
