/** What lies in a simulated volume: the bytes that were put there, else an empty disk of the volume's format. */
import { type Piece, contentOf as writtenOf } from '../../storage/simulated/disk-content.ts';
import type { Chunk } from '../host-storage.ts';
import type { SimulatedVolume } from './state.ts';

const clusterBytes = 65_536;
const l1At = 3 * clusterBytes;
const perTable = clusterBytes / 8;

/** The header of a flat qcow2 file (qemu docs/interop/qcow2.txt). */
const qcow2Header = (sizeBytes: number): Buffer => {
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

/** Numbers of the disk's clusters that hold something. */
const clustersOf = (pieces: readonly Piece[]): readonly number[] => {
  const found = pieces.flatMap(({ at, bytes }) => {
    const [first, last] = [Math.floor(at / clusterBytes), Math.ceil((at + bytes.byteLength) / clusterBytes)];
    return Array.from({ length: last - first }, (_, index) => first + index);
  });
  return [...new Set(found)].toSorted((a, b) => a - b);
};

/** Header, L1 table, L2 tables, then the clusters that hold something. */
const qcow2Of = (sizeBytes: number, pieces: readonly Piece[]): Content => {
  const entries = Math.ceil(sizeBytes / (clusterBytes * perTable));
  const l2At = l1At + Math.ceil((entries * 8) / clusterBytes) * clusterBytes;
  const header = qcow2Header(sizeBytes);
  if (pieces.length === 0) return { head: header, length: l2At };
  const clusters = clustersOf(pieces);
  const tables = [...new Set(clusters.map((cluster) => Math.floor(cluster / perTable)))];
  const dataAt = l2At + tables.length * clusterBytes;
  const file = Buffer.alloc(dataAt + clusters.length * clusterBytes);
  header.copy(file);
  tables.forEach((table, index) =>
    file.writeBigUInt64BE(BigInt(l2At + index * clusterBytes), l1At + table * 8),
  );
  clusters.forEach((cluster, index) => {
    const table = l2At + tables.indexOf(Math.floor(cluster / perTable)) * clusterBytes;
    const at = dataAt + index * clusterBytes;
    file.writeBigUInt64BE(BigInt(at), table + (cluster % perTable) * 8);
    let to = at;
    for (const chunk of writtenOf(pieces, cluster * clusterBytes, clusterBytes)) {
      if (chunk instanceof Uint8Array) file.set(chunk, to);
      to += chunk instanceof Uint8Array ? chunk.byteLength : chunk.hole;
    }
  });
  return { head: file, length: file.byteLength };
};

const rawOf = (sizeBytes: number, pieces: readonly Piece[]): Content => {
  const head = Buffer.alloc(Math.max(0, ...pieces.map(({ at, bytes }) => at + bytes.byteLength)));
  for (const { at, bytes } of pieces) head.set(bytes, at);
  return { head, length: sizeBytes };
};

const contentOf = ({ bytes, format, sizeBytes, pieces = [] }: SimulatedVolume): Content => {
  if (bytes !== undefined) return { head: bytes, length: bytes.byteLength };
  return format === 'qcow2' ? qcow2Of(sizeBytes, pieces) : rawOf(sizeBytes, pieces);
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
  if (at < end) yield { hole: end - at };
}
