import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../runtime/clock.ts';
import { Fault } from '../runtime/fault.ts';
import type { ClusterAccess, TlsOptions } from './auth.ts';
import type { KubeRequest, Query, RequestSeen, Transport } from './contract.ts';
import { faultOfAnswer, faultOfError, isConnectionReset } from './kube-fault.ts';
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
    connect: { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 15_000 },
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

/** Mirrors `signal` and adds a time limit; `release` must be called when the call is over. */
const limited = (
  signal: AbortSignal,
  clock: Clock,
  limit: { readonly ms: number; readonly fault: () => Fault },
): { signal: AbortSignal; disarm: () => void; release: () => void } => {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const disarm = clock.after(limit.ms, () => controller.abort(limit.fault()));
  return {
    signal: controller.signal,
    disarm,
    release: () => {
      disarm();
      signal.removeEventListener('abort', onAbort);
    },
  };
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

/** The API server over one keep-alive HTTP/1.1 agent; the agent is replaced when TLS material was renewed. */
export const createTransport = (options: TransportOptions): Transport => {
  const { access, clock } = options;
  const server = new URL(access.server);
  const basePath = server.pathname.replace(/\/$/, '');
  let agent: { readonly tls: TlsOptions; readonly agent: Agent } | undefined;
  let closed = false;

  const agentFor = (tls: TlsOptions): Agent => {
    if (agent?.tls === tls) {
      return agent.agent;
    }
    // Calls in flight finish on the old one.
    void agent?.agent.close();
    agent = { tls, agent: createAgent(tls, options.connections ?? CONNECTIONS) };
    return agent.agent;
  };

  const send = async (request: KubeRequest, signal: AbortSignal): Promise<Answer> => {
    if (closed) {
      throw new Fault('unreachable', 'the connection to the API server was closed', { reason: 'Closed' });
    }
    const { headers, tls } = await access.credentials(signal);
    const answer = await agentFor(tls).request({
      origin: server.origin,
      path: withQuery(`${basePath}${request.path}`, request.query),
      method: request.method satisfies Dispatcher.HttpMethod,
      headers: {
        accept: 'application/json',
        'user-agent': options.userAgent ?? 'ovcp',
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

  /** One try, counted once: `use` reads the answer within the time limit. */
  const attempt = async <R>(
    request: KubeRequest,
    signal: AbortSignal,
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
      options.onRequest?.({ verb, resource, code, durationMs: clock.monotonicMs() - startedMs });
    }
  };

  /** How long to wait before try number `tried + 1`, or undefined when the fault is final. */
  const retryDelayMs = (request: KubeRequest, fault: unknown, tried: number): number | undefined => {
    if (!(fault instanceof Fault) || tried >= MAX_TRIES) {
      return undefined;
    }
    if (fault.retryAfterMs !== undefined && (fault.kind === 'busy' || fault.kind === 'unreachable')) {
      return Math.min(fault.retryAfterMs, MAX_RETRY_AFTER_MS) * (1 + options.random() / 10);
    }
    if (fault.reason === 'Unauthorized' && tried === 1 && access.renew()) {
      return 0;
    }
    // A server may close an idle connection just as a request is written to it.
    return request.method === 'GET' && tried === 1 && isConnectionReset(fault) ? 0 : undefined;
  };

  const retried = async <R>(
    request: KubeRequest,
    signal: AbortSignal,
    once: () => Promise<R>,
  ): Promise<R> => {
    for (let tried = 1; ; tried += 1) {
      try {
        signal.throwIfAborted();
        return await once();
      } catch (error) {
        const delayMs = signal.aborted ? undefined : retryDelayMs(request, error, tried);
        if (delayMs === undefined) {
          throw error;
        }
        await clock.sleep(delayMs, signal);
      }
    }
  };

  const limitOf = (request: KubeRequest): { ms: number; fault: () => Fault } => {
    const ms = request.timeoutMs ?? REQUEST_TIMEOUT_MS;
    return { ms, fault: timedOut(request, ms) };
  };

  const request: Transport['request'] = (request, signal) =>
    retried(request, signal, async () => {
      const limit = limited(signal, clock, limitOf(request));
      try {
        return await attempt(request, limit.signal, async (answer) =>
          parseBody(request, await readAll(answer.body, options.maxBodyBytes ?? MAX_BODY_BYTES)),
        );
      } finally {
        limit.release();
      }
    });

  const stream: Transport['stream'] = (request, signal) =>
    retried(request, signal, async () => {
      const limit = limited(signal, clock, limitOf(request));
      try {
        const body = await attempt(request, limit.signal, async (answer) => answer.body);
        limit.disarm();
        return readStream(request, body, limit);
      } catch (error) {
        limit.release();
        throw error;
      }
    });

  const close = async (): Promise<void> => {
    closed = true;
    await agent?.agent.destroy();
  };

  return { request, stream, close };
};

/** Body of a stream with its failures as faults; leaving the loop ends the connection. */
async function* readStream(
  request: KubeRequest,
  body: AsyncIterable<Uint8Array>,
  limit: { readonly signal: AbortSignal; readonly release: () => void },
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : faultOfError(request, error);
  } finally {
    limit.release();
  }
}
