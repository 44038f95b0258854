import { linkSignals, raceAbort } from '../signals.ts';
import { type Args, decodeStruct, encodeStruct } from './codec.ts';
import { LibvirtConnectionError, type LibvirtError } from './errors.ts';
import { type Packet, packetStatus, packetTypes, STREAM_PAYLOAD_MAX_BYTES } from './frame.ts';
import { type Peer, toLibvirtError } from './peer.ts';
import type { streamProcedures } from './protocol.gen.ts';

export type StreamProcedure = keyof typeof streamProcedures;

/** Part of a stream: bytes, or a hole of so many zero bytes (only when the sparse flag, 1, was given). */
export type StreamChunk = Uint8Array | { hole: number };

export type Console = {
  /** Ends when the guest's side closes. Throws LibvirtError or LibvirtConnectionError. */
  readable: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  close(): void;
};

export type LibvirtStreams = {
  /** Sends the chunks in packets of at most 262,120 bytes, no faster than the host takes them; resolves when it confirmed. */
  upload<P extends StreamProcedure>(
    name: P,
    args: Args<P>,
    source: AsyncIterable<StreamChunk>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Reads no further ahead than a few packets. Leaving the loop early aborts the stream on the host. */
  download<P extends StreamProcedure>(
    name: P,
    args: Args<P>,
    signal: AbortSignal,
  ): AsyncGenerator<StreamChunk, void, void>;
  /** A stream in both directions: DOMAIN_OPEN_CONSOLE, DOMAIN_OPEN_CHANNEL. */
  open<P extends StreamProcedure>(name: P, args: Args<P>, signal: AbortSignal): Promise<Console>;
};

/** virnetprotocol.x: struct virNetStreamHole. */
const HOLE = 'length:h flags:u';
const HELD_PACKETS = 8;

type Inbox = {
  receive(packet: Packet): void;
  /** The next chunk; undefined when the host has no more. */
  next(): Promise<StreamChunk | undefined>;
  /** Settles when the host confirms the end, rejects when it breaks the stream off. */
  over: Promise<void>;
  discard(): void;
};

const readHole = (payload: Buffer): StreamChunk => {
  const { length } = decodeStruct(HOLE, payload) as { length: bigint };
  if (length < 0n || length > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new LibvirtConnectionError('protocol', 'the host sends a hole of impossible length');
  }
  return { hole: Number(length) };
};

/** Packets of one stream in order; stops the connection's reading while more than a few wait for the consumer. */
const createInbox = (peer: Peer, name: StreamProcedure): Inbox => {
  const queue: (StreamChunk | 'eof')[] = [];
  const over = Promise.withResolvers<void>();
  over.promise.catch(() => {});
  let failure: LibvirtError | LibvirtConnectionError | undefined;
  let wake = Promise.withResolvers<void>();
  let unhold: (() => void) | undefined;
  let discarding = false;
  const fail = (error: LibvirtError | LibvirtConnectionError): void => {
    failure = error;
    over.reject(error);
    wake.resolve();
  };
  const free = (): void => {
    unhold?.();
    unhold = undefined;
  };
  peer.closed.then(fail).catch(() => {});
  const add = (item: StreamChunk | 'eof'): void => {
    if (discarding) return;
    queue.push(item);
    if (queue.length > HELD_PACKETS) unhold ??= peer.hold();
    wake.resolve();
  };
  return {
    receive: (packet) => {
      if (packet.status !== packetStatus.continue) peer.endStream(packet.serial);
      if (packet.status === packetStatus.error) return fail(toLibvirtError(name, packet.payload));
      if (packet.status === packetStatus.ok) return over.resolve();
      if (packet.type === packetTypes.streamHole) return add(readHole(packet.payload));
      add(packet.payload.length === 0 ? 'eof' : packet.payload);
    },
    next: async () => {
      if (queue.length === 0 && failure === undefined) {
        wake = Promise.withResolvers();
        await wake.promise;
      }
      const item = queue.shift();
      if (queue.length === 0) free();
      if (item === undefined) throw failure ?? new LibvirtConnectionError('closed', 'the stream ended');
      return item === 'eof' ? undefined : item;
    },
    over: over.promise,
    discard: () => {
      discarding = true;
      queue.length = 0;
      free();
    },
  };
};

type OpenStream = {
  inbox: Inbox;
  send(chunk: StreamChunk, signal: AbortSignal): Promise<void>;
  finish(signal: AbortSignal): Promise<void>;
  abort(): void;
};

const packetsOf = function* (bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += STREAM_PAYLOAD_MAX_BYTES) {
    yield bytes.subarray(at, at + STREAM_PAYLOAD_MAX_BYTES);
  }
};

