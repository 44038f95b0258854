import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parsePinnedKeys } from './host-keys.ts';
import { quoteCommand } from './quote.ts';

const blob = Buffer.from('a key').toString('base64');
const other = Buffer.from('another').toString('base64');
const hashed = (name: string): string => {
  const salt = Buffer.from('0123456789abcdefghij');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};

describe('pinned host keys', () => {
  it.each([
    ['a bare public key', `ssh-ed25519 ${blob} root@node1`],
    ['a known_hosts line', `192.0.2.11,node1 ssh-ed25519 ${blob}`],
    ['a hashed name', `${hashed('192.0.2.11')} ssh-ed25519 ${blob}`],
    ['one of several lines', `# node1\nother ssh-ed25519 ${other}\n\n192.0.2.11 ssh-ed25519 ${blob}\n`],
  ])('accept %s', (_, text) => {
    const pinned = parsePinnedKeys(text, '192.0.2.11', 22);
    expect(pinned.accepts(Buffer.from('a key'))).toBe(true);
    expect(pinned.accepts(Buffer.from('another'))).toBe(false);
    expect(pinned.algorithms).toEqual(['ssh-ed25519']);
  });

  it.each([
    ['nothing', ''],
    ['another host', `192.0.2.12 ssh-ed25519 ${blob}`],
    ['another port', `[192.0.2.11]:2222 ssh-ed25519 ${blob}`],
    ['a revoked key', `@revoked * ssh-ed25519 ${blob}`],
    ['a certificate authority', `@cert-authority 192.0.2.11 ssh-ed25519 ${blob}`],
    ['garbage', 'ssh-ed25519'],
  ])('refuse %s', (_, text) => {
    expect(() => parsePinnedKeys(text, '192.0.2.11', 22)).toThrow('no host key is given for 192.0.2.11');
  });

  it('ask for the signatures that an RSA key makes today', () => {
    expect(parsePinnedKeys(`ssh-rsa ${blob}`, 'h', 22).algorithms).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
  });

  it('leave no word of a command to the shell', () => {
    expect(quoteCommand(['sh', '-c', `echo "$1"; it's`, '$(id)'])).toBe(
      `'sh' '-c' 'echo "$1"; it'\\''s' '$(id)'`,
    );
    expect(() => quoteCommand(['a\0b'])).toThrow('NUL');
  });
});
