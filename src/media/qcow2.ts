import { refusedFormat } from './image-fault.ts';
import { type Qcow2Range, walkExtensions } from './qcow2-extensions.ts';

/**
 * How much of the file {@link inspectQcow2} wants, unless the file is shorter. The header and its extensions fit
 * easily; an extension area that is longer is refused rather than skipped, because it could hide a data file.
 */
export const qcow2PrefixBytes = 64 * 1024;

/** What a sound and self-contained qcow2 header says; ranges are byte ranges of the file that must exist. */
export interface Qcow2Info {
  readonly version: 2 | 3;
  readonly virtualSizeBytes: number;
  readonly clusterBits: number;
  readonly compression: 'zlib' | 'zstd';
  readonly extendedL2: boolean;
  readonly snapshots: number;
  readonly ranges: readonly Qcow2Range[];
}

// QEMU's own limits (qemu block/qcow2.h): QCOW_MAX_L1_SIZE, QCOW_MAX_REFTABLE_SIZE, MIN/MAX_CLUSTER_BITS.
const maxL1Bytes = 32 * 1024 * 1024;
const maxRefcountTableBytes = 8 * 1024 * 1024;
const minClusterBits = 9;
const maxClusterBits = 21;
/** QEMU takes 65536 snapshots; an image to boot from has none or a few. */
const maxSnapshots = 64;
/** A snapshot table entry without its variable part (docs/interop/qcow2.txt, "Snapshots"). */
const minSnapshotEntryBytes = 40;
/** L1 tables grow ahead of need by half and do not shrink with the disk, so 512 KiB of slack is honest. */
const l1Slack = 65_536;

/** Incompatible feature bits (docs/interop/qcow2.txt, "Header", bytes 72-79). */
const incompatible = { dirty: 1n, corrupt: 2n, dataFile: 4n, compression: 8n, extendedL2: 16n };
/** Auto-clear feature bits (bytes 88-95). */
const autoclear = { bitmaps: 1n, rawDataFile: 2n };

const refuse = (message: string): never => {
  throw refusedFormat(`the qcow2 image is refused: ${message}`);
};

/** A 64-bit offset or size; more than 2^53 cannot be part of any real file. */
const readOffset = (view: DataView, at: number, what: string): number => {
  const value = view.getBigUint64(at);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? refuse(`its ${what} is absurd`) : Number(value);
};

const checkIncompatible = (bits: bigint, ours: boolean): void => {
  if ((bits & incompatible.dataFile) !== 0n) refuse('it keeps its data in an external file');
  // Of a disk of ours whose emulator was killed: its reference counts are out of date, and nobody here reads them.
  if (!ours && (bits & incompatible.dirty) !== 0n)
    refuse('it was not closed cleanly; run qemu-img check -r all on it');
  if ((bits & incompatible.corrupt) !== 0n) refuse('it is marked as corrupt');
  const unknown = bits & ~(incompatible.compression | incompatible.extendedL2 | incompatible.dirty);
  if (unknown !== 0n) refuse(`it uses unknown incompatible features (0x${unknown.toString(16)})`);
};

const checkAutoclear = (bits: bigint, ours: boolean): void => {
  if ((bits & autoclear.rawDataFile) !== 0n) refuse('it keeps its data in an external file');
  if (!ours && (bits & autoclear.bitmaps) !== 0n) refuse('it carries bitmaps');
};

interface Features {
  readonly headerLength: number;
  readonly compression: 'zlib' | 'zstd';
  readonly extendedL2: boolean;
}

/** Version 2 ends at byte 72 and has none of these (docs/interop/qcow2.txt, "Header"). */
const version2Features: Features = { headerLength: 72, compression: 'zlib', extendedL2: false };

/** Byte 104 (docs/interop/qcow2.txt, "Additional fields"): zlib without the bit, another value only with it. */
const readCompression = (view: DataView, headerLength: number, bit: boolean): 'zlib' | 'zstd' => {
  const type = headerLength > 104 ? view.getUint8(104) : 0;
  if (bit !== (type !== 0)) refuse('its compression type contradicts its feature bits');
  if (type > 1) refuse(`its compression type ${type} is unknown`);
  return type === 1 ? 'zstd' : 'zlib';
};

const readFeatures = (view: DataView, clusterBytes: number, ours: boolean): Features => {
  if (view.byteLength < 104) return refuse('its header is cut off');
  const bits = view.getBigUint64(72);
  checkIncompatible(bits, ours);
  checkAutoclear(view.getBigUint64(88), ours);
  if (view.getUint32(96) > 6) refuse('its reference counts are wider than 64 bits');
  const headerLength = view.getUint32(100);
  if (headerLength < 104 || headerLength % 8 !== 0) refuse('its header length is wrong');
  if (headerLength > Math.min(clusterBytes, view.byteLength))
    refuse('its header is longer than its first cluster');
  return {
    headerLength,
    compression: readCompression(view, headerLength, (bits & incompatible.compression) !== 0n),
    extendedL2: (bits & incompatible.extendedL2) !== 0n,
  };
};

const tableRange = (what: string, offset: number, bytes: number, clusterBytes: number): Qcow2Range => {
  if (offset < clusterBytes || offset % clusterBytes !== 0) refuse(`its ${what} is misplaced`);
  return { what, end: offset + bytes };
};