const openStream = async <P extends StreamProcedure>(
  peer: Peer,
  name: P,
  args: Args<P>,
  signal: AbortSignal,
): Promise<OpenStream> => {
  const inbox = createInbox(peer, name);
  const end = (serial: number, status: number, signal: AbortSignal): Promise<void> =>
    peer.sendStream(name, serial, { type: packetTypes.stream, status, payload: Buffer.alloc(0) }, signal);
  const breakOff = (serial: number): void => {
    inbox.discard();
    end(serial, packetStatus.error, new AbortController().signal).catch(() => {});
  };
  const { serial } = await peer.call(name, args, signal, {
    onStream: (packet) => inbox.receive(packet),
    onLateStream: breakOff,
  });
  return {
    inbox,
    send: async (chunk, signal) => {
      const status = packetStatus.continue;
      if (!(chunk instanceof Uint8Array)) {
        const payload = encodeStruct(HOLE, { length: BigInt(chunk.hole), flags: 0 });
        return peer.sendStream(name, serial, { type: packetTypes.streamHole, status, payload }, signal);
      }
      for (const payload of packetsOf(chunk)) {
        await peer.sendStream(name, serial, { type: packetTypes.stream, status, payload }, signal);
      }
    },
    finish: async (signal) => {
      await end(serial, packetStatus.ok, signal);
      await raceAbort(inbox.over, signal);
    },
    /** What is still under way is dropped; the host's confirmation ends the registration. */
    abort: () => breakOff(serial),
  };
};

const upload = async (
  stream: OpenStream,
  source: AsyncIterable<StreamChunk>,
  signal: AbortSignal,
): Promise<void> => {
  const linked = linkSignals([signal]);
  stream.inbox.over.then(
    () => linked.abort(new LibvirtConnectionError('protocol', 'the host ended the upload before its end')),
    (error: unknown) => linked.abort(error),
  );
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const item = await raceAbort(iterator.next(), linked.signal);
      if (item.done === true) break;
      await stream.send(item.value, linked.signal);
    }
  } catch (error) {
    iterator.return?.().catch(() => {});
    throw error;
  } finally {
    linked.clear();
  }
  await stream.finish(signal);
};

const createConsole = (stream: OpenStream): Console => {
  let ended = false;
  const readable = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = await stream.inbox.next();
      if (chunk === undefined) return;
      if (chunk instanceof Uint8Array) yield chunk;
    }
  };
  return {
    readable: readable(),
    write: (bytes, signal) => stream.send(bytes, signal),
    close: () => {
      if (!ended) stream.abort();
      ended = true;
    },
  };
};

export const createStreams = (peer: Peer): LibvirtStreams => ({
  upload: async (name, args, source, signal) => {
    const stream = await openStream(peer, name, args, signal);
    try {
      await upload(stream, source, signal);
    } catch (error) {
      stream.abort();
      throw error;
    }
  },
  download: async function* (name, args, signal) {
    const stream = await openStream(peer, name, args, signal);
    let whole = false;
    try {
      for (;;) {
        const chunk = await raceAbort(stream.inbox.next(), signal);
        if (chunk === undefined) break;
        yield chunk;
      }
      await stream.finish(signal);
      whole = true;
    } finally {
      if (!whole) stream.abort();
    }
  },
  open: async (name, args, signal) => createConsole(await openStream(peer, name, args, signal)),
});
