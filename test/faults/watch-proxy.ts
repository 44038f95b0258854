/** Between an operator and the API server: watches can be cut, spoilt and held back, kind by kind. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ClusterAccess, loadAccess } from '../../src/kube/auth.ts';
import { clock, forever } from './api.ts';

/**
 * - `cut`      the connection is reset.
 * - `expire`   an ERROR event with 410, then the end.
 * - `fail`     an ERROR event with 500, then the end.
 * - `truncate` half an event, then the end.
 */
export type Break = 'cut' | 'expire' | 'fail' | 'truncate';

export interface WatchProxy {
  /** For the operator; every request goes on with the administrator's credentials. */
  readonly access: ClusterAccess;
  /** Ends all open watches that way, none of which counts as open any more; answers how many there were. */
  breakAll(how: Break): number;
  /** From now on nothing of watches of these kinds is passed on; `thaw` passes on all that came meanwhile. */
  freeze(...plurals: readonly string[]): void;
  thaw(): void;
  /** Watches that are open now. */
  open(): number;
  /** Whole lists asked for so far, by kind; a question for the version alone does not count. */
  lists(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

interface Watch {
  readonly plural: string;
  readonly answer: ServerResponse;
  readonly held: Buffer[];
  readonly upstream: IncomingMessage;
}

const errorEvent = (code: number, reason: string): string =>
  `${JSON.stringify({
    type: 'ERROR',
    object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: 'by the test' },
  })}\n`;

const spoil = (answer: ServerResponse, how: Break): void => {
  switch (how) {
    case 'cut':
      answer.socket?.resetAndDestroy();
      return;
    case 'expire':
      answer.end(errorEvent(410, 'Expired'));
      return;
    case 'fail':
      answer.end(errorEvent(500, 'InternalError'));
      return;
    case 'truncate':
      answer.end('{"type":"MODIFIED","object":{"metadata":{"na');
      return;
    default:
      how satisfies never;
  }
};

export const startWatchProxy = async (kubeconfig: string): Promise<WatchProxy> => {
  const target = await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock);
  const { headers: credentials, tls } = await target.credentials(forever);
  const agent = new Agent({ ...tls, keepAlive: true });
  const watches = new Set<Watch>();
  const frozen = new Set<string>();
  const lists = new Map<string, number>();

  const pass = (watch: Watch, bytes: Buffer): void => {
    if (frozen.has(watch.plural)) watch.held.push(bytes);
    else watch.answer.write(bytes);
  };
  const forward = (asked: IncomingMessage, answer: ServerResponse): void => {
    const url = new URL(asked.url ?? '/', target.server);
    const plural = url.pathname.split('/').at(-1) ?? '';
    const isWatch = url.searchParams.get('watch') === 'true';
    const limit = url.searchParams.get('limit');
    if (limit !== null && limit !== '1') lists.set(plural, (lists.get(plural) ?? 0) + 1);
    const { host: _, authorization: __, ...kept } = asked.headers;
    const options = { method: asked.method ?? 'GET', headers: { ...kept, ...credentials }, agent };
    const upstream = request(url, options, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      if (!isWatch) {
        reply.pipe(answer);
        return;
      }
      const watch: Watch = { plural, answer, held: [], upstream: reply };
      watches.add(watch);
      answer.flushHeaders();
      reply.on('data', (bytes: Buffer) => pass(watch, bytes));
      reply.on('end', () => answer.end());
      answer.on('close', () => watches.delete(watch));
    });
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    asked.pipe(upstream);
  };
  const server = createServer(forward);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    access: {
      ...target,
      server: `http://127.0.0.1:${port}`,
      credentials: async () => ({ headers: {}, tls: {} }),
    },
    breakAll: (how) => {
      const broken = [...watches];
      watches.clear();
      for (const { answer, upstream } of broken) {
        upstream.destroy();
        spoil(answer, how);
      }
      return broken.length;
    },
    freeze: (...plurals) => plurals.forEach((plural) => frozen.add(plural)),
    thaw: () => {
      frozen.clear();
      for (const { held, answer } of watches) for (const bytes of held.splice(0)) answer.write(bytes);
    },
    open: () => watches.size,
    lists: () => new Map(lists),
    close: async () => {
      server.closeAllConnections();
      server.close();
      agent.destroy();
      await once(server, 'close');
    },
  };
};