/** Bytes 36-47. One L1 entry covers one L2 table: a cluster of 8-byte entries, 16-byte ones when extended. */
const readL1 = (
  view: DataView,
  virtualBytes: number,
  clusterBytes: number,
  extendedL2: boolean,
): Qcow2Range => {
  const entries = view.getUint32(36);
  const needed = Math.ceil(virtualBytes / (clusterBytes * (clusterBytes / (extendedL2 ? 16 : 8))));
  if (entries * 8 > maxL1Bytes || needed * 8 > maxL1Bytes) refuse('its L1 table is over 32 MiB');
  if (entries < needed) refuse('its L1 table is too small for its virtual size');
  if (entries > needed * 2 + l1Slack) refuse('its L1 table is absurdly large for its virtual size');
  return tableRange('L1 table', readOffset(view, 40, 'L1 table offset'), entries * 8, clusterBytes);
};

/** Bytes 48-59. */
const readRefcountTable = (view: DataView, clusterBytes: number): Qcow2Range => {
  const bytes = view.getUint32(56) * clusterBytes;
  if (bytes === 0) refuse('it has no reference count table');
  if (bytes > maxRefcountTableBytes) refuse('its reference count table is over 8 MiB');
  const offset = readOffset(view, 48, 'reference count table offset');
  return tableRange('reference count table', offset, bytes, clusterBytes);
};

/** Bytes 60-71. */
const readSnapshots = (view: DataView, clusterBytes: number): { count: number; ranges: Qcow2Range[] } => {
  const count = view.getUint32(60);
  if (count === 0) return { count, ranges: [] };
  if (count > maxSnapshots) refuse(`it has ${count} internal snapshots, more than ${maxSnapshots}`);
  const offset = readOffset(view, 64, 'snapshot table offset');
  return {
    count,
    ranges: [tableRange('snapshot table', offset, count * minSnapshotEntryBytes, clusterBytes)],
  };
};

/** Bytes 0-35: everything that makes an image depend on others or unreadable without a key. */
const readBasics = (
  view: DataView,
  ours: boolean,
): { version: 2 | 3; clusterBits: number; virtualSizeBytes: number } => {
  if (view.byteLength < 72 || view.getUint32(0) !== 0x514649fb) refuse('it has no qcow2 header');
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) return refuse(`its version ${version} is neither 2 nor 3`);
  if (!ours && (view.getBigUint64(8) !== 0n || view.getUint32(16) !== 0)) refuse('it has a backing file');
  const clusterBits = view.getUint32(20);
  if (clusterBits < minClusterBits || clusterBits > maxClusterBits)
    refuse('its cluster size is out of bounds');
  if (view.getUint32(32) !== 0) refuse('it is encrypted');
  const virtualSizeBytes = readOffset(view, 24, 'virtual size');
  if (virtualSizeBytes === 0) refuse('its virtual size is zero');
  return { version, clusterBits, virtualSizeBytes };
};

const inspect = (prefix: Uint8Array, ours: boolean): Qcow2Info => {
  const view = new DataView(prefix.buffer, prefix.byteOffset, Math.min(prefix.byteLength, qcow2PrefixBytes));
  const { version, clusterBits, virtualSizeBytes } = readBasics(view, ours);
  const clusterBytes = 2 ** clusterBits;
  const { headerLength, compression, extendedL2 } =
    version === 2 ? version2Features : readFeatures(view, clusterBytes, ours);
  if (extendedL2 && clusterBits < 14) refuse('its clusters are too small for extended L2 entries');
  if (!ours) walkExtensions(view, headerLength, clusterBytes, refuse);
  const snapshots = readSnapshots(view, clusterBytes);
  return {
    version,
    virtualSizeBytes,
    clusterBits,
    compression,
    extendedL2,
    snapshots: snapshots.count,
    ranges: [
      readL1(view, virtualSizeBytes, clusterBytes, extendedL2),
      readRefcountTable(view, clusterBytes),
      ...snapshots.ranges,
    ],
  };
};

/**
 * The header of a disk of our own making that a machine has used: it may stand on a backing file, which is not named
 * by what the file says, and may not have been closed. The file is read by us alone and never handed to an emulator.
 * @throws Fault `invalid` with reason ImageFormatRefused
 */
export const inspectOwnQcow2 = (prefix: Uint8Array): Qcow2Info => inspect(prefix, true);

/**
 * Read and judge the header of a qcow2 image from the first {@link qcow2PrefixBytes} of the file (or all of it).
 * Anything that makes it depend on another file, needs a key, or is unknown to the specification is refused; so is
 * what QEMU itself would not open. With `totalFileBytes` the tables are checked against the end of the file as
 * well, else call {@link checkQcow2FileSize} when it is known. Every field: qemu docs/interop/qcow2.txt.
 * @throws Fault `invalid` with reason ImageFormatRefused, and nothing else.
 */
export const inspectQcow2 = (prefix: Uint8Array, totalFileBytes?: number): Qcow2Info => {
  const info = inspect(prefix, false);
  if (totalFileBytes !== undefined) checkQcow2FileSize(info, totalFileBytes);
  return info;
};

/**
 * The second stage: no table may lie beyond the end of the file, whose length a stream tells only when it ends.
 * @throws Fault `invalid` with reason ImageFormatRefused
 */
export const checkQcow2FileSize = (info: Qcow2Info, totalFileBytes: number): void => {
  for (const { what, end } of info.ranges)
    if (end > totalFileBytes) refuse(`its ${what} lies beyond the end of the file`);
};
