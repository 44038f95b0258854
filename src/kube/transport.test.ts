import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isFault } from '../runtime/fault.ts';
import type { KubeRequest, RequestSeen } from './contract.ts';
import {
  accessTo,
  createEagerClock,
  cut,
  json,
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
  watchLines,
} from './testing/scripted-server.ts';
import { createTransport } from './transport.ts';

const GET: KubeRequest = { method: 'GET', path: '/api/v1/things/a', verb: 'get', resource: 'things' };
const PATCH: KubeRequest = {
  ...GET,
  method: 'PATCH',
  verb: 'apply',
  body: { a: 1 },
  contentType: 'application/x',
};
const signal = new AbortController().signal;
const TOKEN = 'token-of-the-test';

let server: ScriptedServer;
let seen: RequestSeen[];
const start = (more: object = {}) => {
  const clock = createEagerClock();
  const access = accessTo(server.url, TOKEN);
  const transport = createTransport({
    access,
    clock,
    random: () => 0,
    onRequest: (one) => seen.push(one),
    ...more,
  });
  closing.push(() => transport.close());
  return { clock, transport };
};
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  server = await startScriptedServer();
  seen = [];
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
  await server.close();
});

const faultOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!isFault(error)) throw new Error(`expected a fault, got ${String(error)}`);
  expect(JSON.stringify([error.message, error.stack, String(error.cause)])).not.toContain(TOKEN);
  return error;
};

const status = (code: number, reason: string, details: object = {}) =>
  json(code, { kind: 'Status', code, reason, message: `says ${reason}`, details });

