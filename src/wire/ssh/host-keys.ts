import { createHmac } from 'node:crypto';
import { SshError } from './errors.ts';

/** Host keys that count as the host's own. Nothing is learned at first use. */
export type PinnedKeys = {
  /** Algorithms to ask the server for: only those we could recognise. */
  algorithms: string[];
  accepts(key: Buffer): boolean;
};

const KEY_TYPE = /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521))$/;
const RSA_SIGNATURES = ['rsa-sha2-512', 'rsa-sha2-256'];

type Entry = { revoked: boolean; hosts: string | undefined; type: string; blob: string };

/** sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; a bare public key (`ssh-ed25519 AAAA…`) is for any name. */
const parseLine = (line: string): Entry | undefined => {
  const words = line.trim().split(/\s+/);
  const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined;
  if (marker !== undefined && marker !== '@revoked') return undefined;
  const hosts = KEY_TYPE.test(words[0] ?? '') ? undefined : words.shift();
  const [type = '', blob = ''] = words;
  if (!KEY_TYPE.test(type) || blob === '') return undefined;
  return { revoked: marker !== undefined, hosts, type, blob };
};

const isHashOf = (pattern: string, name: string): boolean => {
  const [, , salt = '', hash] = pattern.split('|');
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
};

const covers = (hosts: string, name: string): boolean => {
  const patterns = hosts.split(',');
  if (patterns.includes(`!${name}`)) return false;
  return patterns.some((pattern) => (pattern.startsWith('|1|') ? isHashOf(pattern, name) : pattern === name));
};

/** `text` is known_hosts lines or public keys. Throws SshError (hostKeyMismatch) when it pins nothing for the host. */
export const parsePinnedKeys = (text: string, host: string, port: number): PinnedKeys => {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const entries = text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trim().startsWith('#'))
    .map(parseLine)
    .filter((entry) => entry !== undefined)
    .filter(({ hosts }) => hosts === undefined || covers(hosts, name));
  const revoked = new Set(entries.filter((entry) => entry.revoked).map(({ blob }) => blob));
  const pinned = entries.filter((entry) => !entry.revoked && !revoked.has(entry.blob));
  if (pinned.length === 0) throw new SshError('hostKeyMismatch', `no host key is given for ${name}`);
  const blobs = new Set(pinned.map(({ blob }) => blob));
  const algorithms = pinned.flatMap(({ type }) => (type === 'ssh-rsa' ? RSA_SIGNATURES : [type]));
  return {
    algorithms: [...new Set(algorithms)],
    accepts: (key) => blobs.has(key.toString('base64')),
  };
};
