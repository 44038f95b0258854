import { clampToSafe } from './codec.ts';
import type { LibvirtCall } from './connection.ts';

export type NodeInfo = {
  model: string;
  memoryKiB: number;
  cpus: number;
  mhz: number;
  nodes: number;
  sockets: number;
  cores: number;
  threads: number;
};

export type DomainCapabilitiesQuery = {
  emulator: string | null;
  arch: string | null;
  machine: string | null;
  virtType: string | null;
};

export const createNode = (call: LibvirtCall) => ({
  hostname: async (signal: AbortSignal): Promise<string> =>
    (await call('CONNECT_GET_HOSTNAME', {}, signal)).hostname,
  uri: async (signal: AbortSignal): Promise<string> => (await call('CONNECT_GET_URI', {}, signal)).uri,
  /** major * 1,000,000 + minor * 1,000 + release. */
  versions: async (signal: AbortSignal): Promise<{ hypervisor: number; libvirt: number }> => {
    const { hv_ver } = await call('CONNECT_GET_VERSION', {}, signal);
    const { lib_ver } = await call('CONNECT_GET_LIB_VERSION', {}, signal);
    return { hypervisor: clampToSafe(hv_ver), libvirt: clampToSafe(lib_ver) };
  },
  info: async (signal: AbortSignal): Promise<NodeInfo> => {
    const { memory, ...rest } = await call('NODE_GET_INFO', {}, signal);
    return { ...rest, memoryKiB: clampToSafe(memory) };
  },
  freeMemoryBytes: async (signal: AbortSignal): Promise<number> =>
    clampToSafe((await call('NODE_GET_FREE_MEMORY', {}, signal)).freeMem),
  /** KiB by name: total, free, buffers, cached. The first call asks how many there are. */
  memoryStats: async (signal: AbortSignal): Promise<Readonly<Record<string, number>>> => {
    const args = { cellNum: -1, flags: 0 };
    const { nparams } = await call('NODE_GET_MEMORY_STATS', { ...args, nparams: 0 }, signal);
    const { params } = await call('NODE_GET_MEMORY_STATS', { ...args, nparams }, signal);
    return Object.fromEntries(params.map(({ field, value }) => [field, clampToSafe(value)]));
  },
  capabilities: async (signal: AbortSignal): Promise<string> =>
    (await call('CONNECT_GET_CAPABILITIES', {}, signal)).capabilities,
  domainCapabilities: async (query: DomainCapabilitiesQuery, signal: AbortSignal): Promise<string> => {
    const { emulator: emulatorbin, virtType: virttype, arch, machine } = query;
    const args = { emulatorbin, arch, machine, virttype, flags: 0 };
    return (await call('CONNECT_GET_DOMAIN_CAPABILITIES', args, signal)).capabilities;
  },
  /** SMBIOS as XML. */
  sysinfo: async (signal: AbortSignal): Promise<string> =>
    (await call('CONNECT_GET_SYSINFO', { flags: 0 }, signal)).sysinfo,
});

export type Node = ReturnType<typeof createNode>;
