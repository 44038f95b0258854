/**
 * Raw content of a flat qcow2 file that can be read in ranges: what a disk of a storage server is filled from, when
 * the file lies on a host and no program of ours runs there. Constant memory: one L1 table and one L2 table at a time.
 * Format: qemu docs/interop/qcow2.txt.
 */
import { refusedFormat } from './image-fault.ts';
import { inspectOwnQcow2, inspectQcow2, type Qcow2Info, qcow2PrefixBytes } from './qcow2.ts';

/** Bytes, or a hole of that many zero bytes. */
export type RawChunk = Uint8Array | { readonly hole: number };

/** Part of the file, in order; ends early where the file does. */
export type ReadRange = (offset: number, length: number) => AsyncIterable<RawChunk>;

/** Bits 9 to 55 of an L1 or L2 entry. */
const OFFSET_BITS = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
/** Of version 3: reads as zeros whatever lies at its offset. */
const ZERO = 1n;
const ENTRY_BYTES = 8;

interface Layout {
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  readonly version: 2 | 3;
  /** Entries of an L2 table. */
  readonly perTable: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
}

/** A stretch of the disk: at an offset of the file, zeros, or not in this file (what it stands on has it). */
interface Extent {
  readonly at: number | 'zeros' | 'below';
  readonly bytes: number;
}

/** The same with the file that has it, for a disk that stands on another file. */
interface Stretch {
  readonly source: 'file' | 'below';
  readonly at: number;
  readonly bytes: number;
}

const refuse = (message: string): never => {
  throw refusedFormat(`the qcow2 file cannot be read: ${message}`);
};

/** The range as one buffer; shorter where the file ends. */
const bytesOf = async (read: ReadRange, offset: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of read(offset, length)) {
    const size = chunk instanceof Uint8Array ? chunk.byteLength : chunk.hole;
    if (at + size > length) refuse('more came than was asked for');
    if (chunk instanceof Uint8Array) bytes.set(chunk, at);
    at += size;
  }
  return bytes.subarray(0, at);
};

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const layoutOf = (info: Qcow2Info, header: Uint8Array): Layout => {
  if (info.extendedL2) refuse('it has extended L2 entries, which no copy of ours has');
  const clusterBytes = 2 ** info.clusterBits;
  const perTable = clusterBytes / ENTRY_BYTES;
  return {
    virtualSizeBytes: info.virtualSizeBytes,
    clusterBytes,
    version: info.version,
    perTable,
    l1Offset: Number(viewOf(header).getBigUint64(40)),
    l1Entries: Math.ceil(info.virtualSizeBytes / (clusterBytes * perTable)),
  };
};

const tableAt = async (read: ReadRange, offset: number, entries: number, what: string): Promise<DataView> => {
  const bytes = await bytesOf(read, offset, entries * ENTRY_BYTES);
  if (bytes.byteLength < entries * ENTRY_BYTES) refuse(`the file ends in its ${what}`);
  return viewOf(bytes);
};

/** Where an entry points to; 0 for nowhere. */
const offsetOf = (entry: bigint, { clusterBytes }: Layout): number => {
  const offset = Number(entry & OFFSET_BITS);
  return offset % clusterBytes === 0 ? offset : refuse('one of its clusters is misplaced');
};

const clusterOf = (entry: bigint, layout: Layout): Extent['at'] => {
  if ((entry & COMPRESSED) !== 0n) refuse('it has compressed clusters, which no copy of ours has');
  if (layout.version === 3 && (entry & ZERO) !== 0n) return 'zeros';
  const offset = offsetOf(entry, layout);
  return offset === 0 ? 'below' : offset;
};

/** Every cluster in the order of the disk, whole tables of nothing in one. */
async function* clusters(read: ReadRange, layout: Layout): AsyncGenerator<Extent, void, void> {
  const { clusterBytes, perTable, l1Offset, l1Entries, virtualSizeBytes } = layout;
  const l1 = await tableAt(read, l1Offset, l1Entries, 'L1 table');
  for (let table = 0; table < l1Entries; table += 1) {
    const from = table * perTable * clusterBytes;
    const span = Math.min(perTable * clusterBytes, virtualSizeBytes - from);
    const offset = offsetOf(l1.getBigUint64(table * ENTRY_BYTES), layout);
    if (offset === 0) {
      yield { at: 'below', bytes: span };
      continue;
    }
    const count = Math.ceil(span / clusterBytes);
    const l2 = await tableAt(read, offset, count, 'L2 tables');
    for (let entry = 0; entry < count; entry += 1) {
      const at = clusterOf(l2.getBigUint64(entry * ENTRY_BYTES), layout);
      yield { at, bytes: Math.min(clusterBytes, span - entry * clusterBytes) };
    }
  }
}

