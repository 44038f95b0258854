/** What lies in a simulated volume: the bytes that were put there, else an empty disk of the volume's format. */
import type { Chunk } from '../host-storage.ts';
import type { SimulatedVolume } from './state.ts';

const clusterBytes = 65_536;
const l1At = 3 * clusterBytes;
const pieceBytes = 1_048_576;

/** A flat qcow2 file without data (qemu docs/interop/qcow2.txt): its header; all its tables are zeros. */
const emptyQcow2 = (sizeBytes: number): Buffer => {
  const header = Buffer.alloc(112);
  const entries = Math.ceil(sizeBytes / ((clusterBytes * clusterBytes) / 8));
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(sizeBytes), 24);
  header.writeUInt32BE(entries, 36);
  header.writeBigUInt64BE(BigInt(l1At), 40);
  header.writeBigUInt64BE(BigInt(clusterBytes), 48);
  header.writeUInt32BE(1, 56);
  header.writeUInt32BE(4, 96);
  header.writeUInt32BE(104, 100);
  return header;
};

interface Content {
  readonly head: Uint8Array;
  /** Zeros follow the head up to here. */
  readonly length: number;
}

const contentOf = ({ bytes, format, sizeBytes }: SimulatedVolume): Content => {
  if (bytes !== undefined) return { head: bytes, length: bytes.byteLength };
  if (format !== 'qcow2') return { head: new Uint8Array(0), length: sizeBytes };
  const entries = Math.ceil(sizeBytes / ((clusterBytes * clusterBytes) / 8));
  return {
    head: emptyQcow2(sizeBytes),
    length: l1At + Math.ceil((entries * 8) / clusterBytes) * clusterBytes,
  };
};

/** The range in pieces; ends early where the file does. */
export function* pieces(volume: SimulatedVolume, offset: number, length: number): Generator<Chunk> {
  const { head, length: fileBytes } = contentOf(volume);
  const end = Math.min(offset + length, fileBytes);
  let at = offset;
  if (at < Math.min(end, head.byteLength)) {
    const bytes = head.subarray(at, Math.min(end, head.byteLength));
    at += bytes.byteLength;
    yield bytes;
  }
  for (; at < end; at += pieceBytes) yield new Uint8Array(Math.min(pieceBytes, end - at));
}
