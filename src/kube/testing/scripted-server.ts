import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import type { ClusterAccess } from '../auth.ts';

/** An HTTP server that answers each request by the next step of a script; for tests of faults on the wire. */

export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type ScriptStep = (response: ServerResponse, request: SeenRequest) => void;

export interface ScriptedServer {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Appends steps; a request beyond the script is answered 500. */
  script(...steps: ScriptStep[]): void;
  close(): Promise<void>;
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
};

export const startScriptedServer = async (): Promise<ScriptedServer> => {
  const steps: ScriptStep[] = [];
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await readBody(request);
      const entry: SeenRequest = {
        method: request.method ?? '',
        url: new URL(request.url ?? '/', 'http://scripted'),
        headers: request.headers,
        body,
      };
      seen.push(entry);
      const step = steps.shift() ?? json(500, { kind: 'Status', message: 'the script has ended' });
      step(response, entry);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    script: (...more) => void steps.push(...more),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

/** Answers with a JSON body. */
export const json =
  (code: number, body: unknown, headers: Record<string, string> = {}): ScriptStep =>
  (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

/** Sends the head and these lines of a watch, then does what `after` says (default: stays silent for good). */
export const watchLines =
  (lines: readonly unknown[], after: (response: ServerResponse) => void = () => undefined): ScriptStep =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const line of lines) {
      response.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`);
    }
    // What was written must leave before the connection is treated badly.
    response.write('', () => after(response));
  };

/** Cuts the connection without any good-bye. */
export const cut = (response: ServerResponse): void => void response.socket?.resetAndDestroy();

export const end = (response: ServerResponse): void => void response.end();

export const accessTo = (url: string, token = 'token-of-the-test'): ClusterAccess => {
  const tls = {};
  return {
    server: url,
    namespace: undefined,
    credentials: async () => ({ headers: { authorization: `Bearer ${token}` }, tls }),
    renew: () => false,
  };
};

/** A clock without waiting: sleeps are noted and end at once; limits (`after`) fire only when told. */
export interface EagerClock extends Clock {
  readonly sleptMs: number[];
  /** Whether a limit of this length is running. */
  pending(delayMs: number): boolean;
  /** Fires every pending limit of exactly this length. */
  fire(delayMs: number): void;
}

export const createEagerClock = (): EagerClock => {
  const limits = new Set<{ readonly delayMs: number; readonly run: () => void }>();
  const sleptMs: number[] = [];
  let nowMs = 0;
  return {
    sleptMs,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: (delayMs, run) => {
      const limit = { delayMs, run };
      limits.add(limit);
      return () => void limits.delete(limit);
    },
    sleep: async (delayMs, signal) => {
      signal.throwIfAborted();
      sleptMs.push(delayMs);
      nowMs += delayMs;
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    },
    pending: (delayMs) => [...limits].some((limit) => limit.delayMs === delayMs),
    fire: (delayMs) => {
      for (const limit of limits) {
        if (limit.delayMs === delayMs) {
          limits.delete(limit);
          limit.run();
        }
      }
    },
  };
};
