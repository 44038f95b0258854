import { Fault } from '../runtime/fault.ts';
import type { AddressPolicy } from './address-policy.ts';

/** All addresses of a host name, as text; the system's resolver in production. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** One address to connect to, in the shape that Node's `lookup` answers. */
export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** The tenant's URL, or where it leads, is one that we do not open. */
export const forbiddenUrl = (message: string): Fault =>
  new Fault('invalid', message, { reason: 'ImageUrlRefused' });

/**
 * How a URL may be named in a message: paths and queries often carry tokens, so only the origin. The URL standard
 * has already turned decimal, octal and hexadecimal hosts into plain addresses.
 */
export const nameOf = (url: URL): string => url.origin;

/** Parse what a tenant wrote: http or https, and no user or password in it. */
export const parseImageUrl = (text: string): URL => {
  if (!URL.canParse(text)) throw forbiddenUrl('the image URL is not a valid URL');
  return checkImageUrl(new URL(text));
};

const checkImageUrl = (url: URL): URL => {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw forbiddenUrl(
      `the image URL has the scheme ${url.protocol.slice(0, -1)}; only http and https are taken`,
    );
  if (url.username !== '' || url.password !== '')
    throw forbiddenUrl(
      'the image URL contains a user name or password; put them into the credentials Secret',
    );
  return url;
};

/** Where a redirect leads: the same rules again, and never from https to http. */
export const parseRedirect = (from: URL, location: string | undefined): URL => {
  if (location === undefined || !URL.canParse(location, from.href))
    throw new Fault('unreachable', `${nameOf(from)} redirects to nowhere`, { reason: 'DownloadFailed' });
  const to = checkImageUrl(new URL(location, from.href));
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw forbiddenUrl(`${nameOf(from)} redirects from https to plain http`);
  return to;
};

const resolveName = async (url: URL, resolve: Resolve): Promise<readonly string[]> => {
  try {
    return await resolve(url.hostname);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Fault('unreachable', `the name ${url.hostname} cannot be resolved${code}`, {
      reason: 'DownloadFailed',
    });
  }
};

/**
 * Resolve the host once and keep only permitted addresses; the connection is made to these and no others, so that
 * a second answer of the name server (DNS rebinding) changes nothing.
 * @throws Fault `invalid` ImageUrlRefused without naming the address: it would tell about the inner network
 */
export const pinAddresses = async (
  url: URL,
  policy: AddressPolicy,
  resolve: Resolve,
): Promise<readonly PinnedAddress[]> => {
  const literal = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const isLiteral = literal !== url.hostname || /^[\d.]+$/.test(literal);
  const candidates = isLiteral ? [literal] : await resolveName(url, resolve);
  const permitted = candidates.flatMap((candidate) => policy.permit(candidate) ?? []);
  if (permitted.length === 0)
    throw forbiddenUrl(
      `the image host ${url.hostname} is in a private or special network, which is not allowed`,
    );
  return permitted.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};
