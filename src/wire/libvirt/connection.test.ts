import { duplexPair } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { encodeStruct } from './codec.ts';
import { connectLibvirt } from './connection.ts';
import { LibvirtConnectionError, LibvirtError } from './errors.ts';
import type { LibvirtEvent } from './events.ts';
import { createPacketReader, encodePacket, packetStatus, packetTypes } from './frame.ts';
import { messages, procedures } from './protocol.gen.ts';
import { connectScripted, createScriptedServer } from './scripted-server.ts';
import type { Timers } from './timers.ts';

const never = new AbortController().signal;
const dom = { name: 'vm', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 };
const KEEPALIVE = 0x6b656570;

/** A clock that stands still until it is told to go on. */
const createManualTimers = (): Timers & { advance(ms: number): void } => {
  let now = 0;
  const due = new Set<{ at: number; run: () => void }>();
  return {
    after: (delayMs, run) => {
      const entry = { at: now + delayMs, run };
      due.add(entry);
      return () => due.delete(entry);
    },
    advance: (ms) => {
      const end = now + ms;
      for (;;) {
        const [next] = [...due].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        due.delete(next);
        now = next.at;
        next.run();
      }
      now = end;
    },
  };
};

describe('packets', () => {
  const header = { program: 1, version: 1, procedure: 2, type: 1, serial: 3, status: 0 };

  it('are put together however they were split', () => {
    const bytes = Buffer.concat([
      encodePacket(header, Buffer.from('abcd')),
      encodePacket(header, Buffer.alloc(0)),
    ]);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const read = createPacketReader();
      const packets = [...read(bytes.subarray(0, cut)), ...read(bytes.subarray(cut))];
      expect(packets.map(({ payload }) => payload.toString())).toEqual(['abcd', '']);
    }
    const read = createPacketReader();
    const packets = [...bytes].flatMap((byte) => read(Buffer.of(byte)));
    expect(packets).toHaveLength(2);
  });

  it.each([0, 27, 33_554_433, 0xff_ff_ff_ff])('of length %i are refused', (length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    expect(() => createPacketReader()(bytes)).toThrow(`a packet of ${length} bytes`);
  });
});