describe('a call', () => {
  test('sends body, query, credentials and content type, and tells the metric hook', async () => {
    const { transport } = start();
    server.script(json(200, { ok: true }));
    const query = { force: true, fieldManager: 'me', absent: undefined };
    expect(await transport.request({ ...PATCH, query }, signal)).toEqual({ ok: true });
    const [request] = server.seen;
    expect(request?.url.search).toBe('?force=true&fieldManager=me');
    expect(request?.body).toBe('{"a":1}');
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x',
      authorization: `Bearer ${TOKEN}`,
    });
    expect(seen).toEqual([{ verb: 'apply', resource: 'things', code: '200', durationMs: 0 }]);
  });

  test('keeps its connections', async () => {
    const { transport } = start();
    const ports = new Set<number | undefined>();
    const note: ScriptStep = (response, request) => {
      ports.add(response.socket?.remotePort);
      json(200, {})(response, request);
    };
    server.script(...Array.from({ length: 20 }, () => note));
    for (let call = 0; call < 20; call += 1) {
      await transport.request(GET, signal);
    }
    // Two, because the pool may not have noticed the end of one answer when the next call comes.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  test.each([
    [401, 'Unauthorized', {}, 'denied', 'Unauthorized'],
    [403, 'Forbidden', {}, 'denied', 'Forbidden'],
    [403, 'Forbidden', { causes: [{ reason: 'NamespaceTerminating' }] }, 'denied', 'NamespaceTerminating'],
    [404, 'NotFound', { name: 'a' }, 'conflict', 'NotFound'],
    [404, 'NotFound', {}, 'unsupported', 'NotServed'],
    [409, 'Conflict', {}, 'conflict', 'Conflict'],
    [409, 'AlreadyExists', {}, 'conflict', 'AlreadyExists'],
    [409, 'Conflict', { causes: [{ reason: 'FieldManagerConflict' }] }, 'conflict', 'FieldManagerConflict'],
    [410, 'Gone', {}, 'conflict', 'Expired'],
    [422, 'Invalid', { name: 'a', causes: [{ field: 'spec' }] }, 'invalid', 'Invalid'],
    [422, 'Invalid', {}, 'invalid', 'PatchRejected'],
    [400, 'BadRequest', {}, 'bug', 'BadRequest'],
    [500, 'InternalError', {}, 'unreachable', 'InternalError'],
    [504, 'Timeout', {}, 'unreachable', 'Timeout'],
  ])('%i %s %j is %s, %s', async (code, reason, details, kind, faultReason) => {
    const { transport } = start();
    server.script(status(code, reason, details));
    const fault = await faultOf(transport.request(PATCH, signal));
    expect([fault.kind, fault.reason]).toEqual([kind, faultReason]);
    expect(fault.message).toBe(`apply things: says ${reason}`);
    expect(seen.map((one) => one.code)).toEqual([String(code)]);
  });

  test('waits as long as a 429 says, then succeeds', async () => {
    const { transport, clock } = start();
    server.script(
      json(429, {}, { 'retry-after': '2' }),
      json(503, { reason: 'ServiceUnavailable' }, { 'retry-after': '1' }),
      json(200, { n: 3 }),
    );
    expect(await transport.request(PATCH, signal)).toEqual({ n: 3 });
    expect(clock.sleptMs).toEqual([2000, 1000]);
    expect(seen.map((one) => one.code)).toEqual(['429', '503', '200']);
  });

  test('gives up after four tries and says when to come back', async () => {
    const { transport, clock } = start();
    server.script(...Array.from({ length: 4 }, () => json(429, {}, { 'retry-after': '100' })));
    const fault = await faultOf(transport.request(PATCH, signal));
    expect(fault).toMatchObject({ kind: 'busy', retryAfterMs: 100_000 });
    expect(clock.sleptMs).toEqual([30_000, 30_000, 30_000]);
  });

  test('a server error without Retry-After is not repeated', async () => {
    const { transport } = start();
    server.script(status(500, 'InternalError'));
    await faultOf(transport.request(PATCH, signal));
    expect(server.seen).toHaveLength(1);
  });

  test('a reset connection repeats a read once and a write never', async () => {
    const { transport } = start();
    server.script(
      (response) => cut(response),
      json(200, { n: 2 }),
      (response) => cut(response),
    );
    expect(await transport.request(GET, signal)).toEqual({ n: 2 });
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({
      kind: 'unreachable',
      reason: 'NoAnswer',
    });
    expect(server.seen).toHaveLength(3);
    expect(seen.map((one) => one.code)).toEqual(['<error>', '200', '<error>']);
  });

  test('a hanging request ends at its limit', async () => {
    const { transport, clock } = start();
    server.script(() => clock.fire(30_000));
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({
      kind: 'unreachable',
      reason: 'Timeout',
      message: 'apply things: no answer within 30000 ms',
    });
  });

  test('an answer that stops in the middle ends at the limit too', async () => {
    const { transport, clock } = start();
    server.script((response) => response.write('{"a":', () => clock.fire(30_000)));
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({
      kind: 'unreachable',
      reason: 'Timeout',
    });
  });

  test.each([
    ['truncated', (response: Parameters<typeof cut>[0]) => void response.end('{"a":'), 'BadAnswer'],
    [
      'cut',
      (response: Parameters<typeof cut>[0]) => void response.write('{"a":', () => cut(response)),
      'NoAnswer',
    ],
  ])('%s JSON is no answer', async (_, step, reason) => {
    const { transport } = start();
    server.script(step);
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({ kind: 'unreachable', reason });
  });

  test('a gzip answer is read, a larger one than allowed is refused', async () => {
    const { transport } = start({ maxBodyBytes: 100 });
    const zipped = (body: unknown) => (response: Parameters<typeof cut>[0]) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify(body)));
    };
    server.script(zipped({ n: 1 }), zipped({ n: 'x'.repeat(1000) }));
    expect(await transport.request(GET, signal)).toEqual({ n: 1 });
    expect(await faultOf(transport.request(GET, signal))).toMatchObject({ reason: 'AnswerTooLarge' });
  });

  test('an aborted signal ends it with its own reason', async () => {
    const { transport } = start();
    const abort = new AbortController();
    server.script(() => abort.abort(new Error('shutdown')));
    await expect(transport.request(GET, abort.signal)).rejects.toThrow('shutdown');
    await expect(transport.request(GET, abort.signal)).rejects.toThrow('shutdown');
    expect(server.seen).toHaveLength(1);
  });

  test('credentials are renewed once after a 401', async () => {
    let renewals = 0;
    const access = { ...accessTo(server.url), renew: () => (renewals += 1) > 0 };
    const { transport } = start({ access });
    server.script(
      status(401, 'Unauthorized'),
      json(200, {}),
      status(401, 'Unauthorized'),
      status(401, 'Unauthorized'),
    );
    await transport.request(PATCH, signal);
    expect((await faultOf(transport.request(PATCH, signal))).kind).toBe('denied');
    expect(renewals).toBe(2);
  });

  test('a credential plugin that hangs is not waited for beyond the limit', async () => {
    const access = {
      ...accessTo(server.url),
      credentials: () => new Promise<never>(() => queueMicrotask(() => clock.fire(30_000))),
    };
    const { transport, clock } = start({ access });
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({ reason: 'Timeout' });
  });

  test('nothing listens', async () => {
    const { transport } = start({ access: accessTo('http://127.0.0.1:9') });
    expect(await faultOf(transport.request(PATCH, signal))).toMatchObject({
      kind: 'unreachable',
      reason: 'NoAnswer',
    });
  });
});

describe('a stream', () => {
  test('has no limit once its head has come, and fails as a fault when cut', async () => {
    const { transport, clock } = start();
    server.script(watchLines([{ n: 1 }], (response) => void setImmediate(() => cut(response))));
    const body = await transport.stream({ ...GET, verb: 'watch' }, signal);
    clock.fire(30_000);
    const read = async (): Promise<string> => {
      let text = '';
      for await (const chunk of body) text += Buffer.from(chunk).toString();
      return text;
    };
    expect((await faultOf(read())).kind).toBe('unreachable');
  });

  test('is refused as a call is', async () => {
    const { transport } = start();
    server.script(status(410, 'Expired'));
    expect(await faultOf(transport.stream(GET, signal))).toMatchObject({
      kind: 'conflict',
      reason: 'Expired',
    });
  });
});
