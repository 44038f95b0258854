/**
 * Text for people from sources we do not control (host messages, guests, URLs): one line, no control or
 * direction-changing characters, nothing that looks like a credential, at most `maxBytes` of UTF-8.
 */
export const safeText = (text: string, maxBytes: number): string =>
  cut((isPlain(text) ? text : mask(text).replace(unprintable, ' ')).replace(/ {2,}/g, ' ').trim(), maxBytes);

// Nearly every message of ours: printable ASCII without what each of the patterns below needs (':', '=', '-----').
const plain = /^[\x20-\x39\x3b\x3c\x3e-\x7e]*$/;
const isPlain = (text: string): boolean => plain.test(text) && !text.includes('-----');

// Cc and Cf (which holds the bidirectional controls), line and paragraph separators, lone surrogates
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;
const pemBlock = /-----BEGIN [^-]{1,64}-----[^]*?(?:-----END [^-]{1,64}-----|$)/g;
const userInfo = /([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/?#@]{1,512}@/gi;
const assignment =
  /\b(password|passwd|secret|token|authorization|api[-_]?key)(["']?\s*[=:]\s*)(?:bearer\s+|basic\s+)?[^\s,;&]{1,512}/gi;

/** The last net, not the first: a boundary never puts a secret in a message to begin with. */
const mask = (text: string): string =>
  text
    .replace(pemBlock, '[redacted]')
    .replace(userInfo, '$1[redacted]@')
    .replace(assignment, '$1$2[redacted]');

const cut = (text: string, maxBytes: number): string => {
  if (Buffer.byteLength(text) <= maxBytes) {
    return text;
  }
  const ellipsis = '…';
  const room = maxBytes - Buffer.byteLength(ellipsis);
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, room)));
  return `${text.slice(0, read).trimEnd()}${ellipsis}`;
};
