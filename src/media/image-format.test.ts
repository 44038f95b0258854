import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDeclaredFormat, detectFormat } from './image-format.ts';
import { sampleQcow2 } from './qcow2-sample.ts';

const withText = (value: string, at = 0, length = 40_000): Buffer => {
  const bytes = Buffer.alloc(length);
  bytes.write(value, at, 'latin1');
  return bytes;
};
const iso = withText('CD001', 32_769);

describe('detectFormat', () => {
  it.each([
    ['qcow2', sampleQcow2({})],
    ['qcow', sampleQcow2({ version: 1 })],
    ['vmdk', withText('KDMV')],
    ['vmdk', withText('# Disk DescriptorFile\nversion=1\n')],
    ['vmdk', withText('#x\n \nversion=1\nextents: /etc/shadow')],
    ['vhdx', withText('vhdxfile')],
    ['vhd', withText('conectix')],
    ['vdi', withText('\x7f\x10\xda\xbe', 64)],
    ['luks', withText('LUKS\xba\xbe')],
    ['tar', withText('ustar', 257)],
    ['html', withText('\n<!DOCTYPE html><title>Sign in')],
    ['iso', iso],
    ['unknown', Buffer.alloc(512)],
    ['unknown', Buffer.alloc(0)],
  ])('knows %s', (format, bytes) => {
    expect(detectFormat(bytes)).toBe(format);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(typeof detectFormat(bytes)).toBe('string');
      }),
    );
  });
});

describe('checkDeclaredFormat', () => {
  it('takes what is declared truly', () => {
    checkDeclaredFormat('qcow2', sampleQcow2({}));
    checkDeclaredFormat('iso', iso);
    checkDeclaredFormat('raw', Buffer.alloc(4096));
    checkDeclaredFormat('raw', iso);
  });

  it('refuses a raw image that is really qcow2', () => {
    expect(() => checkDeclaredFormat('raw', sampleQcow2({}))).toThrow(
      'the image is declared as raw, but the content is qcow2',
    );
  });

  it('refuses an ISO that is a qcow2 in its system area', () => {
    const polyglot = Buffer.from(iso);
    sampleQcow2({}).copy(polyglot, 0, 0, 120);
    expect(() => checkDeclaredFormat('iso', polyglot)).toThrow(/declared as iso, but the content is qcow2/);
    expect(() => checkDeclaredFormat('raw', polyglot)).toThrow(/qcow2/);
  });

  it.each(['raw', 'qcow2', 'iso'] as const)('says that a sign-in page is no %s image', (format) => {
    expect(() => checkDeclaredFormat(format, withText('<html>'))).toThrow(/web page/);
  });

  it('says that a download is compressed', () => {
    expect(() => checkDeclaredFormat('raw', withText('\x1f\x8b\x08'))).toThrow(
      /compressed or an archive \(gzip\)/,
    );
  });
});
