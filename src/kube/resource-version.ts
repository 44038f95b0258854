/**
 * Resource versions of the Kubernetes API are comparable within one resource type since 1.35 (KEP-5504): decimal
 * digits without leading zeros, up to 128 bits, so they are compared as text and never as a JavaScript number.
 */

const DIGITS = /^[1-9][0-9]*$/;

/**
 * True when `candidate` is later than `known`. Versions that are not digits (an aggregated API server) cannot be
 * ordered: there anything different counts as later, because the stream's own order is all there is.
 */
export const isNewer = (candidate: string, known: string): boolean => {
  if (!DIGITS.test(candidate) || !DIGITS.test(known)) {
    return candidate !== known;
  }
  return candidate.length === known.length ? candidate > known : candidate.length > known.length;
};

/** True when both can be ordered and `candidate` is earlier: the server's history went backwards. */
export const isOlder = (candidate: string, known: string): boolean =>
  DIGITS.test(candidate) && DIGITS.test(known) && isNewer(known, candidate);
