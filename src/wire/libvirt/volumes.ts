import { clampToSafe } from './codec.ts';
import type { LibvirtCall } from './connection.ts';
import type { StoragePool, StorageVol } from './protocol.gen.ts';
import type { LibvirtStreams, StreamChunk } from './streams.ts';

/** type 0 file, 1 block, 2 directory, 3 network (virStorageVolType). */
export type VolumeInfo = { type: number; capacityBytes: number; allocationBytes: number };

/** Flags of include/libvirt/libvirt-storage.h. */
export const volumeFlags = {
  create: { preallocMetadata: 1, reflink: 2 },
  resize: { allocate: 1, delta: 2, shrink: 4 },
  stream: { sparse: 1 },
} as const;

/** A copy within the host can take as long as the disk is large. */
const COPY_TIMEOUT_MS = 6 * 3_600_000;

/** Part of a volume; a length of 0 is up to its end. */
export type VolumeRange = { offset: number; length: number; sparse: boolean };

const streamArgs = (vol: StorageVol, range: VolumeRange) => ({
  vol,
  offset: BigInt(range.offset),
  length: BigInt(range.length),
  flags: range.sparse ? volumeFlags.stream.sparse : 0,
});

export const createVolumes = (call: LibvirtCall, streams: LibvirtStreams) => ({
  byName: async (pool: StoragePool, name: string, signal: AbortSignal): Promise<StorageVol> =>
    (await call('STORAGE_VOL_LOOKUP_BY_NAME', { pool, name }, signal)).vol,
  byPath: async (path: string, signal: AbortSignal): Promise<StorageVol> =>
    (await call('STORAGE_VOL_LOOKUP_BY_PATH', { path }, signal)).vol,
  createXml: async (
    pool: StoragePool,
    xml: string,
    flags: number,
    signal: AbortSignal,
  ): Promise<StorageVol> => (await call('STORAGE_VOL_CREATE_XML', { pool, xml, flags }, signal)).vol,
  /** A new volume with the content of another, converted to the format the XML names. */
  createFrom: async (
    pool: StoragePool,
    source: { xml: string; volume: StorageVol; flags: number },
    signal: AbortSignal,
  ): Promise<StorageVol> => {
    const { xml, volume: clonevol, flags } = source;
    const limit = { timeoutMs: COPY_TIMEOUT_MS };
    return (await call('STORAGE_VOL_CREATE_XML_FROM', { pool, xml, clonevol, flags }, signal, limit)).vol;
  },
  getXml: async (vol: StorageVol, signal: AbortSignal): Promise<string> =>
    (await call('STORAGE_VOL_GET_XML_DESC', { vol, flags: 0 }, signal)).xml,
  getPath: async (vol: StorageVol, signal: AbortSignal): Promise<string> =>
    (await call('STORAGE_VOL_GET_PATH', { vol }, signal)).name,
  getInfo: async (vol: StorageVol, signal: AbortSignal): Promise<VolumeInfo> => {
    const { type, capacity, allocation } = await call('STORAGE_VOL_GET_INFO', { vol }, signal);
    return { type, capacityBytes: clampToSafe(capacity), allocationBytes: clampToSafe(allocation) };
  },
  resize: (vol: StorageVol, bytes: number, flags: number, signal: AbortSignal) =>
    call('STORAGE_VOL_RESIZE', { vol, capacity: BigInt(bytes), flags }, signal),
  delete: (vol: StorageVol, signal: AbortSignal) => call('STORAGE_VOL_DELETE', { vol, flags: 0 }, signal),
  upload: (vol: StorageVol, range: VolumeRange, source: AsyncIterable<StreamChunk>, signal: AbortSignal) =>
    streams.upload('STORAGE_VOL_UPLOAD', streamArgs(vol, range), source, signal),
  download: (vol: StorageVol, range: VolumeRange, signal: AbortSignal) =>
    streams.download('STORAGE_VOL_DOWNLOAD', streamArgs(vol, range), signal),
});

export type Volumes = ReturnType<typeof createVolumes>;
