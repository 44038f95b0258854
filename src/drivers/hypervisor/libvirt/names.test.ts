import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aliasOf, nameOf, takeTarget } from './names.ts';

describe('aliasOf', () => {
  it('carries any name in the letters that libvirt takes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        const alias = aliasOf('disk', name);
        expect(alias).toMatch(/^ua-disk-[A-Za-z0-9_-]+$/);
        expect(nameOf('disk', alias)).toBe(name);
      }),
    );
  });

  it('does not take another sort of device, or another hand, for ours', () => {
    expect(nameOf('nic', aliasOf('disk', 'a'))).toBeUndefined();
    expect(nameOf('disk', 'virtio-disk0')).toBeUndefined();
    expect(nameOf('disk', 'ua-disk-_zz')).toBeUndefined();
    expect(nameOf('disk', undefined)).toBeUndefined();
  });
});

describe('takeTarget', () => {
  it('counts past z as libvirt does, around what is taken', () => {
    const taken = new Set(['vda', 'vdc']);
    expect([takeTarget('vd', taken), takeTarget('vd', taken)]).toEqual(['vdb', 'vdd']);
    const many = new Set<string>();
    const names = Array.from({ length: 704 }, () => takeTarget('sd', many));
    expect([names[25], names[26], names[701], names[702]]).toEqual(['sdz', 'sdaa', 'sdzz', 'sdaaa']);
  });
});
