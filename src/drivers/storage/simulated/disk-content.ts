/** What was written to a simulated disk: pieces over zeros, later ones over earlier ones. */
import type { Chunk } from '../../hypervisor/host-storage.ts';

export interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

const covers = ({ at, bytes }: Piece, from: number): boolean => at <= from && from < at + bytes.byteLength;

/** The disk from `offset` on, for `length` bytes: what was written, and holes between. */
export function* contentOf(pieces: readonly Piece[], offset: number, length: number): Generator<Chunk> {
  const end = offset + length;
  const edges = pieces.flatMap(({ at, bytes }) => [at, at + bytes.byteLength]);
  const cuts = [...new Set([offset, ...edges.filter((edge) => edge > offset && edge < end), end])].toSorted(
    (a, b) => a - b,
  );
  for (const [index, from] of cuts.entries()) {
    const to = cuts[index + 1];
    if (to === undefined) return;
    const piece = pieces.findLast((it) => covers(it, from));
    yield piece === undefined ? { hole: to - from } : piece.bytes.subarray(from - piece.at, to - piece.at);
  }
}
