import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** What is sent: a file's bytes or these. */
export type Content = { path: string } | { bytes: Uint8Array };

/** How one path of the server behaves; everything but `file` is a way in which real servers fail. */
export type Route =
  | { kind: 'file'; content: Content }
  /** Announces the whole length and closes the connection after `bytes`. */
  | { kind: 'truncated'; content: Content; bytes: number }
  /** Announces a length that is not the body's; longer than the body means a close before the end. */
  | { kind: 'wrongLength'; content: Content; length: number }
  /** Sends `chunkBytes`, then waits `pauseMs`, and so on. */
  | { kind: 'slow'; content: Content; chunkBytes: number; pauseMs: number }
  /** Sends `bytes`, and the rest once `until` has resolved. */
  | { kind: 'held'; content: Content; bytes: number; until: Promise<unknown> }
  /** A redirect to its own path is a loop. */
  | { kind: 'redirect'; location: string; status?: 301 | 302 | 303 | 307 | 308 }
  | { kind: 'status'; status: number; body?: string }
  /** Takes the request and never answers. */
  | { kind: 'silent' }
  | { kind: 'basicAuth'; user: string; password: string; route: Route };

export type SeenRequest = { method: string; path: string; headers: IncomingMessage['headers'] };

export type FileServerOptions = {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** Every file of this folder is served below `/`. */
  dir?: string;
  routes?: Readonly<Record<string, Route>>;
  /** PEM texts; given, the server speaks HTTPS. */
  tls?: { cert: string; key: string };
};

export type FileServer = {
  /** Without a slash at the end. */
  url: string;
  port: number;
  /** All requests so far, oldest first. */
  requests: readonly SeenRequest[];
  setRoute(path: string, route: Route): void;
  stop(): Promise<void>;
};

const sizeOf = (content: Content): number =>
  'path' in content ? statSync(content.path).size : content.bytes.byteLength;

type Hold = { bytes: number; until: Promise<unknown> };

const send = async (
  response: ServerResponse,
  content: Content,
  shape: { length?: number; end?: number; chunkBytes?: number; pauseMs?: number; hold?: Hold },
): Promise<void> => {
  const size = sizeOf(content);
  const end = Math.min(shape.end ?? size, size);
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': shape.length ?? size,
  });
  response.flushHeaders();
  const step = shape.chunkBytes ?? 64 * 1024;
  const source =
    'path' in content
      ? createReadStream(content.path, { end: Math.max(end - 1, 0), highWaterMark: step })
      : slices(content.bytes.subarray(0, end), step);
  if (end > 0) {
    let sent = 0;
    for await (const chunk of source) {
      if (response.destroyed) return;
      if (shape.hold !== undefined && sent >= shape.hold.bytes) await shape.hold.until;
      sent += chunk.byteLength;
      if (!response.write(chunk)) await drained(response);
      if (shape.pauseMs !== undefined) await sleep(shape.pauseMs);
    }
  }
  // A body that is shorter than announced can only end with the connection.
  if (end < (shape.length ?? size)) response.socket?.end();
  else response.end();
};

const slices = function* (bytes: Uint8Array, step: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += step) yield bytes.subarray(at, at + step);
};

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });

const answer = async (route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  switch (route.kind) {
    case 'file':
      return send(response, route.content, {});
    case 'truncated':
      return send(response, route.content, { end: route.bytes });
    case 'wrongLength':
      // Node refuses to write more than announced unless told otherwise; here that is the point.
      response.strictContentLength = false;
      return send(response, route.content, { length: route.length });
    case 'slow':
      return send(response, route.content, { chunkBytes: route.chunkBytes, pauseMs: route.pauseMs });
    case 'held':
      return send(response, route.content, { hold: { bytes: route.bytes, until: route.until } });
    case 'redirect':
      response.writeHead(route.status ?? 302, { location: route.location }).end();
      return;
    case 'status':
      response.writeHead(route.status).end(route.body ?? '');
      return;
    case 'silent':
      return;
    case 'basicAuth': {
      const wanted = `Basic ${Buffer.from(`${route.user}:${route.password}`).toString('base64')}`;
      if (request.headers.authorization === wanted) return answer(route.route, request, response);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="lab"' }).end();
      return;
    }
    default:
      throw new Error(`unknown route ${JSON.stringify(route satisfies never)}`);
  }
};

const fromFolder = (dir: string | undefined, path: string): Route | undefined => {
  if (dir === undefined) return undefined;
  // The last part alone: nothing outside the folder can be named.
  const file = join(dir, basename(path));
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true
    ? { kind: 'file', content: { path: file } }
    : undefined;
};

/** Serves files over HTTP or HTTPS, whole (no ranges), and fails in chosen ways. Rejects when it cannot listen. */
export const startFileServer = async (options: FileServerOptions = {}): Promise<FileServer> => {
  const routes = new Map<string, Route>(Object.entries(options.routes ?? {}));
  const requests: SeenRequest[] = [];
  const listener: RequestListener = (request, response) => {
    const path = new URL(request.url ?? '/', 'http://lab').pathname;
    requests.push({ method: request.method ?? '', path, headers: request.headers });
    const route = routes.get(path) ??
      fromFolder(options.dir, path) ?? { kind: 'status', status: 404, body: 'no such file\n' };
    answer(route, request, response).catch(() => response.destroy());
  };
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    port,
    requests,
    setRoute: (path, route) => void routes.set(path, route),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** PEM files read into what `tls` takes. */
export const tlsFromFiles = (paths: {
  certPath: string;
  keyPath: string;
}): { cert: string; key: string } => ({
  cert: readFileSync(paths.certPath, 'utf8'),
  key: readFileSync(paths.keyPath, 'utf8'),
});

if (import.meta.main) {
  const { values } = parseArgs({
    options: { host: { type: 'string' }, port: { type: 'string' }, dir: { type: 'string' } },
  });
  const server = await startFileServer({
    host: values.host ?? '127.0.0.1',
    port: Number(values.port ?? 0),
    dir: values.dir ?? '.',
  });
  process.stdout.write(`${server.url}\n`);
  process.once('SIGTERM', () => void server.stop());
}
