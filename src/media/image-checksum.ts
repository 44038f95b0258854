import { createHash } from 'node:crypto';
import { Fault } from '../runtime/fault.ts';

/** A checksum as the API writes it, `sha256:…` or `sha512:…`, in lower case. */
export interface Checksum {
  readonly algorithm: 'sha256' | 'sha512';
  readonly hex: string;
}

/** @throws Fault `invalid` with reason Invalid */
export const parseChecksum = (text: string): Checksum => {
  const match = /^(?:(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128}))$/i.exec(text);
  const hex = match?.[2] ?? match?.[4];
  if (hex === undefined)
    throw new Fault('invalid', 'the checksum is neither sha256:<64 hex digits> nor sha512:<128 hex digits>', {
      reason: 'Invalid',
    });
  return { algorithm: match?.[1] === undefined ? 'sha512' : 'sha256', hex: hex.toLowerCase() };
};

/** Follows the bytes of a download; without an expectation it computes sha256, which then identifies the content. */
export const createDigest = (expected: Checksum | undefined) => {
  const algorithm = expected?.algorithm ?? 'sha256';
  const hash = createHash(algorithm);
  return {
    update: (bytes: Uint8Array): void => {
      hash.update(bytes);
    },
    /** @throws Fault `invalid` with reason ImageChecksumMismatch */
    finish: (): string => {
      const hex = hash.digest('hex');
      if (expected !== undefined && hex !== expected.hex)
        throw new Fault('invalid', `the image has the checksum ${algorithm}:${hex}, not the one asked for`, {
          reason: 'ImageChecksumMismatch',
        });
      return `${algorithm}:${hex}`;
    },
  };
};
