import { type Duplex, duplexPair } from 'node:stream';
import { encodeStruct, type ProcedureName } from './codec.ts';
import { type ConnectOptions, connectLibvirt, type LibvirtConnection } from './connection.ts';
import {
  createPacketReader,
  encodePacket,
  type Header,
  type Packet,
  packetStatus,
  packetTypes,
} from './frame.ts';
import { procedures, programs, structs } from './protocol.gen.ts';

/** The daemon's side of a connection in tests: what it received and how it answers, packet by packet. */
export type ScriptedServer = {
  /** The raw side: write anything. */
  side: Duplex;
  received: Packet[];
  /** Resolves with the next packet that no script answered. */
  next(): Promise<Packet>;
  send(header: Partial<Header>, payload?: Uint8Array): void;
  reply(to: Packet, name: ProcedureName, ret: unknown): void;
  fail(to: Packet, code: number, message: string): void;
};

const base: Header = {
  program: programs.REMOTE,
  version: 1,
  procedure: 0,
  type: packetTypes.reply,
  serial: 0,
  status: packetStatus.ok,
};

const noError = {
  domain: 10,
  level: 2,
  dom: null,
  str1: null,
  str2: null,
  str3: null,
  int1: -1,
  int2: -1,
  net: null,
};

export const createScriptedServer = (side: Duplex): ScriptedServer => {
  const received: Packet[] = [];
  const open: Packet[] = [];
  const waiting: ((packet: Packet) => void)[] = [];
  const read = createPacketReader();
  const server: ScriptedServer = {
    side,
    received,
    next: () => {
      const ready = open.shift();
      return ready === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(ready);
    },
    send: (header, payload = Buffer.alloc(0)) => {
      side.write(encodePacket({ ...base, ...header }, payload));
    },
    reply: ({ serial, procedure, program }, name, ret) =>
      server.send({ serial, procedure, program }, encodeStruct(procedures[name][2], ret)),
    fail: ({ serial, procedure, program, type }, code, message) => {
      const payload = encodeStruct(structs.RemoteError, { ...noError, code, message });
      const answer = type === packetTypes.call ? packetTypes.reply : type;
      server.send({ serial, procedure, program, type: answer, status: packetStatus.error }, payload);
    },
  };
  const handshake: readonly (readonly [ProcedureName, unknown])[] = [
    ['AUTH_LIST', { types: [0] }],
    ['CONNECT_SUPPORTS_FEATURE', { supported: 1 }],
    ['CONNECT_OPEN', {}],
    ['CONNECT_REGISTER_CLOSE_CALLBACK', {}],
    ['CONNECT_CLOSE', {}],
  ];
  side.on('data', (chunk: Buffer) => {
    for (const packet of read(chunk)) {
      received.push(packet);
      const scripted = handshake.find(([name]) => procedures[name][0] === packet.procedure);
      if (scripted !== undefined && packet.program === programs.REMOTE) server.reply(packet, ...scripted);
      else if (waiting.length > 0) waiting.shift()?.(packet);
      else open.push(packet);
    }
  });
  side.on('error', () => {});
  return server;
};

/** A connection whose handshake the scripted server has answered. */
export const connectScripted = async (
  options: Partial<ConnectOptions> = {},
): Promise<{ server: ScriptedServer; connection: LibvirtConnection }> => {
  const [ours, theirs] = duplexPair();
  const server = createScriptedServer(theirs);
  const connection = await connectLibvirt(
    { transport: () => Promise.resolve(ours), uri: 'test:///default', ...options },
    new AbortController().signal,
  );
  return { server, connection };
};
