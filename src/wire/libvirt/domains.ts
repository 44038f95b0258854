import type { LibvirtCall } from './connection.ts';
import type { Domain } from './protocol.gen.ts';
import { readTypedParams, type TypedValues } from './typed-params.ts';

/** Flags of include/libvirt/libvirt-domain.h. */
export const domainFlags = {
  xml: { secure: 1, inactive: 2 },
  define: { validate: 1 },
  start: { paused: 1, forceBoot: 16 },
  shutdown: { acpi: 1, agent: 2, initctl: 4, signal: 8, paravirt: 16 },
  destroy: { graceful: 1 },
  undefine: { managedSave: 1, snapshots: 2, nvram: 4, keepNvram: 8, checkpoints: 16, tpm: 32, keepTpm: 64 },
  affect: { current: 0, live: 1, config: 2, force: 4 },
  blockResize: { bytes: 1 },
  stats: { state: 1, cpu: 2, balloon: 4, vcpu: 8, interface: 16, block: 32 },
} as const;

/** virDomainMetadataType. */
export const domainMetadata = { description: 0, title: 1, element: 2 } as const;

/** Domains by their XML, power and devices. Everything throws what a call throws (see LibvirtConnection.call). */
export const createDomains = (call: LibvirtCall) => ({
  listAll: async (signal: AbortSignal): Promise<readonly Domain[]> =>
    (await call('CONNECT_LIST_ALL_DOMAINS', { need_results: 1, flags: 0 }, signal)).domains,
  byUuid: async (uuid: string, signal: AbortSignal): Promise<Domain> =>
    (await call('DOMAIN_LOOKUP_BY_UUID', { uuid }, signal)).dom,
  byName: async (name: string, signal: AbortSignal): Promise<Domain> =>
    (await call('DOMAIN_LOOKUP_BY_NAME', { name }, signal)).dom,
  defineXml: async (xml: string, flags: number, signal: AbortSignal): Promise<Domain> =>
    (await call('DOMAIN_DEFINE_XML_FLAGS', { xml, flags }, signal)).dom,
  getXml: async (dom: Domain, flags: number, signal: AbortSignal): Promise<string> =>
    (await call('DOMAIN_GET_XML_DESC', { dom, flags }, signal)).xml,
  /** Starts a defined domain; the result carries its new id. */
  create: async (dom: Domain, flags: number, signal: AbortSignal): Promise<Domain> =>
    (await call('DOMAIN_CREATE_WITH_FLAGS', { dom, flags }, signal)).dom,
  shutdown: (dom: Domain, flags: number, signal: AbortSignal) =>
    call('DOMAIN_SHUTDOWN_FLAGS', { dom, flags }, signal),
  reboot: (dom: Domain, flags: number, signal: AbortSignal) => call('DOMAIN_REBOOT', { dom, flags }, signal),
  reset: (dom: Domain, signal: AbortSignal) => call('DOMAIN_RESET', { dom, flags: 0 }, signal),
  destroy: (dom: Domain, flags: number, signal: AbortSignal) =>
    call('DOMAIN_DESTROY_FLAGS', { dom, flags }, signal),
  undefine: (dom: Domain, flags: number, signal: AbortSignal) =>
    call('DOMAIN_UNDEFINE_FLAGS', { dom, flags }, signal),
  suspend: (dom: Domain, signal: AbortSignal) => call('DOMAIN_SUSPEND', { dom }, signal),
  resume: (dom: Domain, signal: AbortSignal) => call('DOMAIN_RESUME', { dom }, signal),
  /** virDomainState and its reason: 1 running, 3 paused, 4 shutting down, 5 off, 6 crashed. */
  getState: (dom: Domain, signal: AbortSignal): Promise<{ state: number; reason: number }> =>
    call('DOMAIN_GET_STATE', { dom, flags: 0 }, signal),
  isPersistent: async (dom: Domain, signal: AbortSignal): Promise<boolean> =>
    (await call('DOMAIN_IS_PERSISTENT', { dom }, signal)).persistent !== 0,
  getAutostart: async (dom: Domain, signal: AbortSignal): Promise<boolean> =>
    (await call('DOMAIN_GET_AUTOSTART', { dom }, signal)).autostart !== 0,
  setAutostart: (dom: Domain, autostart: boolean, signal: AbortSignal) =>
    call('DOMAIN_SET_AUTOSTART', { dom, autostart: autostart ? 1 : 0 }, signal),
  attachDevice: (dom: Domain, xml: string, flags: number, signal: AbortSignal) =>
    call('DOMAIN_ATTACH_DEVICE_FLAGS', { dom, xml, flags }, signal),
  detachDevice: (dom: Domain, xml: string, flags: number, signal: AbortSignal) =>
    call('DOMAIN_DETACH_DEVICE_FLAGS', { dom, xml, flags }, signal),
  detachAlias: (dom: Domain, alias: string, flags: number, signal: AbortSignal) =>
    call('DOMAIN_DETACH_DEVICE_ALIAS', { dom, alias, flags }, signal),
  updateDevice: (dom: Domain, xml: string, flags: number, signal: AbortSignal) =>
    call('DOMAIN_UPDATE_DEVICE_FLAGS', { dom, xml, flags }, signal),
  /** `disk` is the target (vda) or the path; the guest sees `bytes` at once. */
  blockResize: (dom: Domain, disk: string, bytes: number, signal: AbortSignal) => {
    const flags = domainFlags.blockResize.bytes;
    return call('DOMAIN_BLOCK_RESIZE', { dom, disk, size: BigInt(bytes), flags }, signal);
  },
  /** Our element in the domain's <metadata>; null removes it. `xml` is bare: libvirt adds prefix and namespace itself. */
  setMetadata: (
    dom: Domain,
    element: { xml: string | null; prefix: string; namespace: string },
    flags: number,
    signal: AbortSignal,
  ) => {
    const { xml: metadata, prefix: key, namespace: uri } = element;
    return call(
      'DOMAIN_SET_METADATA',
      { dom, type: domainMetadata.element, metadata, key, uri, flags },
      signal,
    );
  },
  /** Throws LibvirtError 80 (no such metadata) when it is not there. */
  getMetadata: async (dom: Domain, uri: string, flags: number, signal: AbortSignal): Promise<string> =>
    (await call('DOMAIN_GET_METADATA', { dom, type: domainMetadata.element, uri, flags }, signal)).metadata,
  setVcpus: (dom: Domain, nvcpus: number, flags: number, signal: AbortSignal) =>
    call('DOMAIN_SET_VCPUS_FLAGS', { dom, nvcpus, flags }, signal),
  setMemory: (dom: Domain, kib: number, flags: number, signal: AbortSignal) =>
    call('DOMAIN_SET_MEMORY_FLAGS', { dom, memory: BigInt(kib), flags }, signal),
  /** Every domain in one call; `stats` is a sum of domainFlags.stats. */
  getAllStats: async (
    stats: number,
    signal: AbortSignal,
  ): Promise<{ domain: Domain; values: TypedValues }[]> => {
    const { retStats } = await call('CONNECT_GET_ALL_DOMAIN_STATS', { doms: [], stats, flags: 0 }, signal);
    return retStats.map(({ dom, params }) => ({ domain: dom, values: readTypedParams(params) }));
  },
});

export type Domains = ReturnType<typeof createDomains>;
