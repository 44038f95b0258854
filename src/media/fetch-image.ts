import { lookup as systemLookup } from 'node:dns/promises';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { Fault, isFault } from '../runtime/fault.ts';
import { type AddressPolicy, createAddressPolicy } from './address-policy.ts';
import { readBody } from './image-body.ts';
import { tooLarge } from './image-fault.ts';
import {
  nameOf,
  type PinnedAddress,
  parseImageUrl,
  parseRedirect,
  pinAddresses,
  type Resolve,
} from './image-url.ts';

/** What to download and how. Nothing here comes from the cluster by itself; durations are milliseconds. */
export interface OpenImageOptions {
  readonly url: string;
  /** Sent to the URL's own origin only: all of them may be credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly basicAuth?: { readonly username: string; readonly password: string };
  /** PEM certificates trusted instead of the system's. */
  readonly caPem?: string;
  /** Ranges the operator's configuration opens although they are not public. */
  readonly allowedCidrs: readonly string[];
  readonly maxBytes: number;
  readonly connectTimeoutMs: number;
  /** Longest wait for the response head, and for each 16 KiB of the body. */
  readonly idleTimeoutMs: number;
  readonly maxRedirects?: number;
  /** For tests; the system's resolver otherwise. */
  readonly resolve?: Resolve;
}

/** A response in flight. Reading the body to its end, leaving it midway and `close` all close the connection. */
export interface OpenedImage {
  readonly contentLength: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** For a body that may never be read; harmless otherwise. */
  readonly close: () => Promise<void>;
}

const defaultMaxRedirects = 5;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const resolveBySystem: Resolve = async (hostname) =>
  (await systemLookup(hostname, { all: true })).map(({ address }) => address);

/** A dispatcher for one request: it can only ever connect to the pinned addresses, whatever DNS says by then. */
const createPinnedAgent = (options: OpenImageOptions, pinned: readonly PinnedAddress[]): Agent => {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    ...(options.caPem === undefined ? {} : { ca: options.caPem }),
    lookup: (_hostname, lookupOptions, answer) => {
      const [first] = pinned;
      if (lookupOptions.all === true || first === undefined) answer(null, [...pinned]);
      else answer(null, first.address, first.family);
    },
  });
  return new Agent({ connect, pipelining: 0, headersTimeout: options.idleTimeoutMs, bodyTimeout: 0 });
};

/** Certificates are renewed without a change of ours, so the fault is one that heals. */
const certificateCodes = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

const connectionFault = (url: URL, error: unknown): Fault => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (certificateCodes.test(code))
    return new Fault('unreachable', `the certificate of ${nameOf(url)} is not trusted (${code})`, {
      reason: 'CertificateInvalid',
    });
  return new Fault('unreachable', `${nameOf(url)} cannot be reached (${code})`, {
    reason: 'DownloadFailed',
  });
};

const retryAfterMs = (header: unknown): number | undefined => {
  const seconds = typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
};

const statusFault = (url: URL, { statusCode, headers }: Dispatcher.ResponseData): Fault => {
  const said = `${nameOf(url)} answered with status ${statusCode}`;
  if (statusCode === 404 || statusCode === 410)
    return new Fault('invalid', said, { reason: 'ImageUrlNotFound' });
  if (statusCode === 401 || statusCode === 403)
    return new Fault('denied', said, { reason: 'CredentialsRefused' });
  const wait = retryAfterMs(headers['retry-after']);
  const passing = statusCode >= 500 || statusCode === 408 || statusCode === 425 || statusCode === 429;
  return new Fault(passing ? 'unreachable' : 'invalid', said, {
    reason: 'DownloadFailed',
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
};

/** `identity`, because the digest and the declared compression are about the file as it is stored. */
const headersFor = (options: OpenImageOptions, sameOrigin: boolean): Record<string, string> => {
  const common = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'ovcp' };
  if (!sameOrigin) return common;
  const { basicAuth } = options;
  const token = basicAuth && Buffer.from(`${basicAuth.username}:${basicAuth.password}`).toString('base64');
  return {
    ...common,
    ...options.headers,
    ...(token === undefined ? {} : { authorization: `Basic ${token}` }),
  };
};

interface Hop {
  readonly response: Dispatcher.ResponseData;
  /** Closes the connection, whatever is still on its way. */
  readonly close: () => Promise<void>;
}

const requestOnce = async (
  url: URL,
  options: OpenImageOptions,
  policy: AddressPolicy,
  sameOrigin: boolean,
  signal: AbortSignal,
): Promise<Hop> => {
  const pinned = await pinAddresses(url, policy, options.resolve ?? resolveBySystem);
  signal.throwIfAborted();
  const dispatcher = createPinnedAgent(options, pinned);
  const close = async (): Promise<void> => dispatcher.destroy();
  try {
    const response = await request(url, { dispatcher, headers: headersFor(options, sameOrigin), signal });
    // An error that arrives while nobody reads (after close) has been told or is of no interest any more.
    response.body.on('error', () => undefined);
    return { response, close };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw isFault(error) ? error : connectionFault(url, error);
  }
};

const contentLengthOf = ({ headers }: Dispatcher.ResponseData): number | undefined => {
  const header = headers['content-length'];
  return typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
};

const openBody = async (
  url: URL,
  hop: Hop,
  options: OpenImageOptions,
  signal: AbortSignal,
): Promise<OpenedImage> => {
  const contentLength = contentLengthOf(hop.response);
  if (contentLength !== undefined && contentLength > options.maxBytes) {
    await hop.close();
    throw tooLarge('the image file', options.maxBytes);
  }
  const { maxBytes, idleTimeoutMs } = options;
  const limits = { where: nameOf(url), contentLength, maxBytes, idleTimeoutMs };
  return { contentLength, body: readBody(hop.response.body, limits, hop.close, signal), close: hop.close };
};

/**
 * Open an image URL for reading. Only http and https to public addresses, or to `allowedCidrs`; each hop's name is
 * resolved once and the connection pinned to that answer. Credentials never leave the URL's origin; a redirect
 * from https to http is refused. Messages name the origin and never path, query or credentials.
 * @throws Fault `invalid` ImageUrlRefused, ImageUrlNotFound, ImageTooLarge; `denied` CredentialsRefused;
 *   `unreachable` DownloadFailed, CertificateInvalid; the body also `unreachable` ImageTruncated.
 *   The signal's reason when aborted.
 */
export const openImage = async (options: OpenImageOptions, signal: AbortSignal): Promise<OpenedImage> => {
  const policy = createAddressPolicy(options.allowedCidrs);
  const first = parseImageUrl(options.url);
  const maxRedirects = options.maxRedirects ?? defaultMaxRedirects;
  let url = first;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const hop = await requestOnce(url, options, policy, url.origin === first.origin, signal);
    const { statusCode, headers } = hop.response;
    if (statusCode === 200) return openBody(url, hop, options, signal);
    await hop.close();
    if (!redirectStatuses.has(statusCode)) throw statusFault(url, hop.response);
    const location = headers['location'];
    url = parseRedirect(url, typeof location === 'string' ? location : undefined);
  }
  throw new Fault('invalid', `${nameOf(first)} redirects more than ${maxRedirects} times`, {
    reason: 'ImageRedirectLoop',
  });
};
