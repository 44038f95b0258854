import { describe, expect, it } from 'vitest';
import { Fault } from '../../../runtime/fault.ts';
import type { IscsiWish } from '../contract.ts';
import { checkIscsiWish } from './backing.ts';

const wish: IscsiWish = {
  kind: 'iscsi',
  software: 'TGT',
  portals: [{ address: '192.0.2.31', port: 3260 }],
  backing: { type: 'Files', path: '/srv/disks' },
};
const faultOf = (more: Partial<IscsiWish>): Fault | undefined => {
  try {
    checkIscsiWish({ ...wish, ...more });
    return undefined;
  } catch (error) {
    return error instanceof Fault ? error : undefined;
  }
};

describe('what an iSCSI pool asks for', () => {
  it.each([
    { type: 'Files', path: '/srv/disks-1/a_b.c' },
    { type: 'LVM', volumeGroup: 'vg0' },
    { type: 'LVMThin', volumeGroup: 'vg0', thinPool: 'pool' },
  ] as const)('takes the backing %j', (backing) => {
    expect(faultOf({ backing })).toBeUndefined();
  });

  it.each([
    { type: 'Files', path: 'srv/disks' },
    { type: 'Files', path: '/' },
    { type: 'Files', path: '/srv/../etc' },
    { type: 'Files', path: '/srv/a b' },
    { type: 'Files', path: '/srv/$(reboot)' },
    { type: 'Files', path: '/srv/"; reboot' },
    { type: 'LVM', volumeGroup: '-vg' },
    { type: 'LVM', volumeGroup: 'vg/../x' },
    { type: 'LVMThin', volumeGroup: 'vg', thinPool: '@all' },
  ] as const)('refuses the backing %j', (backing) => {
    expect(faultOf({ backing })).toMatchObject({ kind: 'invalid' });
  });

  it('refuses a pool without portals', () => {
    expect(faultOf({ portals: [] })).toMatchObject({ kind: 'invalid' });
  });

  it('takes a CHAP secret of plain characters', () => {
    expect(faultOf({ chap: { user: 'ovcp', password: 'abcDEF123._:@+=/-' } })).toBeUndefined();
  });

  it.each([
    'short',
    'has a blank in it',
    'has,comma,in,it',
    'has$(id)and`x`',
    "quote'quote'quote",
    'x'.repeat(65),
  ])('refuses a CHAP secret, and never repeats it', (password) => {
    const fault = faultOf({ chap: { user: 'ovcp', password } });
    expect(fault).toMatchObject({ kind: 'invalid', reason: 'SecretInvalid' });
    expect(fault?.message).not.toContain(password);
  });

  it('takes a mutual secret where the target can prove itself', () => {
    const mutual = { user: 'san', password: 'the-target-itself' };
    const chap = { user: 'ovcp', password: 'abcdefghijkl', mutual };
    expect(faultOf({ software: 'LIO', chap })).toBeUndefined();
    expect(faultOf({ software: 'TGT', chap })).toMatchObject({ kind: 'invalid' });
  });

  it.each([
    { user: 'a b', password: 'the-target-itself' },
    { user: 'san', password: 'short' },
    { user: 'san', password: 'abcdefghijkl' },
  ])('refuses the mutual secret of user $user, and never repeats it', (mutual) => {
    const chap = { user: 'ovcp', password: 'abcdefghijkl', mutual };
    const fault = faultOf({ software: 'LIO', chap });
    expect(fault).toMatchObject({ kind: 'invalid', reason: 'SecretInvalid' });
    expect(fault?.message).not.toContain(mutual.password);
  });

  it('refuses a CHAP user that a configuration file would split', () => {
    expect(faultOf({ chap: { user: 'a b', password: 'abcdefghijkl' } })).toMatchObject({
      reason: 'SecretInvalid',
    });
  });
});
