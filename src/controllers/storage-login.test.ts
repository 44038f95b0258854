import { describe, expect, it } from 'vitest';
import { chapOf, loginKeysOf } from './storage-login.ts';

const login = { user: 'ovcp-san', secret: 'san-chap', asks: true };
const keysOf = (data: Readonly<Record<string, string>>) =>
  loginKeysOf(new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)])));
const both = { 'chap-mutual-user': 'san', 'chap-mutual-password': 'the-target-itself' };

describe('the login of a target', () => {
  it('is that of the hosts alone, whoever opens the disks', () => {
    const wanted = { kind: 'chap', chap: { user: 'ovcp-san', password: 'one' } };
    for (const asks of [true, false])
      expect(chapOf({ ...login, asks }, keysOf({ 'chap-password': 'one', other: 'x' }))).toEqual(wanted);
  });

  it('has the proof of the target as well, where hosts ask for it', () => {
    expect(chapOf(login, keysOf({ 'chap-password': 'one', ...both }))).toEqual({
      kind: 'chap',
      chap: {
        user: 'ovcp-san',
        password: 'one',
        mutual: { user: 'san', password: 'the-target-itself' },
      },
    });
  });

  it.each([
    [true, both, 'Secret san-chap has no key chap-password.'],
    [
      false,
      { 'chap-password': 'one', ...both },
      'Secret san-chap has the key chap-mutual-user, which goes with attach Host.',
    ],
    [
      true,
      { 'chap-password': 'one', 'chap-mutual-user': 'san' },
      'Secret san-chap has the key chap-mutual-user and no chap-mutual-password.',
    ],
    [
      true,
      { 'chap-password': 'one', 'chap-mutual-password': 'the-target-itself' },
      'Secret san-chap has the key chap-mutual-password and no chap-mutual-user.',
    ],
  ])('says what is wrong with its Secret (asks: %s, %o)', (asks, data, message) => {
    expect(chapOf({ ...login, asks }, keysOf(data))).toEqual({ kind: 'lack', message });
  });
});