const follows = (a: Extent, b: Extent): boolean =>
  typeof a.at === 'number' ? b.at === a.at + a.bytes : b.at === a.at;

/** What lies in a row in the file is read in one go. */
async function* runs(extents: AsyncIterable<Extent>): AsyncGenerator<Extent, void, void> {
  let run: Extent | undefined;
  for await (const extent of extents) {
    if (run !== undefined && follows(run, extent)) {
      run = { at: run.at, bytes: run.bytes + extent.bytes };
      continue;
    }
    if (run !== undefined) yield run;
    run = extent;
  }
  if (run !== undefined) yield run;
}

/** The file may end within its last cluster: what is missing there is zeros (qemu block/qcow2.c). */
async function* data(
  read: ReadRange,
  at: number,
  bytes: number,
  clusterBytes: number,
): AsyncGenerator<RawChunk, void, void> {
  let left = bytes;
  for await (const chunk of read(at, bytes)) {
    const size = chunk instanceof Uint8Array ? chunk.byteLength : chunk.hole;
    if (size > left) refuse('more came than was asked for');
    left -= size;
    if (size > 0) yield chunk;
  }
  if (left >= clusterBytes) refuse('the file ends before its last cluster');
  if (left > 0) yield { hole: left };
}

/** What the file's header says, from its first bytes. Throws Fault `invalid`, reason ImageFormatRefused. */
const openQcow2 = async (
  read: ReadRange,
  inspect: (prefix: Uint8Array) => Qcow2Info = inspectQcow2,
): Promise<Layout> => {
  const header = await bytesOf(read, 0, qcow2PrefixBytes);
  return layoutOf(inspect(header), header);
};

/**
 * The disk's content from its start, exactly as long as its virtual size. Faults of `read` pass through; a file that
 * is not sound, or not one of our own flat copies, is Fault `invalid` with reason ImageFormatRefused.
 */
export async function* readQcow2(read: ReadRange): AsyncGenerator<RawChunk, void, void> {
  const layout = await openQcow2(read);
  for await (const { at, bytes } of runs(clusters(read, layout))) {
    if (typeof at === 'number') yield* data(read, at, bytes, layout.clusterBytes);
    else yield { hole: bytes };
  }
}

/** The next stretches of what lies below, as many bytes as asked for; zeros where it ends. Both go forward alone. */
const createCursor = (extents: AsyncGenerator<Extent, void, void>) => {
  let rest: Extent | undefined;
  const next = async (limit: number): Promise<Extent> => {
    rest ??= (await extents.next()).value ?? { at: 'zeros', bytes: Number.POSITIVE_INFINITY };
    const bytes = Math.min(limit, rest.bytes);
    const extent: Extent = { at: rest.at === 'below' ? 'zeros' : rest.at, bytes };
    const left = rest.bytes - bytes;
    const after = typeof rest.at === 'number' ? rest.at + bytes : rest.at;
    rest = left === 0 ? undefined : { at: after, bytes: left };
    return extent;
  };
  return { next };
};

/** Every stretch of a disk on top of another file, in the order of the disk; undefined `source`: zeros. */
async function* layered(
  top: AsyncIterable<Extent>,
  below: AsyncGenerator<Extent, void, void>,
): AsyncGenerator<Stretch | { readonly bytes: number }, void, void> {
  const cursor = createCursor(below);
  for await (const { at, bytes } of top) {
    for (let left = bytes; left > 0; ) {
      const under = await cursor.next(left);
      left -= under.bytes;
      if (at === 'below')
        yield typeof under.at === 'number'
          ? { source: 'below', at: under.at, bytes: under.bytes }
          : { bytes: under.bytes };
    }
    if (typeof at === 'number') yield { source: 'file', at, bytes };
    else if (at === 'zeros') yield { bytes };
  }
}

/**
 * The same of a disk that a machine has used: it may stand on one of our flat copies, `below`, and may not have been
 * closed. Exactly as long as its own virtual size.
 */
export async function* readOwnQcow2(
  read: ReadRange,
  below: ReadRange | undefined,
): AsyncGenerator<RawChunk, void, void> {
  const layout = await openQcow2(read, inspectOwnQcow2);
  const top = runs(clusters(read, layout));
  if (below === undefined) {
    for await (const { at, bytes } of top) {
      if (typeof at === 'number') yield* data(read, at, bytes, layout.clusterBytes);
      else yield { hole: bytes };
    }
    return;
  }
  const base = await openQcow2(below);
  for await (const stretch of layered(top, runs(clusters(below, base)))) {
    if (!('source' in stretch)) yield { hole: stretch.bytes };
    else if (stretch.source === 'file') yield* data(read, stretch.at, stretch.bytes, layout.clusterBytes);
    else yield* data(below, stretch.at, stretch.bytes, base.clusterBytes);
  }
}
