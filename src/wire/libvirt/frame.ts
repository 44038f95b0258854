import { LibvirtConnectionError } from './errors.ts';

/** virnetprotocol.x: VIR_NET_MESSAGE_MAX and friends. */
export const PACKET_MAX_BYTES = 33_554_432;
export const STREAM_PAYLOAD_MAX_BYTES = 262_120;
const PREFIX_BYTES = 28;

export const packetTypes = { call: 0, reply: 1, message: 2, stream: 3, streamHole: 6 } as const;
export const packetStatus = { ok: 0, error: 1, continue: 2 } as const;

export type Header = {
  program: number;
  version: number;
  procedure: number;
  type: number;
  serial: number;
  status: number;
};
export type Packet = Header & { payload: Buffer };

/** The length word counts itself. */
export const encodePacket = (header: Header, payload: Uint8Array): Buffer => {
  const length = PREFIX_BYTES + payload.length;
  if (length > PACKET_MAX_BYTES) {
    throw new LibvirtConnectionError('protocol', `a packet of ${length} bytes is over libvirt's limit`);
  }
  const packet = Buffer.allocUnsafe(length);
  packet.writeUInt32BE(length, 0);
  packet.writeUInt32BE(header.program, 4);
  packet.writeUInt32BE(header.version, 8);
  packet.writeInt32BE(header.procedure, 12);
  packet.writeInt32BE(header.type, 16);
  packet.writeUInt32BE(header.serial, 20);
  packet.writeInt32BE(header.status, 24);
  packet.set(payload, PREFIX_BYTES);
  return packet;
};

const decodePacket = (bytes: Buffer): Packet => ({
  program: bytes.readUInt32BE(4),
  version: bytes.readUInt32BE(8),
  procedure: bytes.readInt32BE(12),
  type: bytes.readInt32BE(16),
  serial: bytes.readUInt32BE(20),
  status: bytes.readInt32BE(24),
  payload: bytes.subarray(PREFIX_BYTES),
});

/**
 * Cuts a byte stream into packets however it was split on the way. Throws LibvirtConnectionError (protocol) at a
 * length that no packet has, before reserving memory for it.
 */
export const createPacketReader = (): ((chunk: Buffer) => Packet[]) => {
  let chunks: Buffer[] = [];
  let held = 0;
  let needed = 4;
  const joined = (): Buffer => {
    const [first] = chunks;
    const whole = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, held);
    chunks = [whole];
    return whole;
  };
  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    const packets: Packet[] = [];
    while (held >= needed) {
      const bytes = joined();
      const length = bytes.readUInt32BE(0);
      if (length < PREFIX_BYTES || length > PACKET_MAX_BYTES) {
        throw new LibvirtConnectionError('protocol', `the other side announces a packet of ${length} bytes`);
      }
      if (held < length) {
        needed = length;
        break;
      }
      packets.push(decodePacket(bytes.subarray(0, length)));
      held -= length;
      chunks = held > 0 ? [bytes.subarray(length)] : [];
      needed = 4;
    }
    return packets;
  };
};
