import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';
import { type OpenImageOptions, openImage } from './fetch-image.ts';
import { parseImageUrl, parseRedirect, pinAddresses } from './image-url.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const never = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];

const serve = async (handler: Handler): Promise<number> => {
  const server = createServer(handler);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return (server.address() as AddressInfo).port;
};
const options = (url: string, more: Partial<OpenImageOptions> = {}): OpenImageOptions => ({
  url,
  allowedCidrs: ['127.0.0.0/8'],
  maxBytes: 1e6,
  connectTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  resolve: async () => ['127.0.0.1'],
  ...more,
});
const open = (url: string, more: Partial<OpenImageOptions> = {}) => openImage(options(url, more), never);
const readAll = async (url: string, more: Partial<OpenImageOptions> = {}) =>
  Buffer.concat(await Array.fromAsync((await open(url, more)).body));

afterEach(async () => {
  await Promise.all(closers.splice(0).map(async (close) => close()));
});

describe('openImage', () => {
  it('downloads by a pinned address and asks for plain bytes', async () => {
    let seen: IncomingMessage['headers'] = {};
    const port = await serve((request, response) => {
      seen = request.headers;
      response.end('image');
    });
    const opened = await open(`http://images.example:${port}/a?token=x`, {
      basicAuth: { username: 'u', password: 'p' },
      headers: { 'x-token': 't' },
    });
    expect(opened.contentLength).toBe(5);
    expect(Buffer.concat(await Array.fromAsync(opened.body)).toString()).toBe('image');
    expect(seen).toMatchObject({
      host: `images.example:${port}`,
      authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
      'x-token': 't',
      'accept-encoding': 'identity',
    });
  });

  it.each([
    'http://127.0.0.1/x',
    'http://2130706433/x',
    'http://0x7f.1/x',
    'http://0177.0.0.1/x',
    'http://127.1/x',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/x',
    'http://[::ffff:127.0.0.1]/x',
    'http://[::ffff:a9fe:a9fe]/x',
    'http://[fe80::1]/x',
    'http://[fd00::1]/x',
    'http://[64:ff9b::7f00:1]/x',
    'http://100.64.0.1/x',
    'http://10.0.0.1/x',
    'http://inner.example/x',
    'http://user@example.org/x',
    'http://user:secret@example.org/x',
    'file:///etc/shadow',
    'gopher://example.org/',
    'ftp://example.org/',
    'not a url',
  ])('refuses %s', async (url) => {
    const failure = open(url, { allowedCidrs: [], resolve: async () => ['10.9.8.7', '::1'] });
    await expect(failure).rejects.toMatchObject({ kind: 'invalid', reason: 'ImageUrlRefused' });
    await expect(failure).rejects.not.toThrow(/secret|10\.9\.8\.7/);
  });

  it('uses only the permitted ones of several addresses, and resolves once', async () => {
    const port = await serve((_request, response) => response.end('x'));
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return asked === 1 ? ['10.0.0.1', '127.0.0.1'] : ['10.0.0.1'];
    };
    expect((await readAll(`http://rebind.example:${port}/`, { resolve })).toString()).toBe('x');
    expect(asked).toBe(1);
  });

  it('follows redirects without credentials to another origin', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization, request.headers['x-token'] as string | undefined);
      response.end('there');
    });
    const first = await serve((request, response) => {
      if (request.url === '/a') response.writeHead(302, { location: '/b' }).end();
      else {
        seen.push(request.headers.authorization?.slice(0, 5));
        response.writeHead(307, { location: `http://other.example:${other}/c` }).end();
      }
    });
    const auth = { basicAuth: { username: 'u', password: 'p' }, headers: { 'x-token': 't' } };
    expect((await readAll(`http://first.example:${first}/a`, auth)).toString()).toBe('there');
    expect(seen).toEqual(['Basic', undefined, undefined]);
  });

  it('checks the address again after every redirect', async () => {
    const port = await serve((_request, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
    );
    await expect(open(`http://a.example:${port}/`)).rejects.toMatchObject({ reason: 'ImageUrlRefused' });
    const resolve = async (name: string) => (name === 'a.example' ? ['127.0.0.1'] : ['10.0.0.1']);
    const renamed = await serve((_request, response) =>
      response.writeHead(301, { location: 'http://inner.example/' }).end(),
    );
    const failure = open(`http://a.example:${renamed}/`, { resolve });
    await expect(failure).rejects.toMatchObject({ reason: 'ImageUrlRefused' });
  });

  it('ends a redirect loop', async () => {
    let requests = 0;
    const port = await serve((_request, response) => {
      requests += 1;
      response.writeHead(302, { location: '/again' }).end();
    });
    await expect(open(`http://a.example:${port}/`)).rejects.toMatchObject({
      kind: 'invalid',
      reason: 'ImageRedirectLoop',
    });
    expect(requests).toBe(6);
  });

  it.each([
    [404, {}, { kind: 'invalid', reason: 'ImageUrlNotFound' }],
    [410, {}, { kind: 'invalid', reason: 'ImageUrlNotFound' }],
    [401, {}, { kind: 'denied', reason: 'CredentialsRefused' }],
    [403, {}, { kind: 'denied', reason: 'CredentialsRefused' }],
    [206, {}, { kind: 'invalid', reason: 'DownloadFailed' }],
    [302, {}, { kind: 'unreachable', reason: 'DownloadFailed' }],
    [503, { 'retry-after': '7' }, { kind: 'unreachable', reason: 'DownloadFailed', retryAfterMs: 7000 }],
  ])('tells status %i', async (status, headers, fault) => {
    const port = await serve((_request, response) => response.writeHead(status, headers).end('page'));
    const failure = open(`http://a.example:${port}/secret-path?token=secret`);
    await expect(failure).rejects.toMatchObject(fault);
    await expect(failure).rejects.not.toThrow(/secret/);
  });

  it('tells that nobody answers, and that a name is unknown', async () => {
    const failed = { kind: 'unreachable', reason: 'DownloadFailed' };
    await expect(open('http://a.example:1/')).rejects.toMatchObject(failed);
    const resolve = async () => {
      throw Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    };
    await expect(open('http://a.example/', { resolve })).rejects.toThrow(
      'the name a.example cannot be resolved (ENOTFOUND)',
    );
  });

  it('tells a download that broke off', async () => {
    const port = await serve((request, response) => {
      if (request.url === '/length') response.writeHead(200, { 'content-length': '1000' });
      response.write('abc', () => response.destroy());
    });
    const truncated = { kind: 'unreachable', reason: 'ImageTruncated' };
    await expect(readAll(`http://a.example:${port}/length`)).rejects.toMatchObject(truncated);
    await expect(readAll(`http://a.example:${port}/length`)).rejects.toThrow(/after 3 of 1000 bytes/);
    await expect(readAll(`http://a.example:${port}/chunked`)).rejects.toMatchObject(truncated);
  });

  it('keeps to the size limit, announced or not', async () => {
    const port = await serve((request, response) => {
      if (request.url === '/length') response.writeHead(200, { 'content-length': '2000' });
      response.write(Buffer.alloc(1000));
      response.end(Buffer.alloc(1000));
    });
    const fault = { kind: 'invalid', reason: 'ImageTooLarge' };
    await expect(open(`http://a.example:${port}/length`, { maxBytes: 1999 })).rejects.toMatchObject(fault);
    await expect(readAll(`http://a.example:${port}/chunked`, { maxBytes: 1999 })).rejects.toMatchObject(
      fault,
    );
    expect((await readAll(`http://a.example:${port}/chunked`, { maxBytes: 2000 })).byteLength).toBe(2000);
  });

  it('gives up on a server that drips bytes', async () => {
    const timers: NodeJS.Timeout[] = [];
    const port = await serve((_request, response) => {
      timers.push(setInterval(() => response.write('x'), 10));
    });
    const failure = readAll(`http://a.example:${port}/`, { idleTimeoutMs: 100 });
    await expect(failure).rejects.toThrow(/stood still for 100 ms/);
    for (const timer of timers) clearInterval(timer);
  });

  it('closes the connection when the reader leaves, closes or aborts', async () => {
    let closed = Promise.withResolvers<void>();
    const port = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write(Buffer.alloc(100_000));
    });
    for await (const _chunk of (await open(`http://a.example:${port}/`)).body) break;
    await closed.promise;
    closed = Promise.withResolvers();
    await (await open(`http://a.example:${port}/`)).close();
    await closed.promise;
    closed = Promise.withResolvers();
    const controller = new AbortController();
    const { body } = await openImage(options(`http://a.example:${port}/`), controller.signal);
    const read = Array.fromAsync(body);
    controller.abort(new Error('enough'));
    await expect(read).rejects.toThrow('enough');
    await closed.promise;
  });
});

describe('image URLs', () => {
  it('never go from https to http', () => {
    const from = parseImageUrl('https://a.example/x?token=secret');
    expect(() => parseRedirect(from, 'http://a.example/x')).toThrow('redirects from https to plain http');
    expect(parseRedirect(from, '//b.example/y').href).toBe('https://b.example/y');
    expect(() => parseRedirect(from, 'file:///etc/shadow')).toThrow(/scheme file/);
    expect(() => parseRedirect(from, 'https://u:p@b.example/')).toThrow(/user name or password/);
  });

  it('are pinned to permitted addresses with their family', async () => {
    const url = parseImageUrl('https://a.example/');
    const resolve = async () => ['2606:4700::1111', '8.8.8.8', '::1', '10.0.0.1'];
    expect(await pinAddresses(url, createAddressPolicy([]), resolve)).toEqual([
      { address: '2606:4700::1111', family: 6 },
      { address: '8.8.8.8', family: 4 },
    ]);
  });
});
