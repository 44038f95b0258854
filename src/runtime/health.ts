import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunningPass } from './controller.ts';
import { Fault } from './fault.ts';
import type { Log } from './log.ts';

export interface HealthOptions {
  /** Address to bind, e.g. `127.0.0.1`, `0.0.0.0` or `::`. */
  readonly address: string;
  /** 0 for any free port. */
  readonly port: number;
  /** What keeps the process from being alive; empty when all is well. An answer at all shows a live event loop. */
  readonly liveProblems: () => readonly string[];
  /** What keeps it from being ready. */
  readonly readyProblems: () => readonly string[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly log: Log;
}

export interface HealthServer {
  /** Rejects with a fault `invalid` when the address cannot be bound. */
  listen(): Promise<{ readonly address: string; readonly port: number }>;
  close(): Promise<void>;
}

/**
 * Passes that ran longer than `factor` deadlines: they ignore their signal, so a worker is lost for good and only a
 * restart brings it back.
 */
export const overduePasses = (
  controllers: readonly { running(): readonly RunningPass[] }[],
  factor = 5,
): readonly string[] =>
  controllers
    .flatMap((controller) => controller.running())
    .filter(({ ranMs, deadlineMs }) => ranMs > factor * deadlineMs)
    .map(({ controller, key, ranMs }) => `${controller} works on ${key} for ${Math.round(ranMs / 1000)} s`);

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const plain = (status: number, body: string): Answer => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body,
});

const verdict = (problems: readonly string[]): Answer =>
  problems.length === 0 ? plain(200, 'ok\n') : plain(503, `${problems.join('\n')}\n`);

const answerTo = async (request: IncomingMessage, options: HealthOptions): Promise<Answer> => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'only GET\n');
  }
  const path = (request.url ?? '').split('?', 1)[0];
  switch (path) {
    case '/livez':
    case '/healthz':
      return verdict(options.liveProblems());
    case '/readyz':
      return verdict(options.readyProblems());
    case '/metrics':
      return { status: 200, ...(await options.metrics()) };
    default:
      return plain(404, 'not found\n');
  }
};

const respond = async (
  request: IncomingMessage,
  response: ServerResponse,
  options: HealthOptions,
): Promise<void> => {
  let answer: Answer;
  try {
    answer = await answerTo(request, options);
  } catch (error) {
    options.log.error({ err: error }, 'health request failed');
    answer = plain(500, 'failed\n');
  }
  response.writeHead(answer.status, { 'content-type': answer.contentType, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
};

const bind = (server: Server, { address, port }: HealthOptions): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Fault('invalid', `Cannot listen on ${address} port ${port}.`, { cause }));
    });
    server.listen({ host: address, port }, () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') {
        reject(new Fault('bug', 'The health server has no address.'));
        return;
      }
      resolve(bound);
    });
  });

/** `/livez`, `/readyz` and `/metrics` over plain HTTP; nothing in them is secret, yet bind it narrowly. */
export const createHealth = (options: HealthOptions): HealthServer => {
  const server = createServer((request, response) => {
    void respond(request, response, options);
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  return {
    listen: async () => {
      const { address, port } = await bind(server, options);
      options.log.info({ address, port }, 'health server listens');
      return { address, port };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
