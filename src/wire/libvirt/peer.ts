import type { Duplex } from 'node:stream';
import { linkSignals, raceAbort } from '../signals.ts';
import { createSlots } from '../slots.ts';
import { withLimit } from './abort.ts';
import { type Args, decodeRet, decodeStruct, encodeArgs, type ProcedureName, type Ret } from './codec.ts';
import { LibvirtConnectionError, LibvirtError } from './errors.ts';
import { createPacketReader, encodePacket, type Packet, packetStatus, packetTypes } from './frame.ts';
import { createKeepalive, type Keepalive, type KeepaliveOptions } from './keepalive.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { procedures, programs, type RemoteError, structs } from './protocol.gen.ts';
import type { Timers } from './timers.ts';

/** src/rpc/virkeepaliveprotocol.x */
const KEEPALIVE = { program: 0x6b656570, ping: 1, pong: 2 } as const;
const IN_FLIGHT = 4;

export type PeerOptions = {
  duplex: Duplex;
  keepalive: KeepaliveOptions;
  /** Limit of a call from its issue, queueing included, when the call brings none. */
  callTimeoutMs: number;
  timers: Timers;
  /** A message that the server sent unasked: procedure number within REMOTE and its payload. */
  onMessage(procedure: number, payload: Buffer): void;
};

export type CallOptions = {
  timeoutMs?: number;
  /** Set for procedures that open a stream: its packets, from the moment the call is sent. */
  onStream?: (packet: Packet) => void;
  /** The host opened the stream after the caller stopped waiting: it has to be broken off. */
  onLateStream?: (serial: number) => void;
};

type Pending = { name: ProcedureName; resolve(packet: Packet): void; reject(error: Error): void };

const numberOf = (name: ProcedureName) => ({
  program: name.startsWith('QEMU_') ? programs.QEMU : programs.REMOTE,
  version: programs.version,
  procedure: procedures[name][0],
});

/** The error payload of a reply or a stream packet. Throws XdrError. */
export const toLibvirtError = (name: ProcedureName, payload: Buffer): LibvirtError => {
  const error = decodeStruct(structs.RemoteError, payload) as RemoteError;
  return new LibvirtError(name, {
    code: error.code,
    domain: error.domain,
    level: error.level,
    message: error.message ?? `error ${error.code} without a message`,
    strings: [error.str1, error.str2, error.str3],
    numbers: [error.int1, error.int2],
  });
};

