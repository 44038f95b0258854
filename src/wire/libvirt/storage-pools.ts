import { clampToSafe } from './codec.ts';
import type { LibvirtCall } from './connection.ts';
import type { StoragePool, StorageVol } from './protocol.gen.ts';

/** state 0 inactive, 1 building, 2 running, 3 degraded, 4 inaccessible (virStoragePoolState). */
export type StoragePoolInfo = {
  state: number;
  capacityBytes: number;
  allocationBytes: number;
  availableBytes: number;
};

/** Flags of include/libvirt/libvirt-storage.h. */
export const poolFlags = {
  build: { new: 0, overwrite: 4, noOverwrite: 8 },
  create: { withBuild: 1 },
} as const;

export const createStoragePools = (call: LibvirtCall) => ({
  listAll: async (signal: AbortSignal): Promise<readonly StoragePool[]> =>
    (await call('CONNECT_LIST_ALL_STORAGE_POOLS', { need_results: 1, flags: 0 }, signal)).pools,
  byName: async (name: string, signal: AbortSignal): Promise<StoragePool> =>
    (await call('STORAGE_POOL_LOOKUP_BY_NAME', { name }, signal)).pool,
  byUuid: async (uuid: string, signal: AbortSignal): Promise<StoragePool> =>
    (await call('STORAGE_POOL_LOOKUP_BY_UUID', { uuid }, signal)).pool,
  byTargetPath: async (path: string, signal: AbortSignal): Promise<StoragePool> =>
    (await call('STORAGE_POOL_LOOKUP_BY_TARGET_PATH', { path }, signal)).pool,
  defineXml: async (xml: string, signal: AbortSignal): Promise<StoragePool> =>
    (await call('STORAGE_POOL_DEFINE_XML', { xml, flags: 0 }, signal)).pool,
  getXml: async (pool: StoragePool, signal: AbortSignal): Promise<string> =>
    (await call('STORAGE_POOL_GET_XML_DESC', { pool, flags: 0 }, signal)).xml,
  build: (pool: StoragePool, flags: number, signal: AbortSignal) =>
    call('STORAGE_POOL_BUILD', { pool, flags }, signal),
  start: (pool: StoragePool, flags: number, signal: AbortSignal) =>
    call('STORAGE_POOL_CREATE', { pool, flags }, signal),
  /** Stops the pool; its content stays. */
  destroy: (pool: StoragePool, signal: AbortSignal) => call('STORAGE_POOL_DESTROY', { pool }, signal),
  undefine: (pool: StoragePool, signal: AbortSignal) => call('STORAGE_POOL_UNDEFINE', { pool }, signal),
  refresh: (pool: StoragePool, signal: AbortSignal) =>
    call('STORAGE_POOL_REFRESH', { pool, flags: 0 }, signal),
  setAutostart: (pool: StoragePool, autostart: boolean, signal: AbortSignal) =>
    call('STORAGE_POOL_SET_AUTOSTART', { pool, autostart: autostart ? 1 : 0 }, signal),
  isActive: async (pool: StoragePool, signal: AbortSignal): Promise<boolean> =>
    (await call('STORAGE_POOL_IS_ACTIVE', { pool }, signal)).active !== 0,
  getInfo: async (pool: StoragePool, signal: AbortSignal): Promise<StoragePoolInfo> => {
    const info = await call('STORAGE_POOL_GET_INFO', { pool }, signal);
    return {
      state: info.state,
      capacityBytes: clampToSafe(info.capacity),
      allocationBytes: clampToSafe(info.allocation),
      availableBytes: clampToSafe(info.available),
    };
  },
  listVolumes: async (pool: StoragePool, signal: AbortSignal): Promise<readonly StorageVol[]> =>
    (await call('STORAGE_POOL_LIST_ALL_VOLUMES', { pool, need_results: 1, flags: 0 }, signal)).vols,
});

export type StoragePools = ReturnType<typeof createStoragePools>;
