import { describe, expect, it } from 'vitest';
import { Fault } from '../../runtime/fault.ts';
import { credentialsOf, readCredentials } from './credentials.ts';
import { sampleImage } from './sample-world.ts';

const data = (values: Record<string, string>) =>
  new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]));
const never = new AbortController().signal;

describe('credentials of an image', () => {
  it('are a user with password, or a token', () => {
    expect(credentialsOf('s', data({ username: 'alice', password: 'pass:wörd' }))).toEqual({
      basicAuth: { username: 'alice', password: 'pass:wörd' },
    });
    expect(credentialsOf('s', data({ token: 'abc.def\n' }))).toEqual({
      headers: { authorization: 'Bearer abc.def' },
    });
  });

  it.each([
    ['nothing known', { other: 'hidden-word' }, /none of username and password, token, and ca.crt/],
    ['half of a user', { username: 'hidden-word' }, /both username and password/],
    [
      'a colon in the user',
      { username: 'hidden:word', password: 'hidden-word' },
      /both username and password/,
    ],
    ['a token of two lines', { token: 'hidden-word\nx-evil: 1' }, /unreadable under token/],
    ['both', { token: 'hidden-word', username: 'a', password: 'hidden-word' }, /both a token and a password/],
    ['a certificate that is none', { 'ca.crt': 'hidden-word' }, /no PEM certificate under ca.crt/],
  ])('are refused with %s, without saying what it was', (_what, values, words) => {
    const read = () => credentialsOf('images', data(values));
    expect(read).toThrow(expect.objectContaining({ kind: 'unreachable', reason: 'SecretInvalid' }));
    expect(read).toThrow(words);
    expect(read).not.toThrow(/hidden/);
  });

  it('are asked for only when the image names a Secret, and missed alike when absent or forbidden', async () => {
    const sample = sampleImage();
    const source = { ...sample.spec.source, credentialsSecretRef: { name: 'images' } };
    const image = { ...sample, spec: { ...sample.spec, source } };
    const missing = { secrets: { get: async () => undefined } } as never;
    const denied = { secrets: { get: () => Promise.reject(new Fault('denied', 'no')) } } as never;
    expect(await readCredentials(missing, sample, never)).toEqual({});
    for (const context of [missing, denied]) {
      await expect(readCredentials(context, image, never)).rejects.toMatchObject({
        kind: 'unreachable',
        reason: 'SecretNotFound',
      });
    }
  });
});
