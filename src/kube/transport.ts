import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Agent, buildConnector } from 'undici';
import type { Clock } from '../runtime/clock.ts';
import { Fault } from '../runtime/fault.ts';
import type { ClusterAccess, TlsOptions } from './auth.ts';
import type { KubeRequest, Query, RequestSeen, Transport } from './contract.ts';
import { faultOfAnswer, faultOfError, isConnectionReset } from './kube-fault.ts';
import { abortable, type Limit, limited } from './limited.ts';
import { parseRetryAfter } from './retry-after.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_RETRY_AFTER_MS = 30_000;
const MAX_TRIES = 4;
/** Every watch holds one connection, so this is the number of watched kinds plus the calls in parallel. */
const CONNECTIONS = 32;
const MAX_BODY_BYTES = 128 * 1024 * 1024;

export interface TransportOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly userAgent?: string;
  readonly onRequest?: (seen: RequestSeen) => void;
  readonly connections?: number;
  readonly maxBodyBytes?: number;
}

interface Answer {
  readonly code: number;
  readonly retryAfterMs: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * A peer that is gone without a word (half-open) is found after 45 s; the system's own probes would take eleven
 * minutes, and a watch of a quiet kind has nothing else to tell it.
 */
const connectorFor = (tls: TlsOptions): buildConnector.connector => {
  const connect = buildConnector({ ...tls, allowH2: false, timeout: CONNECT_TIMEOUT_MS });
  return (options, done) =>
    connect(options, (...made) => {
      made[1]?.setKeepAlive(true, 15_000, 10_000, 3);
      done(...made);
    });
};

const createAgent = (tls: TlsOptions, connections: number): Agent =>
  new Agent({
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 90_000,
    // Time limits are this module's, on the injected clock; a watch may be silent for long.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: connectorFor(tls),
  });

const withQuery = (path: string, query: Query = {}): string => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) {
      search.set(name, String(value));
    }
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`;
};

const headerText = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** Proxies compress even what was asked for plain. */
const decoded = (body: Readable, encoding: string | undefined): AsyncIterable<Uint8Array> => {
  if (encoding !== 'gzip') {
    return body;
  }
  const gunzip = createGunzip();
  body.on('error', (error) => gunzip.destroy(error));
  gunzip.on('close', () => body.destroy());
  return body.pipe(gunzip);
};

const timedOut = (request: KubeRequest, ms: number) => (): Fault =>
  new Fault('unreachable', `${request.verb} ${request.resource}: no answer within ${ms} ms`, {
    reason: 'Timeout',
  });

const readAll = async (body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new Fault('unreachable', `an answer of the API server exceeds ${maxBytes} bytes`, {
        reason: 'AnswerTooLarge',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
};

const parseBody = (request: KubeRequest, text: string): unknown => {
  try {
    return text === '' ? {} : (JSON.parse(text) as unknown);
  } catch {
    throw new Fault('unreachable', `${request.verb} ${request.resource}: the answer is not whole JSON`, {
      reason: 'BadAnswer',
    });
  }
};

/** One agent, replaced when TLS material was renewed; calls in flight finish on the old one. */
const createAgents = (connections: number) => {
  let current: { readonly tls: TlsOptions; readonly agent: Agent } | undefined;
  return {
    agentFor: (tls: TlsOptions): Agent => {
      if (current?.tls !== tls) {
        void current?.agent.close();
        current = { tls, agent: createAgent(tls, connections) };
      }
      return current.agent;
    },
    destroy: async (): Promise<void> => current?.agent.destroy(),
  };
};

type Send = (request: KubeRequest, signal: AbortSignal) => Promise<Answer>;

/** One HTTP request with credentials; resolves with the head of the answer, whatever its status. */
const createSend = (
  { access, clock, userAgent = 'ovcp' }: TransportOptions,
  agentFor: (tls: TlsOptions) => Agent,
): Send => {
  const server = new URL(access.server);
  const basePath = server.pathname.replace(/\/$/, '');
  return async (request, signal) => {
    const { headers, tls } = await access.credentials(signal);
    const answer = await agentFor(tls).request({
      origin: server.origin,
      path: withQuery(`${basePath}${request.path}`, request.query),
      method: request.method,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
        ...headers,
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal,
    });
    return {
      code: answer.statusCode,
      retryAfterMs: parseRetryAfter(headerText(answer.headers['retry-after']), clock.nowMs()),
      body: decoded(answer.body, headerText(answer.headers['content-encoding'])),
    };
  };
};

/** One try, counted once; `use` reads a good answer. Rejects with a fault or the signal's reason. */
const attempt = async <R>(
  { clock, onRequest }: TransportOptions,
  { request, signal, send }: { request: KubeRequest; signal: AbortSignal; send: Send },
  use: (answer: Answer) => Promise<R>,
): Promise<R> => {
  const startedMs = clock.monotonicMs();
  let code = '<error>';
  try {
    const answer = await send(request, signal);
    code = String(answer.code);
    if (answer.code >= 300) {
      const body = await readAll(answer.body, MAX_BODY_BYTES);
      throw faultOfAnswer(request, { code: answer.code, body, retryAfterMs: answer.retryAfterMs });
    }
    return await use(answer);
  } catch (error) {
    throw signal.aborted ? signal.reason : faultOfError(request, error);
  } finally {
    const { verb, resource } = request;
    onRequest?.({ verb, resource, code, durationMs: clock.monotonicMs() - startedMs });
  }
};

/** How long to wait before try number `tried + 1`, or undefined when the fault is final. */
const retryDelayMs = (
  { access, random }: TransportOptions,
  { method }: KubeRequest,
  fault: unknown,
  tried: number,
): number | undefined => {
  if (!(fault instanceof Fault) || tried >= MAX_TRIES) {
    return undefined;
  }
  // The server says so only of requests it did not begin (429 by flow control, 503 while it starts).
  if (fault.retryAfterMs !== undefined && (fault.kind === 'busy' || fault.reason === 'ServiceUnavailable')) {
    return Math.min(fault.retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + random() / 10);
  }
  if (fault.reason === 'Unauthorized' && tried === 1 && access.renew()) {
    return 0;
  }
  // A server may close an idle connection just as a request is written to it.
  return method === 'GET' && tried === 1 && isConnectionReset(fault) ? 0 : undefined;
};

const withRetries = async <R>(
  options: TransportOptions,
  request: KubeRequest,
  once: () => Promise<R>,
  signal: AbortSignal,
): Promise<R> => {
  for (let tried = 1; ; tried += 1) {
    try {
      signal.throwIfAborted();
      return await once();
    } catch (error) {
      const delayMs = signal.aborted ? undefined : retryDelayMs(options, request, error, tried);
      if (delayMs === undefined) {
        throw error;
      }
      await options.clock.sleep(delayMs, signal);
    }
  }
};

/** The API server over one keep-alive HTTP/1.1 agent. */
export const createTransport = (options: TransportOptions): Transport => {
  const { agentFor, destroy } = createAgents(options.connections ?? CONNECTIONS);
  const sendNow = createSend(options, agentFor);
  let closed = false;

  const send: Send = async (request, signal) => {
    if (closed) {
      throw new Fault('unreachable', 'the connection to the API server was closed', { reason: 'Closed' });
    }
    return abortable(sendNow(request, signal), signal);
  };

  const limit = (request: KubeRequest, signal: AbortSignal): Limit => {
    const ms = request.timeoutMs ?? REQUEST_TIMEOUT_MS;
    return limited(signal, options.clock, { ms, fault: timedOut(request, ms) });
  };

  const requestOnce = async (request: KubeRequest, parent: AbortSignal): Promise<unknown> => {
    const { signal, release } = limit(request, parent);
    try {
      return await attempt(options, { request, signal, send }, async ({ body }) =>
        parseBody(request, await readAll(body, options.maxBodyBytes ?? MAX_BODY_BYTES)),
      );
    } finally {
      release();
    }
  };

  const streamOnce = async (
    request: KubeRequest,
    parent: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> => {
    const limited = limit(request, parent);
    const { signal, disarm, release } = limited;
    try {
      const body = await attempt(options, { request, signal, send }, async (answer) => answer.body);
      disarm();
      return readStream(request, body, limited);
    } catch (error) {
      release();
      throw error;
    }
  };

  return {
    request: (request, signal) => withRetries(options, request, () => requestOnce(request, signal), signal),
    stream: (request, signal) => withRetries(options, request, () => streamOnce(request, signal), signal),
    close: async () => {
      closed = true;
      await destroy();
    },
  };
};

/** Body of a stream with its failures as faults; leaving the loop ends the connection. */
async function* readStream(
  request: KubeRequest,
  body: AsyncIterable<Uint8Array>,
  limit: Limit,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : faultOfError(request, error);
  } finally {
    limit.release();
  }
}
