import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileServer, startFileServer } from './http-server.ts';

const bytes = new Uint8Array(1000).fill(7);
const content = { bytes };

describe('startFileServer', () => {
  let server: FileServer;

  beforeEach(async () => {
    server = await startFileServer({
      routes: {
        '/file': { kind: 'file', content },
        '/truncated': { kind: 'truncated', content, bytes: 10 },
        '/long': { kind: 'wrongLength', content, length: 2000 },
        '/slow': { kind: 'slow', content, chunkBytes: 500, pauseMs: 1 },
        '/loop': { kind: 'redirect', location: '/loop' },
        '/moved': { kind: 'redirect', location: '/file', status: 308 },
        '/secret': { kind: 'basicAuth', user: 'a', password: 'b', route: { kind: 'file', content } },
      },
    });
  });

  afterEach(() => server.stop());

  const get = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);

  it.each(['/file', '/slow', '/moved'])('sends %s whole', async (path) => {
    const response = await get(path);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
  });

  it.each(['/truncated', '/long'])('ends %s before its announced length', async (path) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow('terminated');
  });

  it('loops, hides and asks for a password as told', async () => {
    await expect(get('/loop')).rejects.toThrow('fetch failed');
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/secret')).status).toBe(401);
    const authorization = `Basic ${Buffer.from('a:b').toString('base64')}`;
    expect((await get('/secret', { headers: { authorization } })).status).toBe(200);
  });

  it('remembers the requests', async () => {
    await get('/nothing', { headers: { 'user-agent': 'me' } });
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /nothing']);
    expect(server.requests[0]?.headers['user-agent']).toBe('me');
  });
});