const asConnectionError = (error: unknown): LibvirtConnectionError => {
  if (error instanceof LibvirtConnectionError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LibvirtConnectionError('protocol', `not libvirt's protocol: ${message}`, { cause: error });
};

export type Peer = ReturnType<typeof createPeer>;

type State = {
  options: PeerOptions;
  pending: Map<number, Pending>;
  streams: Map<number, (packet: Packet) => void>;
  serial: number;
  end: AbortController;
  outbox: Outbox;
  closing(error: LibvirtConnectionError): void;
};

const write = (state: State, packet: Buffer): Promise<void> => {
  if (state.end.signal.aborted) throw state.end.signal.reason;
  return state.outbox.write(packet);
};

const sendKeepalive = (state: State, procedure: number): void => {
  if (state.end.signal.aborted) return;
  const header = { program: KEEPALIVE.program, version: 1, procedure, type: packetTypes.message };
  void write(state, encodePacket({ ...header, serial: 0, status: packetStatus.ok }, Buffer.alloc(0)));
};

const onReply = (state: State, packet: Packet): void => {
  const call = state.pending.get(packet.serial);
  const wanted = call === undefined ? undefined : numberOf(call.name);
  if (call === undefined || wanted?.procedure !== packet.procedure || wanted.program !== packet.program) {
    throw new LibvirtConnectionError('protocol', `a reply (serial ${packet.serial}) to no call of ours`);
  }
  state.pending.delete(packet.serial);
  call.resolve(packet);
};

/** Packets of a stream that is over may still be under way; those of a stream that never was are an error. */
const onStreamPacket = (state: State, packet: Packet): void => {
  const stream = state.streams.get(packet.serial);
  if (stream !== undefined) return stream(packet);
  if (packet.serial === 0 || packet.serial > state.serial) {
    throw new LibvirtConnectionError(
      'protocol',
      `a stream packet (serial ${packet.serial}) of no stream of ours`,
    );
  }
};

const onPacket = (state: State, packet: Packet): void => {
  if (packet.program === KEEPALIVE.program) {
    if (packet.procedure === KEEPALIVE.ping) sendKeepalive(state, KEEPALIVE.pong);
    return;
  }
  switch (packet.type) {
    case packetTypes.reply:
      return onReply(state, packet);
    case packetTypes.stream:
    case packetTypes.streamHole:
      return onStreamPacket(state, packet);
    case packetTypes.message:
      if (packet.program === programs.REMOTE) state.options.onMessage(packet.procedure, packet.payload);
      return;
    default:
      throw new LibvirtConnectionError('protocol', `packet type ${packet.type} is not one for a client`);
  }
};

const listen = (state: State, keepalive: Keepalive): void => {
  const { duplex } = state.options;
  const read = createPacketReader();
  duplex.on('data', (chunk: Buffer) => {
    keepalive.touch();
    try {
      for (const packet of read(chunk)) onPacket(state, packet);
    } catch (error) {
      state.closing(asConnectionError(error));
    }
  });
  duplex.on('error', (error: Error) =>
    state.closing(
      new LibvirtConnectionError('closed', `connection lost: ${error.message}`, { cause: error }),
    ),
  );
  for (const event of ['end', 'close']) {
    duplex.on(event, () =>
      state.closing(new LibvirtConnectionError('closed', 'the host closed the connection')),
    );
  }
};

const nextSerial = (state: State): number => {
  state.serial = (state.serial % 0xff_ff_ff_ff) + 1;
  return state.serial;
};

/** Sends at once; the promise is the reply packet. The stream is registered before its first packet can come. */
const send = (state: State, name: ProcedureName, body: Buffer, onStream?: (packet: Packet) => void) => {
  const serial = nextSerial(state);
  const header = { ...numberOf(name), type: packetTypes.call, serial, status: packetStatus.ok };
  const packet = encodePacket(header, body);
  const reply = new Promise<Packet>((resolve, reject) => {
    state.pending.set(serial, { name, resolve, reject });
  });
  if (onStream !== undefined) state.streams.set(serial, onStream);
  try {
    void write(state, packet);
  } catch (error) {
    state.pending.delete(serial);
    state.streams.delete(serial);
    throw error;
  }
  return { serial, reply };
};

const createCall = (state: State) => {
  const slots = createSlots(IN_FLIGHT);
  /**
   * One remote procedure. Throws LibvirtError (the host said no), LibvirtConnectionError (it could not be asked),
   * XdrError (the arguments cannot be sent) or the signal's reason. An abort or timeout takes a queued call out of the
   * queue; of a sent one only the waiting ends: the host goes on with it, and its place stays taken until it answers.
   */
  return async <P extends ProcedureName>(
    name: P,
    args: Args<P>,
    signal: AbortSignal,
    options: CallOptions = {},
  ): Promise<{ ret: Ret<P>; serial: number }> => {
    const body = encodeArgs(name, args);
    const timeoutMs = options.timeoutMs ?? state.options.callTimeoutMs;
    const limit = withLimit([signal, state.end.signal], timeoutMs, name, state.options.timers);
    try {
      const release = await slots.acquire(limit.signal);
      const sent = ((): ReturnType<typeof send> => {
        try {
          return send(state, name, body, options.onStream);
        } catch (error) {
          release();
          throw error;
        }
      })();
      sent.reply.then(release, release);
      const packet = await raceAbort(sent.reply, limit.signal).catch((error: unknown) => {
        sent.reply.then(
          ({ status }) => (status === packetStatus.ok ? options.onLateStream?.(sent.serial) : undefined),
          () => {},
        );
        throw error;
      });
      if (packet.status === packetStatus.ok)
        return { ret: decodeRet(name, packet.payload), serial: sent.serial };
      state.streams.delete(sent.serial);
      throw toLibvirtError(name, packet.payload);
    } catch (error) {
      throw error instanceof Error && error.name === 'XdrError' ? asConnectionError(error) : error;
    } finally {
      limit.clear();
    }
  };
};

/** Both halves of the RPC over one byte stream: calls out, replies, messages and keepalive in. */
export const createPeer = (options: PeerOptions) => {
  const closed = Promise.withResolvers<LibvirtConnectionError>();
  const end = new AbortController();
  const closing = (error: LibvirtConnectionError): void => {
    if (end.signal.aborted) return;
    end.abort(error);
    keepalive.stop();
    for (const call of state.pending.values()) call.reject(error);
    state.pending.clear();
    state.streams.clear();
    options.duplex.destroy();
    closed.resolve(error);
  };
  const outbox = createOutbox(options.duplex);
  const state: State = {
    options,
    pending: new Map(),
    streams: new Map(),
    serial: 0,
    end,
    outbox,
    closing,
  };
  const keepalive = createKeepalive(
    options.keepalive,
    {
      ping: () => sendKeepalive(state, KEEPALIVE.ping),
      dead: () => closing(new LibvirtConnectionError('timeout', 'the host stopped answering keepalive')),
    },
    options.timers,
  );
  listen(state, keepalive);
  let holds = 0;
  return {
    call: createCall(state),
    /** Resolves when the system has taken the packet, and with it all earlier ones. */
    sendStream: async (
      name: ProcedureName,
      serial: number,
      part: { type: number; status: number; payload: Uint8Array },
      signal: AbortSignal,
    ): Promise<void> => {
      const { payload, ...rest } = part;
      const taken = write(state, encodePacket({ ...numberOf(name), ...rest, serial }, payload));
      const linked = linkSignals([signal, end.signal]);
      await raceAbort(taken, linked.signal).finally(() => linked.clear());
      keepalive.touch();
    },
    endStream: (serial: number): void => {
      state.streams.delete(serial);
    },
    /** Stops reading until the returned function is called: backpressure of a slow consumer. */
    hold: (): (() => void) => {
      holds += 1;
      options.duplex.pause();
      keepalive.suspend();
      return () => {
        holds -= 1;
        if (holds > 0) return;
        keepalive.resume();
        options.duplex.resume();
      };
    },
    ended: end.signal,
    closed: closed.promise,
    close: (reason: LibvirtConnectionError): void => closing(reason),
  };
};