describe('a connection', () => {
  it('authenticates, asks for keepalive and opens, in that order', async () => {
    const { server } = await connectScripted();
    const names = server.received.map(({ procedure }) => procedure);
    expect(names).toEqual([66, 60, 1, 60, 60, 360]);
    expect(server.received.map(({ serial }) => serial)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('says which authentication it cannot do', async () => {
    const [ours, theirs] = duplexPair();
    const read = createPacketReader();
    theirs.on('data', (chunk: Buffer) => {
      for (const call of read(chunk)) {
        const ret = encodeStruct(procedures.AUTH_LIST[2], { types: [1] });
        theirs.write(encodePacket({ ...call, type: packetTypes.reply }, ret));
      }
    });
    const connecting = connectLibvirt(
      { transport: () => Promise.resolve(ours), uri: 'qemu:///system' },
      never,
    );
    await expect(connecting).rejects.toMatchObject({ kind: 'authentication' });
    expect(ours.destroyed).toBe(true);
  });

  it('matches replies that come in any order', async () => {
    const { server, connection } = await connectScripted();
    const first = connection.call('CONNECT_GET_HOSTNAME', {}, never);
    const second = connection.call('CONNECT_GET_URI', {}, never);
    const [a, b] = [await server.next(), await server.next()];
    server.reply(b, 'CONNECT_GET_URI', { uri: 'test:///default' });
    server.reply(a, 'CONNECT_GET_HOSTNAME', { hostname: 'h' });
    expect(await second).toEqual({ uri: 'test:///default' });
    expect(await first).toEqual({ hostname: 'h' });
  });

  it('makes an error of what the host refuses', async () => {
    const { server, connection } = await connectScripted();
    const call = connection.call('DOMAIN_LOOKUP_BY_NAME', { name: 'x' }, never);
    server.fail(await server.next(), 42, 'Domain not found');
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ code: 42, domain: 10, level: 2, message: 'Domain not found' });
  });

  it('has four calls on their way and the others in order behind them', async () => {
    const { server, connection } = await connectScripted();
    const before = server.received.length;
    const calls = Array.from({ length: 6 }, () => connection.call('CONNECT_GET_HOSTNAME', {}, never));
    const sent = [await server.next(), await server.next(), await server.next(), await server.next()];
    expect(server.received.length - before).toBe(4);
    for (const packet of sent) server.reply(packet, 'CONNECT_GET_HOSTNAME', { hostname: 'h' });
    for (let i = 0; i < 2; i += 1)
      server.reply(await server.next(), 'CONNECT_GET_HOSTNAME', { hostname: 'h' });
    expect(await Promise.all(calls)).toHaveLength(6);
    expect(server.received.length - before).toBe(6);
  });

  it('takes an aborted call out of the queue, and keeps the place of a sent one until its answer', async () => {
    const { server, connection } = await connectScripted();
    const before = server.received.length;
    const stop = new AbortController();
    const sent = Array.from({ length: 4 }, () => connection.call('CONNECT_GET_HOSTNAME', {}, stop.signal));
    const queued = connection.call('CONNECT_GET_URI', {}, stop.signal);
    const packets = [await server.next(), await server.next(), await server.next(), await server.next()];
    stop.abort(new Error('enough'));
    for (const call of [...sent, queued]) await expect(call).rejects.toThrow('enough');
    const later = connection.call('CONNECT_GET_TYPE', {}, never);
    await new Promise(setImmediate);
    expect(server.received.length - before).toBe(4);
    const [one] = packets;
    if (one !== undefined) server.reply(one, 'CONNECT_GET_HOSTNAME', { hostname: 'late' });
    server.reply(await server.next(), 'CONNECT_GET_TYPE', { type: 'QEMU' });
    expect(await later).toEqual({ type: 'QEMU' });
  });

  it('ends the waiting of a call at its limit', async () => {
    const timers = createManualTimers();
    const { connection } = await connectScripted({ timers, keepalive: { intervalMs: 1e9, limit: 5 } });
    const call = connection.call('CONNECT_GET_URI', {}, never, { timeoutMs: 100 });
    timers.advance(100);
    await expect(call).rejects.toMatchObject({
      kind: 'timeout',
      message: 'CONNECT_GET_URI: no answer within 100 ms',
    });
  });

  it('answers PING with PONG', async () => {
    const { server } = await connectScripted();
    server.send({ program: KEEPALIVE, procedure: 1, type: packetTypes.message });
    expect(await server.next()).toMatchObject({ program: KEEPALIVE, procedure: 2, type: 2, serial: 0 });
  });

  it('sends PING into silence and gives up a peer that never answers', async () => {
    const timers = createManualTimers();
    const { server, connection } = await connectScripted({
      timers,
      keepalive: { intervalMs: 1000, limit: 2 },
    });
    timers.advance(1000);
    timers.advance(1000);
    expect(await server.next()).toMatchObject({ program: KEEPALIVE, procedure: 1 });
    const call = connection.call('CONNECT_GET_URI', {}, never);
    timers.advance(2000);
    await expect(call).rejects.toMatchObject({ kind: 'timeout' });
    expect(await connection.closed).toMatchObject({ kind: 'timeout' });
  });

  it('fails everything when the host hangs up', async () => {
    const { server, connection } = await connectScripted();
    const calls = Array.from({ length: 6 }, () => connection.call('CONNECT_GET_URI', {}, never));
    server.side.end();
    for (const call of calls) await expect(call).rejects.toMatchObject({ kind: 'closed' });
    await expect(connection.call('CONNECT_GET_URI', {}, never)).rejects.toBeInstanceOf(
      LibvirtConnectionError,
    );
  });

  it.each([
    ['a reply to no call', { serial: 99, procedure: 59 }],
    ['a reply of another procedure', { serial: 7, procedure: 3 }],
    ['a call', { serial: 1, type: packetTypes.call }],
    ['data of no stream', { serial: 99, type: packetTypes.stream, status: packetStatus.continue }],
  ])('hangs up at %s', async (_, header) => {
    const { server, connection } = await connectScripted();
    const call = connection.call('CONNECT_GET_HOSTNAME', {}, never);
    await server.next();
    server.send(header);
    await expect(call).rejects.toMatchObject({ kind: 'protocol' });
  });

  it('reports a reply that is no such result without losing the connection', async () => {
    const { server, connection } = await connectScripted();
    const call = connection.call('CONNECT_GET_HOSTNAME', {}, never);
    const { serial, procedure } = await server.next();
    server.send({ serial, procedure }, Buffer.from('000000ff', 'hex'));
    await expect(call).rejects.toMatchObject({ kind: 'protocol' });
    const again = connection.call('CONNECT_GET_HOSTNAME', {}, never);
    server.reply(await server.next(), 'CONNECT_GET_HOSTNAME', { hostname: 'h' });
    expect(await again).toEqual({ hostname: 'h' });
  });
});

describe('events', () => {
  it('are registered once per kind and delivered to every listener', async () => {
    const { server, connection } = await connectScripted();
    const seen = vi.fn<(event: LibvirtEvent) => void>();
    const first = connection.events.subscribe(['domainLifecycle'], seen, never);
    const second = connection.events.subscribe(['domainLifecycle'], seen, never);
    server.reply(await server.next(), 'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY', { callbackID: 4 });
    const leave = await first;
    await second;
    const [procedure, descriptor] = messages.DOMAIN_EVENT_CALLBACK_LIFECYCLE;
    const body = encodeStruct(descriptor, { callbackID: 4, msg: { dom, event: 5, detail: 1 } });
    server.send({ procedure, type: packetTypes.message }, body);
    await vi.waitFor(() => expect(seen).toHaveBeenCalledTimes(2), 30_000);
    expect(seen).toHaveBeenLastCalledWith({ kind: 'domainLifecycle', domain: dom, event: 5, detail: 1 });
    leave();
    (await second)();
    expect(await server.next()).toMatchObject({
      procedure: procedures.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY[0],
    });
  });
});

describe('streams', () => {
  const args = { vol: { pool: 'p', name: 'v', key: '/v' }, offset: 0n, length: 0n, flags: 1 };
  const part = { type: packetTypes.stream, status: packetStatus.continue };
  const open = async () => {
    const [ours, theirs] = duplexPair();
    const server = createScriptedServer(theirs);
    const connection = await connectLibvirt(
      { transport: () => Promise.resolve(ours), uri: 'test:///default' },
      never,
    );
    return { server, connection };
  };

  it('downloads bytes and holes and confirms the end', async () => {
    const { server, connection } = await open();
    const chunks = Array.fromAsync(connection.streams.download('STORAGE_VOL_DOWNLOAD', args, never));
    const { serial, procedure } = await server.next();
    server.send({ serial, procedure });
    server.send({ serial, procedure, ...part }, Buffer.from('abc'));
    const hole = encodeStruct('length:h flags:u', { length: 4096n, flags: 0 });
    server.send({ serial, procedure, ...part, type: packetTypes.streamHole }, hole);
    server.send({ serial, procedure, ...part });
    expect(await server.next()).toMatchObject({ type: packetTypes.stream, status: packetStatus.ok, serial });
    server.send({ serial, procedure, type: packetTypes.stream });
    expect(await chunks).toEqual([Buffer.from('abc'), { hole: 4096 }]);
  });

  it('uploads in packets of at most 262,120 bytes and waits for the confirmation', async () => {
    const { server, connection } = await open();
    const source = async function* () {
      yield Buffer.alloc(300_000, 1);
      yield { hole: 512 };
    };
    const done = connection.streams.upload('STORAGE_VOL_UPLOAD', args, source(), never);
    const { serial, procedure } = await server.next();
    server.send({ serial, procedure });
    expect((await server.next()).payload.length).toBe(262_120);
    expect((await server.next()).payload.length).toBe(37_880);
    expect(await server.next()).toMatchObject({ type: packetTypes.streamHole, serial });
    expect(await server.next()).toMatchObject({ type: packetTypes.stream, status: packetStatus.ok });
    server.send({ serial, procedure, type: packetTypes.stream });
    await done;
  });

  it('stops an upload that the host breaks off, and the source with it', async () => {
    const { server, connection } = await open();
    const returned = Promise.withResolvers<void>();
    const source = async function* () {
      try {
        for (;;) {
          yield Buffer.alloc(8);
          await new Promise(setImmediate);
        }
      } finally {
        returned.resolve();
      }
    };
    const done = connection.streams.upload('STORAGE_VOL_UPLOAD', args, source(), never);
    const call = await server.next();
    server.send({ serial: call.serial, procedure: call.procedure });
    server.fail(await server.next(), 38, 'No space left on device');
    await expect(done).rejects.toMatchObject({ code: 38, message: 'No space left on device' });
    await returned.promise;
  });

  it('breaks off a download that is left early or aborted', async () => {
    const { server, connection } = await open();
    const stop = new AbortController();
    const chunks = Array.fromAsync(connection.streams.download('STORAGE_VOL_DOWNLOAD', args, stop.signal));
    const { serial, procedure } = await server.next();
    server.send({ serial, procedure });
    server.send({ serial, procedure, ...part }, Buffer.from('abc'));
    await new Promise(setImmediate);
    stop.abort(new Error('enough'));
    await expect(chunks).rejects.toThrow('enough');
    expect(await server.next()).toMatchObject({
      type: packetTypes.stream,
      status: packetStatus.error,
      serial,
    });
  });
});
