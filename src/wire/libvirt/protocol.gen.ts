/**
 * Written by hack/generate/libvirt/main.ts from the protocol description of libvirt 9.0.0
 * (remote_protocol.x, qemu_protocol.x): names, numbers and shapes of the wire. Do not edit.
 *
 * Descriptor of a struct: `name:type` for each field, in order. i int, u unsigned, c char, C unsigned char,
 * w unsigned short (four bytes each), h hyper, H unsigned hyper, d double, s string, U UUID, o opaque bytes,
 * P typed parameter's value, @Name struct, ?x nullable, [max]x counted array, (n)c vector of n chars.
 */

export type Nothing = { readonly [name: string]: never };
export type TypedParamValue =
  | { type: 1; value: number } | { type: 2; value: number } | { type: 3; value: bigint }
  | { type: 4; value: bigint } | { type: 5; value: number } | { type: 6; value: number }
  | { type: 7; value: string };
export type Domain = { name: string; uuid: string; id: number };
export type Network = { name: string; uuid: string };
export type NetworkPort = { net: Network; uuid: string };
export type Nwfilter = { name: string; uuid: string };
export type NwfilterBinding = { portdev: string; filtername: string };
export type Interface = { name: string; mac: string };
export type StoragePool = { name: string; uuid: string };
export type StorageVol = { pool: string; name: string; key: string };
export type NodeDevice = { name: string };
export type Secret = { uuid: string; usageType: number; usageID: string };
export type DomainCheckpoint = { name: string; dom: Domain };
export type DomainSnapshot = { name: string; dom: Domain };
export type RemoteError = { code: number; domain: number; message: string | null; level: number; dom: Domain | null; str1: string | null; str2: string | null; str3: string | null; int1: number; int2: number; net: Network | null };
export type VcpuInfo = { number: number; state: number; cpu_time: bigint; cpu: number };
export type TypedParam = { field: string; value: TypedParamValue };
export type NodeGetCpuStats = { field: string; value: bigint };
export type NodeGetMemoryStats = { field: string; value: bigint };
export type DomainDiskError = { disk: string; error: number };
export type DomainMemoryStat = { tag: number; val: bigint };
export type DomainIothreadInfo = { iothread_id: number; cpumap: Uint8Array };
export type DomainGetSecurityLabelRet = { label: Uint8Array; enforcing: number };
export type DomainEventLifecycleMsg = { dom: Domain; event: number; detail: number };
export type DomainEventRebootMsg = { dom: Domain };
export type DomainEventRtcChangeMsg = { dom: Domain; offset: bigint };
export type DomainEventWatchdogMsg = { dom: Domain; action: number };
export type DomainEventIoErrorMsg = { dom: Domain; srcPath: string; devAlias: string; action: number };
export type DomainEventIoErrorReasonMsg = { dom: Domain; srcPath: string; devAlias: string; action: number; reason: string };
export type DomainEventGraphicsAddress = { family: number; node: string; service: string };
export type DomainEventGraphicsIdentity = { type: string; name: string };
export type DomainEventGraphicsMsg = { dom: Domain; phase: number; local: DomainEventGraphicsAddress; remote: DomainEventGraphicsAddress; authScheme: string; subject: readonly DomainEventGraphicsIdentity[] };
export type DomainEventBlockJobMsg = { dom: Domain; path: string; type: number; status: number };
export type DomainEventDiskChangeMsg = { dom: Domain; oldSrcPath: string | null; newSrcPath: string | null; devAlias: string; reason: number };
export type DomainEventTrayChangeMsg = { dom: Domain; devAlias: string; reason: number };
export type DomainEventPmwakeupMsg = { dom: Domain };
export type DomainEventPmsuspendMsg = { dom: Domain };
export type DomainEventBalloonChangeMsg = { dom: Domain; actual: bigint };
export type DomainEventPmsuspendDiskMsg = { dom: Domain };
export type DomainEventControlErrorMsg = { dom: Domain };
export type DomainEventDeviceRemovedMsg = { dom: Domain; devAlias: string };
export type NetworkDhcpLease = { iface: string; expirytime: bigint; type: number; mac: string | null; iaid: string | null; ipaddr: string; prefix: number; hostname: string | null; clientid: string | null };
export type DomainStatsRecord = { dom: Domain; params: readonly TypedParam[] };
export type DomainFsinfo = { mountpoint: string; name: string; fstype: string; dev_aliases: readonly string[] };
export type DomainIpAddr = { type: number; addr: string; prefix: number };
export type DomainInterface = { name: string; hwaddr: string | null; addrs: readonly DomainIpAddr[] };

export type Procedures = {
  CONNECT_OPEN: { args: { name: string | null; flags: number }; ret: Nothing };
  CONNECT_CLOSE: { args: Nothing; ret: Nothing };
  CONNECT_GET_TYPE: { args: Nothing; ret: { type: string } };
  CONNECT_GET_VERSION: { args: Nothing; ret: { hv_ver: bigint } };
  CONNECT_GET_MAX_VCPUS: { args: { type: string | null }; ret: { max_vcpus: number } };
  NODE_GET_INFO: { args: Nothing; ret: { model: string; memory: bigint; cpus: number; mhz: number; nodes: number; sockets: number; cores: number; threads: number } };
  CONNECT_GET_CAPABILITIES: { args: Nothing; ret: { capabilities: string } };
  DOMAIN_ATTACH_DEVICE: { args: { dom: Domain; xml: string }; ret: Nothing };
  DOMAIN_CREATE: { args: { dom: Domain }; ret: Nothing };
  DOMAIN_CREATE_XML: { args: { xml_desc: string; flags: number }; ret: { dom: Domain } };
  DOMAIN_DEFINE_XML: { args: { xml: string }; ret: { dom: Domain } };
  DOMAIN_DESTROY: { args: { dom: Domain }; ret: Nothing };
  DOMAIN_DETACH_DEVICE: { args: { dom: Domain; xml: string }; ret: Nothing };
  DOMAIN_GET_XML_DESC: { args: { dom: Domain; flags: number }; ret: { xml: string } };
  DOMAIN_GET_AUTOSTART: { args: { dom: Domain }; ret: { autostart: number } };
  DOMAIN_GET_INFO: { args: { dom: Domain }; ret: { state: number; maxMem: bigint; memory: bigint; nrVirtCpu: number; cpuTime: bigint } };
  DOMAIN_GET_MAX_MEMORY: { args: { dom: Domain }; ret: { memory: bigint } };
  DOMAIN_GET_MAX_VCPUS: { args: { dom: Domain }; ret: { num: number } };
  DOMAIN_GET_OS_TYPE: { args: { dom: Domain }; ret: { type: string } };
  DOMAIN_GET_VCPUS: { args: { dom: Domain; maxinfo: number; maplen: number }; ret: { info: readonly VcpuInfo[]; cpumaps: Uint8Array } };
  CONNECT_LIST_DEFINED_DOMAINS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  DOMAIN_LOOKUP_BY_ID: { args: { id: number }; ret: { dom: Domain } };
  DOMAIN_LOOKUP_BY_NAME: { args: { name: string }; ret: { dom: Domain } };
  DOMAIN_LOOKUP_BY_UUID: { args: { uuid: string }; ret: { dom: Domain } };
  CONNECT_NUM_OF_DEFINED_DOMAINS: { args: Nothing; ret: { num: number } };
  DOMAIN_PIN_VCPU: { args: { dom: Domain; vcpu: number; cpumap: Uint8Array }; ret: Nothing };
  DOMAIN_REBOOT: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_RESUME: { args: { dom: Domain }; ret: Nothing };
  DOMAIN_SET_AUTOSTART: { args: { dom: Domain; autostart: number }; ret: Nothing };
  DOMAIN_SET_MAX_MEMORY: { args: { dom: Domain; memory: bigint }; ret: Nothing };
  DOMAIN_SET_MEMORY: { args: { dom: Domain; memory: bigint }; ret: Nothing };
  DOMAIN_SET_VCPUS: { args: { dom: Domain; nvcpus: number }; ret: Nothing };
  DOMAIN_SHUTDOWN: { args: { dom: Domain }; ret: Nothing };
  DOMAIN_SUSPEND: { args: { dom: Domain }; ret: Nothing };
  DOMAIN_UNDEFINE: { args: { dom: Domain }; ret: Nothing };
  CONNECT_LIST_DEFINED_NETWORKS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  CONNECT_LIST_DOMAINS: { args: { maxids: number }; ret: { ids: readonly number[] } };
  CONNECT_LIST_NETWORKS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  NETWORK_CREATE: { args: { net: Network }; ret: Nothing };
  NETWORK_CREATE_XML: { args: { xml: string }; ret: { net: Network } };
  NETWORK_DEFINE_XML: { args: { xml: string }; ret: { net: Network } };
  NETWORK_DESTROY: { args: { net: Network }; ret: Nothing };
  NETWORK_GET_XML_DESC: { args: { net: Network; flags: number }; ret: { xml: string } };
  NETWORK_GET_AUTOSTART: { args: { net: Network }; ret: { autostart: number } };
  NETWORK_GET_BRIDGE_NAME: { args: { net: Network }; ret: { name: string } };
  NETWORK_LOOKUP_BY_NAME: { args: { name: string }; ret: { net: Network } };
  NETWORK_LOOKUP_BY_UUID: { args: { uuid: string }; ret: { net: Network } };
  NETWORK_SET_AUTOSTART: { args: { net: Network; autostart: number }; ret: Nothing };
  NETWORK_UNDEFINE: { args: { net: Network }; ret: Nothing };
  CONNECT_NUM_OF_DEFINED_NETWORKS: { args: Nothing; ret: { num: number } };
  CONNECT_NUM_OF_DOMAINS: { args: Nothing; ret: { num: number } };
  CONNECT_NUM_OF_NETWORKS: { args: Nothing; ret: { num: number } };
  DOMAIN_CORE_DUMP: { args: { dom: Domain; to: string; flags: number }; ret: Nothing };
  DOMAIN_RESTORE: { args: { from: string }; ret: Nothing };
  DOMAIN_SAVE: { args: { dom: Domain; to: string }; ret: Nothing };
  DOMAIN_GET_SCHEDULER_TYPE: { args: { dom: Domain }; ret: { type: string; nparams: number } };
  DOMAIN_GET_SCHEDULER_PARAMETERS: { args: { dom: Domain; nparams: number }; ret: { params: readonly TypedParam[] } };
  DOMAIN_SET_SCHEDULER_PARAMETERS: { args: { dom: Domain; params: readonly TypedParam[] }; ret: Nothing };
  CONNECT_GET_HOSTNAME: { args: Nothing; ret: { hostname: string } };
  CONNECT_SUPPORTS_FEATURE: { args: { feature: number }; ret: { supported: number } };
  DOMAIN_MIGRATE_PREPARE: { args: { uri_in: string | null; flags: bigint; dname: string | null; resource: bigint }; ret: { cookie: Uint8Array; uri_out: string | null } };
  DOMAIN_MIGRATE_PERFORM: { args: { dom: Domain; cookie: Uint8Array; uri: string; flags: bigint; dname: string | null; resource: bigint }; ret: Nothing };
  DOMAIN_MIGRATE_FINISH: { args: { dname: string; cookie: Uint8Array; uri: string; flags: bigint }; ret: { ddom: Domain } };
  DOMAIN_BLOCK_STATS: { args: { dom: Domain; path: string }; ret: { rd_req: bigint; rd_bytes: bigint; wr_req: bigint; wr_bytes: bigint; errs: bigint } };
  DOMAIN_INTERFACE_STATS: { args: { dom: Domain; device: string }; ret: { rx_bytes: bigint; rx_packets: bigint; rx_errs: bigint; rx_drop: bigint; tx_bytes: bigint; tx_packets: bigint; tx_errs: bigint; tx_drop: bigint } };
  AUTH_LIST: { args: Nothing; ret: { types: readonly number[] } };
  AUTH_SASL_INIT: { args: Nothing; ret: { mechlist: string } };
  AUTH_SASL_START: { args: { mech: string; nil: number; data: Uint8Array }; ret: { complete: number; nil: number; data: Uint8Array } };
  AUTH_SASL_STEP: { args: { nil: number; data: Uint8Array }; ret: { complete: number; nil: number; data: Uint8Array } };
  AUTH_POLKIT: { args: Nothing; ret: { complete: number } };
  CONNECT_NUM_OF_STORAGE_POOLS: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_STORAGE_POOLS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  CONNECT_NUM_OF_DEFINED_STORAGE_POOLS: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_DEFINED_STORAGE_POOLS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  CONNECT_FIND_STORAGE_POOL_SOURCES: { args: { type: string; srcSpec: string | null; flags: number }; ret: { xml: string } };
  STORAGE_POOL_CREATE_XML: { args: { xml: string; flags: number }; ret: { pool: StoragePool } };
  STORAGE_POOL_DEFINE_XML: { args: { xml: string; flags: number }; ret: { pool: StoragePool } };
  STORAGE_POOL_CREATE: { args: { pool: StoragePool; flags: number }; ret: Nothing };
  STORAGE_POOL_BUILD: { args: { pool: StoragePool; flags: number }; ret: Nothing };
  STORAGE_POOL_DESTROY: { args: { pool: StoragePool }; ret: Nothing };
  STORAGE_POOL_DELETE: { args: { pool: StoragePool; flags: number }; ret: Nothing };
  STORAGE_POOL_UNDEFINE: { args: { pool: StoragePool }; ret: Nothing };
  STORAGE_POOL_REFRESH: { args: { pool: StoragePool; flags: number }; ret: Nothing };
  STORAGE_POOL_LOOKUP_BY_NAME: { args: { name: string }; ret: { pool: StoragePool } };
  STORAGE_POOL_LOOKUP_BY_UUID: { args: { uuid: string }; ret: { pool: StoragePool } };
  STORAGE_POOL_LOOKUP_BY_VOLUME: { args: { vol: StorageVol }; ret: { pool: StoragePool } };
  STORAGE_POOL_GET_INFO: { args: { pool: StoragePool }; ret: { state: number; capacity: bigint; allocation: bigint; available: bigint } };
  STORAGE_POOL_GET_XML_DESC: { args: { pool: StoragePool; flags: number }; ret: { xml: string } };
  STORAGE_POOL_GET_AUTOSTART: { args: { pool: StoragePool }; ret: { autostart: number } };
  STORAGE_POOL_SET_AUTOSTART: { args: { pool: StoragePool; autostart: number }; ret: Nothing };
  STORAGE_POOL_NUM_OF_VOLUMES: { args: { pool: StoragePool }; ret: { num: number } };
  STORAGE_POOL_LIST_VOLUMES: { args: { pool: StoragePool; maxnames: number }; ret: { names: readonly string[] } };
  STORAGE_VOL_CREATE_XML: { args: { pool: StoragePool; xml: string; flags: number }; ret: { vol: StorageVol } };
  STORAGE_VOL_DELETE: { args: { vol: StorageVol; flags: number }; ret: Nothing };
  STORAGE_VOL_LOOKUP_BY_NAME: { args: { pool: StoragePool; name: string }; ret: { vol: StorageVol } };
  STORAGE_VOL_LOOKUP_BY_KEY: { args: { key: string }; ret: { vol: StorageVol } };
  STORAGE_VOL_LOOKUP_BY_PATH: { args: { path: string }; ret: { vol: StorageVol } };
  STORAGE_VOL_GET_INFO: { args: { vol: StorageVol }; ret: { type: number; capacity: bigint; allocation: bigint } };
  STORAGE_VOL_GET_XML_DESC: { args: { vol: StorageVol; flags: number }; ret: { xml: string } };
  STORAGE_VOL_GET_PATH: { args: { vol: StorageVol }; ret: { name: string } };
  NODE_GET_CELLS_FREE_MEMORY: { args: { startCell: number; maxcells: number }; ret: { cells: readonly bigint[] } };
  NODE_GET_FREE_MEMORY: { args: Nothing; ret: { freeMem: bigint } };
  DOMAIN_BLOCK_PEEK: { args: { dom: Domain; path: string; offset: bigint; size: number; flags: number }; ret: { buffer: Uint8Array } };
  DOMAIN_MEMORY_PEEK: { args: { dom: Domain; offset: bigint; size: number; flags: number }; ret: { buffer: Uint8Array } };
  CONNECT_DOMAIN_EVENT_REGISTER: { args: Nothing; ret: { cb_registered: number } };
  CONNECT_DOMAIN_EVENT_DEREGISTER: { args: Nothing; ret: { cb_registered: number } };
  DOMAIN_MIGRATE_PREPARE2: { args: { uri_in: string | null; flags: bigint; dname: string | null; resource: bigint; dom_xml: string }; ret: { cookie: Uint8Array; uri_out: string | null } };
  DOMAIN_MIGRATE_FINISH2: { args: { dname: string; cookie: Uint8Array; uri: string; flags: bigint; retcode: number }; ret: { ddom: Domain } };
  CONNECT_GET_URI: { args: Nothing; ret: { uri: string } };
  NODE_NUM_OF_DEVICES: { args: { cap: string | null; flags: number }; ret: { num: number } };
  NODE_LIST_DEVICES: { args: { cap: string | null; maxnames: number; flags: number }; ret: { names: readonly string[] } };
  NODE_DEVICE_LOOKUP_BY_NAME: { args: { name: string }; ret: { dev: NodeDevice } };
  NODE_DEVICE_GET_XML_DESC: { args: { name: string; flags: number }; ret: { xml: string } };
  NODE_DEVICE_GET_PARENT: { args: { name: string }; ret: { parentName: string | null } };
  NODE_DEVICE_NUM_OF_CAPS: { args: { name: string }; ret: { num: number } };
  NODE_DEVICE_LIST_CAPS: { args: { name: string; maxnames: number }; ret: { names: readonly string[] } };
  NODE_DEVICE_DETTACH: { args: { name: string }; ret: Nothing };
  NODE_DEVICE_RE_ATTACH: { args: { name: string }; ret: Nothing };
  NODE_DEVICE_RESET: { args: { name: string }; ret: Nothing };
  DOMAIN_GET_SECURITY_LABEL: { args: { dom: Domain }; ret: { label: Uint8Array; enforcing: number } };
  NODE_GET_SECURITY_MODEL: { args: Nothing; ret: { model: Uint8Array; doi: Uint8Array } };
  NODE_DEVICE_CREATE_XML: { args: { xml_desc: string; flags: number }; ret: { dev: NodeDevice } };
  NODE_DEVICE_DESTROY: { args: { name: string }; ret: Nothing };
  STORAGE_VOL_CREATE_XML_FROM: { args: { pool: StoragePool; xml: string; clonevol: StorageVol; flags: number }; ret: { vol: StorageVol } };
  CONNECT_NUM_OF_INTERFACES: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_INTERFACES: { args: { maxnames: number }; ret: { names: readonly string[] } };
  INTERFACE_LOOKUP_BY_NAME: { args: { name: string }; ret: { iface: Interface } };
  INTERFACE_LOOKUP_BY_MAC_STRING: { args: { mac: string }; ret: { iface: Interface } };
  INTERFACE_GET_XML_DESC: { args: { iface: Interface; flags: number }; ret: { xml: string } };
  INTERFACE_DEFINE_XML: { args: { xml: string; flags: number }; ret: { iface: Interface } };
  INTERFACE_UNDEFINE: { args: { iface: Interface }; ret: Nothing };
  INTERFACE_CREATE: { args: { iface: Interface; flags: number }; ret: Nothing };
  INTERFACE_DESTROY: { args: { iface: Interface; flags: number }; ret: Nothing };
  CONNECT_DOMAIN_XML_FROM_NATIVE: { args: { nativeFormat: string; nativeConfig: string; flags: number }; ret: { domainXml: string } };
  CONNECT_DOMAIN_XML_TO_NATIVE: { args: { nativeFormat: string; domainXml: string; flags: number }; ret: { nativeConfig: string } };
  CONNECT_NUM_OF_DEFINED_INTERFACES: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_DEFINED_INTERFACES: { args: { maxnames: number }; ret: { names: readonly string[] } };
  CONNECT_NUM_OF_SECRETS: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_SECRETS: { args: { maxuuids: number }; ret: { uuids: readonly string[] } };
  SECRET_LOOKUP_BY_UUID: { args: { uuid: string }; ret: { secret: Secret } };
  SECRET_DEFINE_XML: { args: { xml: string; flags: number }; ret: { secret: Secret } };
  SECRET_GET_XML_DESC: { args: { secret: Secret; flags: number }; ret: { xml: string } };
  SECRET_SET_VALUE: { args: { secret: Secret; value: Uint8Array; flags: number }; ret: Nothing };
  SECRET_GET_VALUE: { args: { secret: Secret; flags: number }; ret: { value: Uint8Array } };
  SECRET_UNDEFINE: { args: { secret: Secret }; ret: Nothing };
  SECRET_LOOKUP_BY_USAGE: { args: { usageType: number; usageID: string }; ret: { secret: Secret } };
  DOMAIN_MIGRATE_PREPARE_TUNNEL: { args: { flags: bigint; dname: string | null; resource: bigint; dom_xml: string }; ret: Nothing };
  CONNECT_IS_SECURE: { args: Nothing; ret: { secure: number } };
  DOMAIN_IS_ACTIVE: { args: { dom: Domain }; ret: { active: number } };
  DOMAIN_IS_PERSISTENT: { args: { dom: Domain }; ret: { persistent: number } };
  NETWORK_IS_ACTIVE: { args: { net: Network }; ret: { active: number } };
  NETWORK_IS_PERSISTENT: { args: { net: Network }; ret: { persistent: number } };
  STORAGE_POOL_IS_ACTIVE: { args: { pool: StoragePool }; ret: { active: number } };
  STORAGE_POOL_IS_PERSISTENT: { args: { pool: StoragePool }; ret: { persistent: number } };
  INTERFACE_IS_ACTIVE: { args: { iface: Interface }; ret: { active: number } };
  CONNECT_GET_LIB_VERSION: { args: Nothing; ret: { lib_ver: bigint } };
  CONNECT_COMPARE_CPU: { args: { xml: string; flags: number }; ret: { result: number } };
  DOMAIN_MEMORY_STATS: { args: { dom: Domain; maxStats: number; flags: number }; ret: { stats: readonly DomainMemoryStat[] } };
  DOMAIN_ATTACH_DEVICE_FLAGS: { args: { dom: Domain; xml: string; flags: number }; ret: Nothing };
  DOMAIN_DETACH_DEVICE_FLAGS: { args: { dom: Domain; xml: string; flags: number }; ret: Nothing };
  CONNECT_BASELINE_CPU: { args: { xmlCPUs: readonly string[]; flags: number }; ret: { cpu: string } };
  DOMAIN_GET_JOB_INFO: { args: { dom: Domain }; ret: { type: number; timeElapsed: bigint; timeRemaining: bigint; dataTotal: bigint; dataProcessed: bigint; dataRemaining: bigint; memTotal: bigint; memProcessed: bigint; memRemaining: bigint; fileTotal: bigint; fileProcessed: bigint; fileRemaining: bigint } };
  DOMAIN_ABORT_JOB: { args: { dom: Domain }; ret: Nothing };
  STORAGE_VOL_WIPE: { args: { vol: StorageVol; flags: number }; ret: Nothing };
  DOMAIN_MIGRATE_SET_MAX_DOWNTIME: { args: { dom: Domain; downtime: bigint; flags: number }; ret: Nothing };
  CONNECT_DOMAIN_EVENT_REGISTER_ANY: { args: { eventID: number }; ret: Nothing };
  CONNECT_DOMAIN_EVENT_DEREGISTER_ANY: { args: { eventID: number }; ret: Nothing };
  DOMAIN_UPDATE_DEVICE_FLAGS: { args: { dom: Domain; xml: string; flags: number }; ret: Nothing };
  NWFILTER_LOOKUP_BY_NAME: { args: { name: string }; ret: { nwfilter: Nwfilter } };
  NWFILTER_LOOKUP_BY_UUID: { args: { uuid: string }; ret: { nwfilter: Nwfilter } };
  NWFILTER_GET_XML_DESC: { args: { nwfilter: Nwfilter; flags: number }; ret: { xml: string } };
  CONNECT_NUM_OF_NWFILTERS: { args: Nothing; ret: { num: number } };
  CONNECT_LIST_NWFILTERS: { args: { maxnames: number }; ret: { names: readonly string[] } };
  NWFILTER_DEFINE_XML: { args: { xml: string }; ret: { nwfilter: Nwfilter } };
  NWFILTER_UNDEFINE: { args: { nwfilter: Nwfilter }; ret: Nothing };
  DOMAIN_MANAGED_SAVE: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: { args: { dom: Domain; flags: number }; ret: { result: number } };
  DOMAIN_MANAGED_SAVE_REMOVE: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SNAPSHOT_CREATE_XML: { args: { dom: Domain; xml_desc: string; flags: number }; ret: { snap: DomainSnapshot } };
  DOMAIN_SNAPSHOT_GET_XML_DESC: { args: { snap: DomainSnapshot; flags: number }; ret: { xml: string } };
  DOMAIN_SNAPSHOT_NUM: { args: { dom: Domain; flags: number }; ret: { num: number } };
  DOMAIN_SNAPSHOT_LIST_NAMES: { args: { dom: Domain; maxnames: number; flags: number }; ret: { names: readonly string[] } };
  DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: { args: { dom: Domain; name: string; flags: number }; ret: { snap: DomainSnapshot } };
  DOMAIN_HAS_CURRENT_SNAPSHOT: { args: { dom: Domain; flags: number }; ret: { result: number } };
  DOMAIN_SNAPSHOT_CURRENT: { args: { dom: Domain; flags: number }; ret: { snap: DomainSnapshot } };
  DOMAIN_REVERT_TO_SNAPSHOT: { args: { snap: DomainSnapshot; flags: number }; ret: Nothing };
  DOMAIN_SNAPSHOT_DELETE: { args: { snap: DomainSnapshot; flags: number }; ret: Nothing };
  DOMAIN_GET_BLOCK_INFO: { args: { dom: Domain; path: string; flags: number }; ret: { allocation: bigint; capacity: bigint; physical: bigint } };
  DOMAIN_CREATE_WITH_FLAGS: { args: { dom: Domain; flags: number }; ret: { dom: Domain } };
  DOMAIN_SET_MEMORY_PARAMETERS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_GET_MEMORY_PARAMETERS: { args: { dom: Domain; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_SET_VCPUS_FLAGS: { args: { dom: Domain; nvcpus: number; flags: number }; ret: Nothing };
  DOMAIN_GET_VCPUS_FLAGS: { args: { dom: Domain; flags: number }; ret: { num: number } };
  DOMAIN_OPEN_CONSOLE: { args: { dom: Domain; dev_name: string | null; flags: number }; ret: Nothing };
  DOMAIN_IS_UPDATED: { args: { dom: Domain }; ret: { updated: number } };
  CONNECT_GET_SYSINFO: { args: { flags: number }; ret: { sysinfo: string } };
  DOMAIN_SET_MEMORY_FLAGS: { args: { dom: Domain; memory: bigint; flags: number }; ret: Nothing };
  DOMAIN_SET_BLKIO_PARAMETERS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_GET_BLKIO_PARAMETERS: { args: { dom: Domain; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_MIGRATE_SET_MAX_SPEED: { args: { dom: Domain; bandwidth: bigint; flags: number }; ret: Nothing };
  STORAGE_VOL_UPLOAD: { args: { vol: StorageVol; offset: bigint; length: bigint; flags: number }; ret: Nothing };
  STORAGE_VOL_DOWNLOAD: { args: { vol: StorageVol; offset: bigint; length: bigint; flags: number }; ret: Nothing };
  DOMAIN_INJECT_NMI: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SCREENSHOT: { args: { dom: Domain; screen: number; flags: number }; ret: { mime: string | null } };
  DOMAIN_GET_STATE: { args: { dom: Domain; flags: number }; ret: { state: number; reason: number } };
  DOMAIN_MIGRATE_BEGIN3: { args: { dom: Domain; xmlin: string | null; flags: bigint; dname: string | null; resource: bigint }; ret: { cookie_out: Uint8Array; xml: string } };
  DOMAIN_MIGRATE_PREPARE3: { args: { cookie_in: Uint8Array; uri_in: string | null; flags: bigint; dname: string | null; resource: bigint; dom_xml: string }; ret: { cookie_out: Uint8Array; uri_out: string | null } };
  DOMAIN_MIGRATE_PREPARE_TUNNEL3: { args: { cookie_in: Uint8Array; flags: bigint; dname: string | null; resource: bigint; dom_xml: string }; ret: { cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_PERFORM3: { args: { dom: Domain; xmlin: string | null; cookie_in: Uint8Array; dconnuri: string | null; uri: string | null; flags: bigint; dname: string | null; resource: bigint }; ret: { cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_FINISH3: { args: { dname: string; cookie_in: Uint8Array; dconnuri: string | null; uri: string | null; flags: bigint; cancelled: number }; ret: { dom: Domain; cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_CONFIRM3: { args: { dom: Domain; cookie_in: Uint8Array; flags: bigint; cancelled: number }; ret: Nothing };
  DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  INTERFACE_CHANGE_BEGIN: { args: { flags: number }; ret: Nothing };
  INTERFACE_CHANGE_COMMIT: { args: { flags: number }; ret: Nothing };
  INTERFACE_CHANGE_ROLLBACK: { args: { flags: number }; ret: Nothing };
  DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: { args: { dom: Domain; nparams: number; flags: number }; ret: { params: readonly TypedParam[] } };
  DOMAIN_PIN_VCPU_FLAGS: { args: { dom: Domain; vcpu: number; cpumap: Uint8Array; flags: number }; ret: Nothing };
  DOMAIN_SEND_KEY: { args: { dom: Domain; codeset: number; holdtime: number; keycodes: readonly number[]; flags: number }; ret: Nothing };
  NODE_GET_CPU_STATS: { args: { cpuNum: number; nparams: number; flags: number }; ret: { params: readonly NodeGetCpuStats[]; nparams: number } };
  NODE_GET_MEMORY_STATS: { args: { nparams: number; cellNum: number; flags: number }; ret: { params: readonly NodeGetMemoryStats[]; nparams: number } };
  DOMAIN_GET_CONTROL_INFO: { args: { dom: Domain; flags: number }; ret: { state: number; details: number; stateTime: bigint } };
  DOMAIN_GET_VCPU_PIN_INFO: { args: { dom: Domain; ncpumaps: number; maplen: number; flags: number }; ret: { cpumaps: Uint8Array; num: number } };
  DOMAIN_UNDEFINE_FLAGS: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SAVE_FLAGS: { args: { dom: Domain; to: string; dxml: string | null; flags: number }; ret: Nothing };
  DOMAIN_RESTORE_FLAGS: { args: { from: string; dxml: string | null; flags: number }; ret: Nothing };
  DOMAIN_DESTROY_FLAGS: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SAVE_IMAGE_GET_XML_DESC: { args: { file: string; flags: number }; ret: { xml: string } };
  DOMAIN_SAVE_IMAGE_DEFINE_XML: { args: { file: string; dxml: string; flags: number }; ret: Nothing };
  DOMAIN_BLOCK_JOB_ABORT: { args: { dom: Domain; path: string; flags: number }; ret: Nothing };
  DOMAIN_GET_BLOCK_JOB_INFO: { args: { dom: Domain; path: string; flags: number }; ret: { found: number; type: number; bandwidth: bigint; cur: bigint; end: bigint } };
  DOMAIN_BLOCK_JOB_SET_SPEED: { args: { dom: Domain; path: string; bandwidth: bigint; flags: number }; ret: Nothing };
  DOMAIN_BLOCK_PULL: { args: { dom: Domain; path: string; bandwidth: bigint; flags: number }; ret: Nothing };
  DOMAIN_MIGRATE_GET_MAX_SPEED: { args: { dom: Domain; flags: number }; ret: { bandwidth: bigint } };
  DOMAIN_BLOCK_STATS_FLAGS: { args: { dom: Domain; path: string; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_SNAPSHOT_GET_PARENT: { args: { snap: DomainSnapshot; flags: number }; ret: { snap: DomainSnapshot } };
  DOMAIN_RESET: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SNAPSHOT_NUM_CHILDREN: { args: { snap: DomainSnapshot; flags: number }; ret: { num: number } };
  DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES: { args: { snap: DomainSnapshot; maxnames: number; flags: number }; ret: { names: readonly string[] } };
  DOMAIN_OPEN_GRAPHICS: { args: { dom: Domain; idx: number; flags: number }; ret: Nothing };
  NODE_SUSPEND_FOR_DURATION: { args: { target: number; duration: bigint; flags: number }; ret: Nothing };
  DOMAIN_BLOCK_RESIZE: { args: { dom: Domain; disk: string; size: bigint; flags: number }; ret: Nothing };
  DOMAIN_SET_BLOCK_IO_TUNE: { args: { dom: Domain; disk: string; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_GET_BLOCK_IO_TUNE: { args: { dom: Domain; disk: string | null; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_SET_NUMA_PARAMETERS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_GET_NUMA_PARAMETERS: { args: { dom: Domain; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_SET_INTERFACE_PARAMETERS: { args: { dom: Domain; device: string; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_GET_INTERFACE_PARAMETERS: { args: { dom: Domain; device: string; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_SHUTDOWN_FLAGS: { args: { dom: Domain; flags: number }; ret: Nothing };
  STORAGE_VOL_WIPE_PATTERN: { args: { vol: StorageVol; algorithm: number; flags: number }; ret: Nothing };
  STORAGE_VOL_RESIZE: { args: { vol: StorageVol; capacity: bigint; flags: number }; ret: Nothing };
  DOMAIN_PM_SUSPEND_FOR_DURATION: { args: { dom: Domain; target: number; duration: bigint; flags: number }; ret: Nothing };
  DOMAIN_GET_CPU_STATS: { args: { dom: Domain; nparams: number; start_cpu: number; ncpus: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_GET_DISK_ERRORS: { args: { dom: Domain; maxerrors: number; flags: number }; ret: { errors: readonly DomainDiskError[]; nerrors: number } };
  DOMAIN_SET_METADATA: { args: { dom: Domain; type: number; metadata: string | null; key: string | null; uri: string | null; flags: number }; ret: Nothing };
  DOMAIN_GET_METADATA: { args: { dom: Domain; type: number; uri: string | null; flags: number }; ret: { metadata: string } };
  DOMAIN_BLOCK_REBASE: { args: { dom: Domain; path: string; base: string | null; bandwidth: bigint; flags: number }; ret: Nothing };
  DOMAIN_PM_WAKEUP: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_SNAPSHOT_IS_CURRENT: { args: { snap: DomainSnapshot; flags: number }; ret: { current: number } };
  DOMAIN_SNAPSHOT_HAS_METADATA: { args: { snap: DomainSnapshot; flags: number }; ret: { metadata: number } };
  CONNECT_LIST_ALL_DOMAINS: { args: { need_results: number; flags: number }; ret: { domains: readonly Domain[]; ret: number } };
  DOMAIN_LIST_ALL_SNAPSHOTS: { args: { dom: Domain; need_results: number; flags: number }; ret: { snapshots: readonly DomainSnapshot[]; ret: number } };
  DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN: { args: { snapshot: DomainSnapshot; need_results: number; flags: number }; ret: { snapshots: readonly DomainSnapshot[]; ret: number } };
  DOMAIN_GET_HOSTNAME: { args: { dom: Domain; flags: number }; ret: { hostname: string } };
  DOMAIN_GET_SECURITY_LABEL_LIST: { args: { dom: Domain }; ret: { labels: readonly DomainGetSecurityLabelRet[]; ret: number } };
  DOMAIN_PIN_EMULATOR: { args: { dom: Domain; cpumap: Uint8Array; flags: number }; ret: Nothing };
  DOMAIN_GET_EMULATOR_PIN_INFO: { args: { dom: Domain; maplen: number; flags: number }; ret: { cpumaps: Uint8Array; ret: number } };
  CONNECT_LIST_ALL_STORAGE_POOLS: { args: { need_results: number; flags: number }; ret: { pools: readonly StoragePool[]; ret: number } };
  STORAGE_POOL_LIST_ALL_VOLUMES: { args: { pool: StoragePool; need_results: number; flags: number }; ret: { vols: readonly StorageVol[]; ret: number } };
  CONNECT_LIST_ALL_NETWORKS: { args: { need_results: number; flags: number }; ret: { nets: readonly Network[]; ret: number } };
  CONNECT_LIST_ALL_INTERFACES: { args: { need_results: number; flags: number }; ret: { ifaces: readonly Interface[]; ret: number } };
  CONNECT_LIST_ALL_NODE_DEVICES: { args: { need_results: number; flags: number }; ret: { devices: readonly NodeDevice[]; ret: number } };
  CONNECT_LIST_ALL_NWFILTERS: { args: { need_results: number; flags: number }; ret: { filters: readonly Nwfilter[]; ret: number } };
  CONNECT_LIST_ALL_SECRETS: { args: { need_results: number; flags: number }; ret: { secrets: readonly Secret[]; ret: number } };
  NODE_SET_MEMORY_PARAMETERS: { args: { params: readonly TypedParam[]; flags: number }; ret: Nothing };
  NODE_GET_MEMORY_PARAMETERS: { args: { nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_BLOCK_COMMIT: { args: { dom: Domain; disk: string; base: string | null; top: string | null; bandwidth: bigint; flags: number }; ret: Nothing };
  NETWORK_UPDATE: { args: { net: Network; command: number; section: number; parentIndex: number; xml: string; flags: number }; ret: Nothing };
  NODE_GET_CPU_MAP: { args: { need_map: number; need_online: number; flags: number }; ret: { cpumap: Uint8Array; online: number; ret: number } };
  DOMAIN_FSTRIM: { args: { dom: Domain; mountPoint: string | null; minimum: bigint; flags: number }; ret: Nothing };
  DOMAIN_SEND_PROCESS_SIGNAL: { args: { dom: Domain; pid_value: bigint; signum: number; flags: number }; ret: Nothing };
  DOMAIN_OPEN_CHANNEL: { args: { dom: Domain; name: string | null; flags: number }; ret: Nothing };
  NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN: { args: { wwnn: string; wwpn: string; flags: number }; ret: { dev: NodeDevice } };
  DOMAIN_GET_JOB_STATS: { args: { dom: Domain; flags: number }; ret: { type: number; params: readonly TypedParam[] } };
  DOMAIN_MIGRATE_GET_COMPRESSION_CACHE: { args: { dom: Domain; flags: number }; ret: { cacheSize: bigint } };
  DOMAIN_MIGRATE_SET_COMPRESSION_CACHE: { args: { dom: Domain; cacheSize: bigint; flags: number }; ret: Nothing };
  NODE_DEVICE_DETACH_FLAGS: { args: { name: string; driverName: string | null; flags: number }; ret: Nothing };
  DOMAIN_MIGRATE_BEGIN3_PARAMS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: { cookie_out: Uint8Array; xml: string } };
  DOMAIN_MIGRATE_PREPARE3_PARAMS: { args: { params: readonly TypedParam[]; cookie_in: Uint8Array; flags: number }; ret: { cookie_out: Uint8Array; uri_out: string | null } };
  DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS: { args: { params: readonly TypedParam[]; cookie_in: Uint8Array; flags: number }; ret: { cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_PERFORM3_PARAMS: { args: { dom: Domain; dconnuri: string | null; params: readonly TypedParam[]; cookie_in: Uint8Array; flags: number }; ret: { cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_FINISH3_PARAMS: { args: { params: readonly TypedParam[]; cookie_in: Uint8Array; flags: number; cancelled: number }; ret: { dom: Domain; cookie_out: Uint8Array } };
  DOMAIN_MIGRATE_CONFIRM3_PARAMS: { args: { dom: Domain; params: readonly TypedParam[]; cookie_in: Uint8Array; flags: number; cancelled: number }; ret: Nothing };
  DOMAIN_SET_MEMORY_STATS_PERIOD: { args: { dom: Domain; period: number; flags: number }; ret: Nothing };
  DOMAIN_CREATE_XML_WITH_FILES: { args: { xml_desc: string; flags: number }; ret: { dom: Domain } };
  DOMAIN_CREATE_WITH_FILES: { args: { dom: Domain; flags: number }; ret: { dom: Domain } };
  CONNECT_GET_CPU_MODEL_NAMES: { args: { arch: string; need_results: number; flags: number }; ret: { models: readonly string[]; ret: number } };
  CONNECT_NETWORK_EVENT_REGISTER_ANY: { args: { eventID: number; net: Network | null }; ret: { callbackID: number } };
  CONNECT_NETWORK_EVENT_DEREGISTER_ANY: { args: { callbackID: number }; ret: Nothing };
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: { args: { eventID: number; dom: Domain | null }; ret: { callbackID: number } };
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: { args: { callbackID: number }; ret: Nothing };
  DOMAIN_CORE_DUMP_WITH_FORMAT: { args: { dom: Domain; to: string; dumpformat: number; flags: number }; ret: Nothing };
  DOMAIN_FSFREEZE: { args: { dom: Domain; mountpoints: readonly string[]; flags: number }; ret: { filesystems: number } };
  DOMAIN_FSTHAW: { args: { dom: Domain; mountpoints: readonly string[]; flags: number }; ret: { filesystems: number } };
  DOMAIN_GET_TIME: { args: { dom: Domain; flags: number }; ret: { seconds: bigint; nseconds: number } };
  DOMAIN_SET_TIME: { args: { dom: Domain; seconds: bigint; nseconds: number; flags: number }; ret: Nothing };
  NODE_GET_FREE_PAGES: { args: { pages: readonly number[]; startCell: number; cellCount: number; flags: number }; ret: { counts: readonly bigint[] } };
  NETWORK_GET_DHCP_LEASES: { args: { net: Network; mac: string | null; need_results: number; flags: number }; ret: { leases: readonly NetworkDhcpLease[]; ret: number } };
  CONNECT_GET_DOMAIN_CAPABILITIES: { args: { emulatorbin: string | null; arch: string | null; machine: string | null; virttype: string | null; flags: number }; ret: { capabilities: string } };
  DOMAIN_OPEN_GRAPHICS_FD: { args: { dom: Domain; idx: number; flags: number }; ret: Nothing };
  CONNECT_GET_ALL_DOMAIN_STATS: { args: { doms: readonly Domain[]; stats: number; flags: number }; ret: { retStats: readonly DomainStatsRecord[] } };
  DOMAIN_BLOCK_COPY: { args: { dom: Domain; path: string; destxml: string; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  NODE_ALLOC_PAGES: { args: { pageSizes: readonly number[]; pageCounts: readonly bigint[]; startCell: number; cellCount: number; flags: number }; ret: { ret: number } };
  DOMAIN_GET_FSINFO: { args: { dom: Domain; flags: number }; ret: { info: readonly DomainFsinfo[]; ret: number } };
  DOMAIN_DEFINE_XML_FLAGS: { args: { xml: string; flags: number }; ret: { dom: Domain } };
  DOMAIN_GET_IOTHREAD_INFO: { args: { dom: Domain; flags: number }; ret: { info: readonly DomainIothreadInfo[]; ret: number } };
  DOMAIN_PIN_IOTHREAD: { args: { dom: Domain; iothreads_id: number; cpumap: Uint8Array; flags: number }; ret: Nothing };
  DOMAIN_INTERFACE_ADDRESSES: { args: { dom: Domain; source: number; flags: number }; ret: { ifaces: readonly DomainInterface[] } };
  DOMAIN_ADD_IOTHREAD: { args: { dom: Domain; iothread_id: number; flags: number }; ret: Nothing };
  DOMAIN_DEL_IOTHREAD: { args: { dom: Domain; iothread_id: number; flags: number }; ret: Nothing };
  DOMAIN_SET_USER_PASSWORD: { args: { dom: Domain; user: string | null; password: string | null; flags: number }; ret: Nothing };
  DOMAIN_RENAME: { args: { dom: Domain; new_name: string | null; flags: number }; ret: { retcode: number } };
  CONNECT_REGISTER_CLOSE_CALLBACK: { args: Nothing; ret: Nothing };
  CONNECT_UNREGISTER_CLOSE_CALLBACK: { args: Nothing; ret: Nothing };
  DOMAIN_MIGRATE_START_POST_COPY: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_GET_PERF_EVENTS: { args: { dom: Domain; flags: number }; ret: { params: readonly TypedParam[] } };
  DOMAIN_SET_PERF_EVENTS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: { args: { eventID: number; pool: StoragePool | null }; ret: { callbackID: number } };
  CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: { args: { callbackID: number }; ret: Nothing };
  DOMAIN_GET_GUEST_VCPUS: { args: { dom: Domain; flags: number }; ret: { params: readonly TypedParam[] } };
  DOMAIN_SET_GUEST_VCPUS: { args: { dom: Domain; cpumap: string; state: number; flags: number }; ret: Nothing };
  CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: { args: { eventID: number; dev: NodeDevice | null }; ret: { callbackID: number } };
  CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: { args: { callbackID: number }; ret: Nothing };
  STORAGE_VOL_GET_INFO_FLAGS: { args: { vol: StorageVol; flags: number }; ret: { type: number; capacity: bigint; allocation: bigint } };
  CONNECT_SECRET_EVENT_REGISTER_ANY: { args: { eventID: number; secret: Secret | null }; ret: { callbackID: number } };
  CONNECT_SECRET_EVENT_DEREGISTER_ANY: { args: { callbackID: number }; ret: Nothing };
  DOMAIN_SET_VCPU: { args: { dom: Domain; cpumap: string; state: number; flags: number }; ret: Nothing };
  DOMAIN_SET_BLOCK_THRESHOLD: { args: { dom: Domain; dev: string; threshold: bigint; flags: number }; ret: Nothing };
  DOMAIN_MIGRATE_GET_MAX_DOWNTIME: { args: { dom: Domain; flags: number }; ret: { downtime: bigint } };
  DOMAIN_MANAGED_SAVE_GET_XML_DESC: { args: { dom: Domain; flags: number }; ret: { xml: string } };
  DOMAIN_MANAGED_SAVE_DEFINE_XML: { args: { dom: Domain; dxml: string | null; flags: number }; ret: Nothing };
  DOMAIN_SET_LIFECYCLE_ACTION: { args: { dom: Domain; type: number; action: number; flags: number }; ret: Nothing };
  STORAGE_POOL_LOOKUP_BY_TARGET_PATH: { args: { path: string }; ret: { pool: StoragePool } };
  DOMAIN_DETACH_DEVICE_ALIAS: { args: { dom: Domain; alias: string; flags: number }; ret: Nothing };
  CONNECT_COMPARE_HYPERVISOR_CPU: { args: { emulator: string | null; arch: string | null; machine: string | null; virttype: string | null; xmlCPU: string; flags: number }; ret: { result: number } };
  CONNECT_BASELINE_HYPERVISOR_CPU: { args: { emulator: string | null; arch: string | null; machine: string | null; virttype: string | null; xmlCPUs: readonly string[]; flags: number }; ret: { cpu: string } };
  NODE_GET_SEV_INFO: { args: { nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  DOMAIN_GET_LAUNCH_SECURITY_INFO: { args: { dom: Domain; flags: number }; ret: { params: readonly TypedParam[] } };
  NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: { args: { name: string }; ret: { nwfilter: NwfilterBinding } };
  NWFILTER_BINDING_GET_XML_DESC: { args: { nwfilter: NwfilterBinding; flags: number }; ret: { xml: string } };
  NWFILTER_BINDING_CREATE_XML: { args: { xml: string; flags: number }; ret: { nwfilter: NwfilterBinding } };
  NWFILTER_BINDING_DELETE: { args: { nwfilter: NwfilterBinding }; ret: Nothing };
  CONNECT_LIST_ALL_NWFILTER_BINDINGS: { args: { need_results: number; flags: number }; ret: { bindings: readonly NwfilterBinding[]; ret: number } };
  DOMAIN_SET_IOTHREAD_PARAMS: { args: { dom: Domain; iothread_id: number; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  CONNECT_GET_STORAGE_POOL_CAPABILITIES: { args: { flags: number }; ret: { capabilities: string } };
  NETWORK_LIST_ALL_PORTS: { args: { network: Network; need_results: number; flags: number }; ret: { ports: readonly NetworkPort[]; ret: number } };
  NETWORK_PORT_LOOKUP_BY_UUID: { args: { network: Network; uuid: string }; ret: { port: NetworkPort } };
  NETWORK_PORT_CREATE_XML: { args: { network: Network; xml: string; flags: number }; ret: { port: NetworkPort } };
  NETWORK_PORT_GET_PARAMETERS: { args: { port: NetworkPort; nparams: number; flags: number }; ret: { params: readonly TypedParam[]; nparams: number } };
  NETWORK_PORT_SET_PARAMETERS: { args: { port: NetworkPort; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  NETWORK_PORT_GET_XML_DESC: { args: { port: NetworkPort; flags: number }; ret: { xml: string } };
  NETWORK_PORT_DELETE: { args: { port: NetworkPort; flags: number }; ret: Nothing };
  DOMAIN_CHECKPOINT_CREATE_XML: { args: { dom: Domain; xml_desc: string; flags: number }; ret: { checkpoint: DomainCheckpoint } };
  DOMAIN_CHECKPOINT_GET_XML_DESC: { args: { checkpoint: DomainCheckpoint; flags: number }; ret: { xml: string } };
  DOMAIN_LIST_ALL_CHECKPOINTS: { args: { dom: Domain; need_results: number; flags: number }; ret: { checkpoints: readonly DomainCheckpoint[]; ret: number } };
  DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN: { args: { checkpoint: DomainCheckpoint; need_results: number; flags: number }; ret: { checkpoints: readonly DomainCheckpoint[]; ret: number } };
  DOMAIN_CHECKPOINT_LOOKUP_BY_NAME: { args: { dom: Domain; name: string; flags: number }; ret: { checkpoint: DomainCheckpoint } };
  DOMAIN_CHECKPOINT_GET_PARENT: { args: { checkpoint: DomainCheckpoint; flags: number }; ret: { parent: DomainCheckpoint } };
  DOMAIN_CHECKPOINT_DELETE: { args: { checkpoint: DomainCheckpoint; flags: number }; ret: Nothing };
  DOMAIN_GET_GUEST_INFO: { args: { dom: Domain; types: number; flags: number }; ret: { params: readonly TypedParam[] } };
  CONNECT_SET_IDENTITY: { args: { params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: { args: { dom: Domain; timeout: number; flags: number }; ret: { result: number } };
  DOMAIN_BACKUP_BEGIN: { args: { dom: Domain; backup_xml: string; checkpoint_xml: string | null; flags: number }; ret: Nothing };
  DOMAIN_BACKUP_GET_XML_DESC: { args: { dom: Domain; flags: number }; ret: { xml: string } };
  DOMAIN_AUTHORIZED_SSH_KEYS_GET: { args: { dom: Domain; user: string; flags: number }; ret: { keys: readonly string[] } };
  DOMAIN_AUTHORIZED_SSH_KEYS_SET: { args: { dom: Domain; user: string; keys: readonly string[]; flags: number }; ret: Nothing };
  DOMAIN_GET_MESSAGES: { args: { dom: Domain; flags: number }; ret: { msgs: readonly string[] } };
  DOMAIN_START_DIRTY_RATE_CALC: { args: { dom: Domain; seconds: number; flags: number }; ret: Nothing };
  NODE_DEVICE_DEFINE_XML: { args: { xml_desc: string; flags: number }; ret: { dev: NodeDevice } };
  NODE_DEVICE_UNDEFINE: { args: { name: string; flags: number }; ret: Nothing };
  NODE_DEVICE_CREATE: { args: { name: string; flags: number }; ret: Nothing };
  NWFILTER_DEFINE_XML_FLAGS: { args: { xml: string; flags: number }; ret: { nwfilter: Nwfilter } };
  NETWORK_DEFINE_XML_FLAGS: { args: { xml: string; flags: number }; ret: { net: Network } };
  NODE_DEVICE_GET_AUTOSTART: { args: { name: string }; ret: { autostart: number } };
  NODE_DEVICE_SET_AUTOSTART: { args: { name: string; autostart: number }; ret: Nothing };
  NODE_DEVICE_IS_PERSISTENT: { args: { name: string }; ret: { persistent: number } };
  NODE_DEVICE_IS_ACTIVE: { args: { name: string }; ret: { active: number } };
  NETWORK_CREATE_XML_FLAGS: { args: { xml: string; flags: number }; ret: { net: Network } };
  DOMAIN_SET_LAUNCH_SECURITY_STATE: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_SAVE_PARAMS: { args: { dom: Domain; params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_RESTORE_PARAMS: { args: { params: readonly TypedParam[]; flags: number }; ret: Nothing };
  DOMAIN_ABORT_JOB_FLAGS: { args: { dom: Domain; flags: number }; ret: Nothing };
  DOMAIN_FD_ASSOCIATE: { args: { dom: Domain; name: string; flags: number }; ret: Nothing };
  QEMU_DOMAIN_MONITOR_COMMAND: { args: { dom: Domain; cmd: string; flags: number }; ret: { result: string } };
  QEMU_DOMAIN_ATTACH: { args: { pid_value: number; flags: number }; ret: { dom: Domain } };
  QEMU_DOMAIN_AGENT_COMMAND: { args: { dom: Domain; cmd: string; timeout: number; flags: number }; ret: { result: string | null } };
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: { args: { dom: Domain | null; event: string | null; flags: number }; ret: { callbackID: number } };
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: { args: { callbackID: number }; ret: Nothing };
  QEMU_DOMAIN_MONITOR_COMMAND_WITH_FILES: { args: { dom: Domain; cmd: string; flags: number }; ret: { result: string } };
};

export type Messages = {
  DOMAIN_EVENT_LIFECYCLE: { dom: Domain; event: number; detail: number };
  DOMAIN_EVENT_REBOOT: { dom: Domain };
  DOMAIN_EVENT_RTC_CHANGE: { dom: Domain; offset: bigint };
  DOMAIN_EVENT_WATCHDOG: { dom: Domain; action: number };
  DOMAIN_EVENT_IO_ERROR: { dom: Domain; srcPath: string; devAlias: string; action: number };
  DOMAIN_EVENT_GRAPHICS: { dom: Domain; phase: number; local: DomainEventGraphicsAddress; remote: DomainEventGraphicsAddress; authScheme: string; subject: readonly DomainEventGraphicsIdentity[] };
  DOMAIN_EVENT_IO_ERROR_REASON: { dom: Domain; srcPath: string; devAlias: string; action: number; reason: string };
  DOMAIN_EVENT_CONTROL_ERROR: { dom: Domain };
  DOMAIN_EVENT_BLOCK_JOB: { dom: Domain; path: string; type: number; status: number };
  DOMAIN_EVENT_DISK_CHANGE: { dom: Domain; oldSrcPath: string | null; newSrcPath: string | null; devAlias: string; reason: number };
  DOMAIN_EVENT_TRAY_CHANGE: { dom: Domain; devAlias: string; reason: number };
  DOMAIN_EVENT_PMWAKEUP: { dom: Domain };
  DOMAIN_EVENT_PMSUSPEND: { dom: Domain };
  DOMAIN_EVENT_BALLOON_CHANGE: { dom: Domain; actual: bigint };
  DOMAIN_EVENT_PMSUSPEND_DISK: { dom: Domain };
  DOMAIN_EVENT_DEVICE_REMOVED: { dom: Domain; devAlias: string };
  NETWORK_EVENT_LIFECYCLE: { callbackID: number; net: Network; event: number; detail: number };
  DOMAIN_EVENT_CALLBACK_LIFECYCLE: { callbackID: number; msg: DomainEventLifecycleMsg };
  DOMAIN_EVENT_CALLBACK_REBOOT: { callbackID: number; msg: DomainEventRebootMsg };
  DOMAIN_EVENT_CALLBACK_RTC_CHANGE: { callbackID: number; msg: DomainEventRtcChangeMsg };
  DOMAIN_EVENT_CALLBACK_WATCHDOG: { callbackID: number; msg: DomainEventWatchdogMsg };
  DOMAIN_EVENT_CALLBACK_IO_ERROR: { callbackID: number; msg: DomainEventIoErrorMsg };
  DOMAIN_EVENT_CALLBACK_GRAPHICS: { callbackID: number; msg: DomainEventGraphicsMsg };
  DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON: { callbackID: number; msg: DomainEventIoErrorReasonMsg };
  DOMAIN_EVENT_CALLBACK_CONTROL_ERROR: { callbackID: number; msg: DomainEventControlErrorMsg };
  DOMAIN_EVENT_CALLBACK_BLOCK_JOB: { callbackID: number; msg: DomainEventBlockJobMsg };
  DOMAIN_EVENT_CALLBACK_DISK_CHANGE: { callbackID: number; msg: DomainEventDiskChangeMsg };
  DOMAIN_EVENT_CALLBACK_TRAY_CHANGE: { callbackID: number; msg: DomainEventTrayChangeMsg };
  DOMAIN_EVENT_CALLBACK_PMWAKEUP: { callbackID: number; reason: number; msg: DomainEventPmwakeupMsg };
  DOMAIN_EVENT_CALLBACK_PMSUSPEND: { callbackID: number; reason: number; msg: DomainEventPmsuspendMsg };
  DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE: { callbackID: number; msg: DomainEventBalloonChangeMsg };
  DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK: { callbackID: number; reason: number; msg: DomainEventPmsuspendDiskMsg };
  DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED: { callbackID: number; msg: DomainEventDeviceRemovedMsg };
  DOMAIN_EVENT_BLOCK_JOB_2: { callbackID: number; dom: Domain; dst: string; type: number; status: number };
  DOMAIN_EVENT_CALLBACK_TUNABLE: { callbackID: number; dom: Domain; params: readonly TypedParam[] };
  DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE: { callbackID: number; dom: Domain; state: number; reason: number };
  DOMAIN_EVENT_CALLBACK_DEVICE_ADDED: { callbackID: number; dom: Domain; devAlias: string };
  DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION: { callbackID: number; dom: Domain; iteration: number };
  CONNECT_EVENT_CONNECTION_CLOSED: { reason: number };
  DOMAIN_EVENT_CALLBACK_JOB_COMPLETED: { callbackID: number; dom: Domain; params: readonly TypedParam[] };
  DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED: { callbackID: number; dom: Domain; devAlias: string };
  STORAGE_POOL_EVENT_LIFECYCLE: { callbackID: number; pool: StoragePool; event: number; detail: number };
  STORAGE_POOL_EVENT_REFRESH: { callbackID: number; pool: StoragePool };
  NODE_DEVICE_EVENT_LIFECYCLE: { callbackID: number; dev: NodeDevice; event: number; detail: number };
  NODE_DEVICE_EVENT_UPDATE: { callbackID: number; dev: NodeDevice };
  DOMAIN_EVENT_CALLBACK_METADATA_CHANGE: { callbackID: number; dom: Domain; type: number; nsuri: string | null };
  SECRET_EVENT_LIFECYCLE: { callbackID: number; secret: Secret; event: number; detail: number };
  SECRET_EVENT_VALUE_CHANGED: { callbackID: number; secret: Secret };
  DOMAIN_EVENT_BLOCK_THRESHOLD: { callbackID: number; dom: Domain; dev: string; path: string | null; threshold: bigint; excess: bigint };
  DOMAIN_EVENT_MEMORY_FAILURE: { callbackID: number; dom: Domain; recipient: number; action: number; flags: number };
  DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE: { callbackID: number; dom: Domain; alias: string; size: bigint };
  QEMU_DOMAIN_MONITOR_EVENT: { callbackID: number; dom: Domain; event: string; seconds: bigint; micros: number; details: string | null };
};

export const programs = { REMOTE: 0x20008086, QEMU: 0x20008087, version: 1 } as const;

export const structs = {
  Domain: 'name:s uuid:U id:i',
  Network: 'name:s uuid:U',
  NetworkPort: 'net:@Network uuid:U',
  Nwfilter: 'name:s uuid:U',
  NwfilterBinding: 'portdev:s filtername:s',
  Interface: 'name:s mac:s',
  StoragePool: 'name:s uuid:U',
  StorageVol: 'pool:s name:s key:s',
  NodeDevice: 'name:s',
  Secret: 'uuid:U usageType:i usageID:s',
  DomainCheckpoint: 'name:s dom:@Domain',
  DomainSnapshot: 'name:s dom:@Domain',
  RemoteError: 'code:i domain:i message:?s level:i dom:?@Domain str1:?s str2:?s str3:?s int1:i int2:i net:?@Network',
  VcpuInfo: 'number:u state:i cpu_time:H cpu:i',
  TypedParam: 'field:s value:P',
  NodeGetCpuStats: 'field:s value:H',
  NodeGetMemoryStats: 'field:s value:H',
  DomainDiskError: 'disk:s error:i',
  DomainMemoryStat: 'tag:i val:H',
  DomainIothreadInfo: 'iothread_id:u cpumap:[2048]o',
  DomainGetSecurityLabelRet: 'label:[4097]c enforcing:i',
  DomainEventLifecycleMsg: 'dom:@Domain event:i detail:i',
  DomainEventRebootMsg: 'dom:@Domain',
  DomainEventRtcChangeMsg: 'dom:@Domain offset:h',
  DomainEventWatchdogMsg: 'dom:@Domain action:i',
  DomainEventIoErrorMsg: 'dom:@Domain srcPath:s devAlias:s action:i',
  DomainEventIoErrorReasonMsg: 'dom:@Domain srcPath:s devAlias:s action:i reason:s',
  DomainEventGraphicsAddress: 'family:i node:s service:s',
  DomainEventGraphicsIdentity: 'type:s name:s',
  DomainEventGraphicsMsg: 'dom:@Domain phase:i local:@DomainEventGraphicsAddress remote:@DomainEventGraphicsAddress authScheme:s subject:[20]@DomainEventGraphicsIdentity',
  DomainEventBlockJobMsg: 'dom:@Domain path:s type:i status:i',
  DomainEventDiskChangeMsg: 'dom:@Domain oldSrcPath:?s newSrcPath:?s devAlias:s reason:i',
  DomainEventTrayChangeMsg: 'dom:@Domain devAlias:s reason:i',
  DomainEventPmwakeupMsg: 'dom:@Domain',
  DomainEventPmsuspendMsg: 'dom:@Domain',
  DomainEventBalloonChangeMsg: 'dom:@Domain actual:H',
  DomainEventPmsuspendDiskMsg: 'dom:@Domain',
  DomainEventControlErrorMsg: 'dom:@Domain',
  DomainEventDeviceRemovedMsg: 'dom:@Domain devAlias:s',
  NetworkDhcpLease: 'iface:s expirytime:h type:i mac:?s iaid:?s ipaddr:s prefix:u hostname:?s clientid:?s',
  DomainStatsRecord: 'dom:@Domain params:[262144]@TypedParam',
  DomainFsinfo: 'mountpoint:s name:s fstype:s dev_aliases:[256]s',
  DomainIpAddr: 'type:i addr:s prefix:u',
  DomainInterface: 'name:s hwaddr:?s addrs:[2048]@DomainIpAddr',
} as const;

/** Number, descriptor of the arguments, descriptor of the result. */
export const procedures: { readonly [P in keyof Procedures]: readonly [number, string, string] } = {
  CONNECT_OPEN: [1, 'name:?s flags:u', ''],
  CONNECT_CLOSE: [2, '', ''],
  CONNECT_GET_TYPE: [3, '', 'type:s'],
  CONNECT_GET_VERSION: [4, '', 'hv_ver:H'],
  CONNECT_GET_MAX_VCPUS: [5, 'type:?s', 'max_vcpus:i'],
  NODE_GET_INFO: [6, '', 'model:(32)c memory:H cpus:i mhz:i nodes:i sockets:i cores:i threads:i'],
  CONNECT_GET_CAPABILITIES: [7, '', 'capabilities:s'],
  DOMAIN_ATTACH_DEVICE: [8, 'dom:@Domain xml:s', ''],
  DOMAIN_CREATE: [9, 'dom:@Domain', ''],
  DOMAIN_CREATE_XML: [10, 'xml_desc:s flags:u', 'dom:@Domain'],
  DOMAIN_DEFINE_XML: [11, 'xml:s', 'dom:@Domain'],
  DOMAIN_DESTROY: [12, 'dom:@Domain', ''],
  DOMAIN_DETACH_DEVICE: [13, 'dom:@Domain xml:s', ''],
  DOMAIN_GET_XML_DESC: [14, 'dom:@Domain flags:u', 'xml:s'],
  DOMAIN_GET_AUTOSTART: [15, 'dom:@Domain', 'autostart:i'],
  DOMAIN_GET_INFO: [16, 'dom:@Domain', 'state:C maxMem:H memory:H nrVirtCpu:w cpuTime:H'],
  DOMAIN_GET_MAX_MEMORY: [17, 'dom:@Domain', 'memory:H'],
  DOMAIN_GET_MAX_VCPUS: [18, 'dom:@Domain', 'num:i'],
  DOMAIN_GET_OS_TYPE: [19, 'dom:@Domain', 'type:s'],
  DOMAIN_GET_VCPUS: [20, 'dom:@Domain maxinfo:i maplen:i', 'info:[16384]@VcpuInfo cpumaps:[8388608]o'],
  CONNECT_LIST_DEFINED_DOMAINS: [21, 'maxnames:i', 'names:[16384]s'],
  DOMAIN_LOOKUP_BY_ID: [22, 'id:i', 'dom:@Domain'],
  DOMAIN_LOOKUP_BY_NAME: [23, 'name:s', 'dom:@Domain'],
  DOMAIN_LOOKUP_BY_UUID: [24, 'uuid:U', 'dom:@Domain'],
  CONNECT_NUM_OF_DEFINED_DOMAINS: [25, '', 'num:i'],
  DOMAIN_PIN_VCPU: [26, 'dom:@Domain vcpu:u cpumap:[2048]o', ''],
  DOMAIN_REBOOT: [27, 'dom:@Domain flags:u', ''],
  DOMAIN_RESUME: [28, 'dom:@Domain', ''],
  DOMAIN_SET_AUTOSTART: [29, 'dom:@Domain autostart:i', ''],
  DOMAIN_SET_MAX_MEMORY: [30, 'dom:@Domain memory:H', ''],
  DOMAIN_SET_MEMORY: [31, 'dom:@Domain memory:H', ''],
  DOMAIN_SET_VCPUS: [32, 'dom:@Domain nvcpus:u', ''],
  DOMAIN_SHUTDOWN: [33, 'dom:@Domain', ''],
  DOMAIN_SUSPEND: [34, 'dom:@Domain', ''],
  DOMAIN_UNDEFINE: [35, 'dom:@Domain', ''],
  CONNECT_LIST_DEFINED_NETWORKS: [36, 'maxnames:i', 'names:[16384]s'],
  CONNECT_LIST_DOMAINS: [37, 'maxids:i', 'ids:[16384]i'],
  CONNECT_LIST_NETWORKS: [38, 'maxnames:i', 'names:[16384]s'],
  NETWORK_CREATE: [39, 'net:@Network', ''],
  NETWORK_CREATE_XML: [40, 'xml:s', 'net:@Network'],
  NETWORK_DEFINE_XML: [41, 'xml:s', 'net:@Network'],
  NETWORK_DESTROY: [42, 'net:@Network', ''],
  NETWORK_GET_XML_DESC: [43, 'net:@Network flags:u', 'xml:s'],
  NETWORK_GET_AUTOSTART: [44, 'net:@Network', 'autostart:i'],
  NETWORK_GET_BRIDGE_NAME: [45, 'net:@Network', 'name:s'],
  NETWORK_LOOKUP_BY_NAME: [46, 'name:s', 'net:@Network'],
  NETWORK_LOOKUP_BY_UUID: [47, 'uuid:U', 'net:@Network'],
  NETWORK_SET_AUTOSTART: [48, 'net:@Network autostart:i', ''],
  NETWORK_UNDEFINE: [49, 'net:@Network', ''],
  CONNECT_NUM_OF_DEFINED_NETWORKS: [50, '', 'num:i'],
  CONNECT_NUM_OF_DOMAINS: [51, '', 'num:i'],
  CONNECT_NUM_OF_NETWORKS: [52, '', 'num:i'],
  DOMAIN_CORE_DUMP: [53, 'dom:@Domain to:s flags:u', ''],
  DOMAIN_RESTORE: [54, 'from:s', ''],
  DOMAIN_SAVE: [55, 'dom:@Domain to:s', ''],
  DOMAIN_GET_SCHEDULER_TYPE: [56, 'dom:@Domain', 'type:s nparams:i'],
  DOMAIN_GET_SCHEDULER_PARAMETERS: [57, 'dom:@Domain nparams:i', 'params:[16]@TypedParam'],
  DOMAIN_SET_SCHEDULER_PARAMETERS: [58, 'dom:@Domain params:[16]@TypedParam', ''],
  CONNECT_GET_HOSTNAME: [59, '', 'hostname:s'],
  CONNECT_SUPPORTS_FEATURE: [60, 'feature:i', 'supported:i'],
  DOMAIN_MIGRATE_PREPARE: [61, 'uri_in:?s flags:H dname:?s resource:H', 'cookie:[4194304]o uri_out:?s'],
  DOMAIN_MIGRATE_PERFORM: [62, 'dom:@Domain cookie:[4194304]o uri:s flags:H dname:?s resource:H', ''],
  DOMAIN_MIGRATE_FINISH: [63, 'dname:s cookie:[4194304]o uri:s flags:H', 'ddom:@Domain'],
  DOMAIN_BLOCK_STATS: [64, 'dom:@Domain path:s', 'rd_req:h rd_bytes:h wr_req:h wr_bytes:h errs:h'],
  DOMAIN_INTERFACE_STATS: [65, 'dom:@Domain device:s', 'rx_bytes:h rx_packets:h rx_errs:h rx_drop:h tx_bytes:h tx_packets:h tx_errs:h tx_drop:h'],
  AUTH_LIST: [66, '', 'types:[20]i'],
  AUTH_SASL_INIT: [67, '', 'mechlist:s'],
  AUTH_SASL_START: [68, 'mech:s nil:i data:[65536]c', 'complete:i nil:i data:[65536]c'],
  AUTH_SASL_STEP: [69, 'nil:i data:[65536]c', 'complete:i nil:i data:[65536]c'],
  AUTH_POLKIT: [70, '', 'complete:i'],
  CONNECT_NUM_OF_STORAGE_POOLS: [71, '', 'num:i'],
  CONNECT_LIST_STORAGE_POOLS: [72, 'maxnames:i', 'names:[16384]s'],
  CONNECT_NUM_OF_DEFINED_STORAGE_POOLS: [73, '', 'num:i'],
  CONNECT_LIST_DEFINED_STORAGE_POOLS: [74, 'maxnames:i', 'names:[16384]s'],
  CONNECT_FIND_STORAGE_POOL_SOURCES: [75, 'type:s srcSpec:?s flags:u', 'xml:s'],
  STORAGE_POOL_CREATE_XML: [76, 'xml:s flags:u', 'pool:@StoragePool'],
  STORAGE_POOL_DEFINE_XML: [77, 'xml:s flags:u', 'pool:@StoragePool'],
  STORAGE_POOL_CREATE: [78, 'pool:@StoragePool flags:u', ''],
  STORAGE_POOL_BUILD: [79, 'pool:@StoragePool flags:u', ''],
  STORAGE_POOL_DESTROY: [80, 'pool:@StoragePool', ''],
  STORAGE_POOL_DELETE: [81, 'pool:@StoragePool flags:u', ''],
  STORAGE_POOL_UNDEFINE: [82, 'pool:@StoragePool', ''],
  STORAGE_POOL_REFRESH: [83, 'pool:@StoragePool flags:u', ''],
  STORAGE_POOL_LOOKUP_BY_NAME: [84, 'name:s', 'pool:@StoragePool'],
  STORAGE_POOL_LOOKUP_BY_UUID: [85, 'uuid:U', 'pool:@StoragePool'],
  STORAGE_POOL_LOOKUP_BY_VOLUME: [86, 'vol:@StorageVol', 'pool:@StoragePool'],
  STORAGE_POOL_GET_INFO: [87, 'pool:@StoragePool', 'state:C capacity:H allocation:H available:H'],
  STORAGE_POOL_GET_XML_DESC: [88, 'pool:@StoragePool flags:u', 'xml:s'],
  STORAGE_POOL_GET_AUTOSTART: [89, 'pool:@StoragePool', 'autostart:i'],
  STORAGE_POOL_SET_AUTOSTART: [90, 'pool:@StoragePool autostart:i', ''],
  STORAGE_POOL_NUM_OF_VOLUMES: [91, 'pool:@StoragePool', 'num:i'],
  STORAGE_POOL_LIST_VOLUMES: [92, 'pool:@StoragePool maxnames:i', 'names:[16384]s'],
  STORAGE_VOL_CREATE_XML: [93, 'pool:@StoragePool xml:s flags:u', 'vol:@StorageVol'],
  STORAGE_VOL_DELETE: [94, 'vol:@StorageVol flags:u', ''],
  STORAGE_VOL_LOOKUP_BY_NAME: [95, 'pool:@StoragePool name:s', 'vol:@StorageVol'],
  STORAGE_VOL_LOOKUP_BY_KEY: [96, 'key:s', 'vol:@StorageVol'],
  STORAGE_VOL_LOOKUP_BY_PATH: [97, 'path:s', 'vol:@StorageVol'],
  STORAGE_VOL_GET_INFO: [98, 'vol:@StorageVol', 'type:c capacity:H allocation:H'],
  STORAGE_VOL_GET_XML_DESC: [99, 'vol:@StorageVol flags:u', 'xml:s'],
  STORAGE_VOL_GET_PATH: [100, 'vol:@StorageVol', 'name:s'],
  NODE_GET_CELLS_FREE_MEMORY: [101, 'startCell:i maxcells:i', 'cells:[1024]H'],
  NODE_GET_FREE_MEMORY: [102, '', 'freeMem:H'],
  DOMAIN_BLOCK_PEEK: [103, 'dom:@Domain path:s offset:H size:u flags:u', 'buffer:[4194304]o'],
  DOMAIN_MEMORY_PEEK: [104, 'dom:@Domain offset:H size:u flags:u', 'buffer:[4194304]o'],
  CONNECT_DOMAIN_EVENT_REGISTER: [105, '', 'cb_registered:i'],
  CONNECT_DOMAIN_EVENT_DEREGISTER: [106, '', 'cb_registered:i'],
  DOMAIN_MIGRATE_PREPARE2: [108, 'uri_in:?s flags:H dname:?s resource:H dom_xml:s', 'cookie:[4194304]o uri_out:?s'],
  DOMAIN_MIGRATE_FINISH2: [109, 'dname:s cookie:[4194304]o uri:s flags:H retcode:i', 'ddom:@Domain'],
  CONNECT_GET_URI: [110, '', 'uri:s'],
  NODE_NUM_OF_DEVICES: [111, 'cap:?s flags:u', 'num:i'],
  NODE_LIST_DEVICES: [112, 'cap:?s maxnames:i flags:u', 'names:[65536]s'],
  NODE_DEVICE_LOOKUP_BY_NAME: [113, 'name:s', 'dev:@NodeDevice'],
  NODE_DEVICE_GET_XML_DESC: [114, 'name:s flags:u', 'xml:s'],
  NODE_DEVICE_GET_PARENT: [115, 'name:s', 'parentName:?s'],
  NODE_DEVICE_NUM_OF_CAPS: [116, 'name:s', 'num:i'],
  NODE_DEVICE_LIST_CAPS: [117, 'name:s maxnames:i', 'names:[65536]s'],
  NODE_DEVICE_DETTACH: [118, 'name:s', ''],
  NODE_DEVICE_RE_ATTACH: [119, 'name:s', ''],
  NODE_DEVICE_RESET: [120, 'name:s', ''],
  DOMAIN_GET_SECURITY_LABEL: [121, 'dom:@Domain', 'label:[4097]c enforcing:i'],
  NODE_GET_SECURITY_MODEL: [122, '', 'model:[257]c doi:[257]c'],
  NODE_DEVICE_CREATE_XML: [123, 'xml_desc:s flags:u', 'dev:@NodeDevice'],
  NODE_DEVICE_DESTROY: [124, 'name:s', ''],
  STORAGE_VOL_CREATE_XML_FROM: [125, 'pool:@StoragePool xml:s clonevol:@StorageVol flags:u', 'vol:@StorageVol'],
  CONNECT_NUM_OF_INTERFACES: [126, '', 'num:i'],
  CONNECT_LIST_INTERFACES: [127, 'maxnames:i', 'names:[16384]s'],
  INTERFACE_LOOKUP_BY_NAME: [128, 'name:s', 'iface:@Interface'],
  INTERFACE_LOOKUP_BY_MAC_STRING: [129, 'mac:s', 'iface:@Interface'],
  INTERFACE_GET_XML_DESC: [130, 'iface:@Interface flags:u', 'xml:s'],
  INTERFACE_DEFINE_XML: [131, 'xml:s flags:u', 'iface:@Interface'],
  INTERFACE_UNDEFINE: [132, 'iface:@Interface', ''],
  INTERFACE_CREATE: [133, 'iface:@Interface flags:u', ''],
  INTERFACE_DESTROY: [134, 'iface:@Interface flags:u', ''],
  CONNECT_DOMAIN_XML_FROM_NATIVE: [135, 'nativeFormat:s nativeConfig:s flags:u', 'domainXml:s'],
  CONNECT_DOMAIN_XML_TO_NATIVE: [136, 'nativeFormat:s domainXml:s flags:u', 'nativeConfig:s'],
  CONNECT_NUM_OF_DEFINED_INTERFACES: [137, '', 'num:i'],
  CONNECT_LIST_DEFINED_INTERFACES: [138, 'maxnames:i', 'names:[16384]s'],
  CONNECT_NUM_OF_SECRETS: [139, '', 'num:i'],
  CONNECT_LIST_SECRETS: [140, 'maxuuids:i', 'uuids:[16384]s'],
  SECRET_LOOKUP_BY_UUID: [141, 'uuid:U', 'secret:@Secret'],
  SECRET_DEFINE_XML: [142, 'xml:s flags:u', 'secret:@Secret'],
  SECRET_GET_XML_DESC: [143, 'secret:@Secret flags:u', 'xml:s'],
  SECRET_SET_VALUE: [144, 'secret:@Secret value:[65536]o flags:u', ''],
  SECRET_GET_VALUE: [145, 'secret:@Secret flags:u', 'value:[65536]o'],
  SECRET_UNDEFINE: [146, 'secret:@Secret', ''],
  SECRET_LOOKUP_BY_USAGE: [147, 'usageType:i usageID:s', 'secret:@Secret'],
  DOMAIN_MIGRATE_PREPARE_TUNNEL: [148, 'flags:H dname:?s resource:H dom_xml:s', ''],
  CONNECT_IS_SECURE: [149, '', 'secure:i'],
  DOMAIN_IS_ACTIVE: [150, 'dom:@Domain', 'active:i'],
  DOMAIN_IS_PERSISTENT: [151, 'dom:@Domain', 'persistent:i'],
  NETWORK_IS_ACTIVE: [152, 'net:@Network', 'active:i'],
  NETWORK_IS_PERSISTENT: [153, 'net:@Network', 'persistent:i'],
  STORAGE_POOL_IS_ACTIVE: [154, 'pool:@StoragePool', 'active:i'],
  STORAGE_POOL_IS_PERSISTENT: [155, 'pool:@StoragePool', 'persistent:i'],
  INTERFACE_IS_ACTIVE: [156, 'iface:@Interface', 'active:i'],
  CONNECT_GET_LIB_VERSION: [157, '', 'lib_ver:H'],
  CONNECT_COMPARE_CPU: [158, 'xml:s flags:u', 'result:i'],
  DOMAIN_MEMORY_STATS: [159, 'dom:@Domain maxStats:u flags:u', 'stats:[1024]@DomainMemoryStat'],
  DOMAIN_ATTACH_DEVICE_FLAGS: [160, 'dom:@Domain xml:s flags:u', ''],
  DOMAIN_DETACH_DEVICE_FLAGS: [161, 'dom:@Domain xml:s flags:u', ''],
  CONNECT_BASELINE_CPU: [162, 'xmlCPUs:[256]s flags:u', 'cpu:s'],
  DOMAIN_GET_JOB_INFO: [163, 'dom:@Domain', 'type:i timeElapsed:H timeRemaining:H dataTotal:H dataProcessed:H dataRemaining:H memTotal:H memProcessed:H memRemaining:H fileTotal:H fileProcessed:H fileRemaining:H'],
  DOMAIN_ABORT_JOB: [164, 'dom:@Domain', ''],
  STORAGE_VOL_WIPE: [165, 'vol:@StorageVol flags:u', ''],
  DOMAIN_MIGRATE_SET_MAX_DOWNTIME: [166, 'dom:@Domain downtime:H flags:u', ''],
  CONNECT_DOMAIN_EVENT_REGISTER_ANY: [167, 'eventID:i', ''],
  CONNECT_DOMAIN_EVENT_DEREGISTER_ANY: [168, 'eventID:i', ''],
  DOMAIN_UPDATE_DEVICE_FLAGS: [174, 'dom:@Domain xml:s flags:u', ''],
  NWFILTER_LOOKUP_BY_NAME: [175, 'name:s', 'nwfilter:@Nwfilter'],
  NWFILTER_LOOKUP_BY_UUID: [176, 'uuid:U', 'nwfilter:@Nwfilter'],
  NWFILTER_GET_XML_DESC: [177, 'nwfilter:@Nwfilter flags:u', 'xml:s'],
  CONNECT_NUM_OF_NWFILTERS: [178, '', 'num:i'],
  CONNECT_LIST_NWFILTERS: [179, 'maxnames:i', 'names:[16384]s'],
  NWFILTER_DEFINE_XML: [180, 'xml:s', 'nwfilter:@Nwfilter'],
  NWFILTER_UNDEFINE: [181, 'nwfilter:@Nwfilter', ''],
  DOMAIN_MANAGED_SAVE: [182, 'dom:@Domain flags:u', ''],
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: [183, 'dom:@Domain flags:u', 'result:i'],
  DOMAIN_MANAGED_SAVE_REMOVE: [184, 'dom:@Domain flags:u', ''],
  DOMAIN_SNAPSHOT_CREATE_XML: [185, 'dom:@Domain xml_desc:s flags:u', 'snap:@DomainSnapshot'],
  DOMAIN_SNAPSHOT_GET_XML_DESC: [186, 'snap:@DomainSnapshot flags:u', 'xml:s'],
  DOMAIN_SNAPSHOT_NUM: [187, 'dom:@Domain flags:u', 'num:i'],
  DOMAIN_SNAPSHOT_LIST_NAMES: [188, 'dom:@Domain maxnames:i flags:u', 'names:[16384]s'],
  DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: [189, 'dom:@Domain name:s flags:u', 'snap:@DomainSnapshot'],
  DOMAIN_HAS_CURRENT_SNAPSHOT: [190, 'dom:@Domain flags:u', 'result:i'],
  DOMAIN_SNAPSHOT_CURRENT: [191, 'dom:@Domain flags:u', 'snap:@DomainSnapshot'],
  DOMAIN_REVERT_TO_SNAPSHOT: [192, 'snap:@DomainSnapshot flags:u', ''],
  DOMAIN_SNAPSHOT_DELETE: [193, 'snap:@DomainSnapshot flags:u', ''],
  DOMAIN_GET_BLOCK_INFO: [194, 'dom:@Domain path:s flags:u', 'allocation:H capacity:H physical:H'],
  DOMAIN_CREATE_WITH_FLAGS: [196, 'dom:@Domain flags:u', 'dom:@Domain'],
  DOMAIN_SET_MEMORY_PARAMETERS: [197, 'dom:@Domain params:[16]@TypedParam flags:u', ''],
  DOMAIN_GET_MEMORY_PARAMETERS: [198, 'dom:@Domain nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  DOMAIN_SET_VCPUS_FLAGS: [199, 'dom:@Domain nvcpus:u flags:u', ''],
  DOMAIN_GET_VCPUS_FLAGS: [200, 'dom:@Domain flags:u', 'num:i'],
  DOMAIN_OPEN_CONSOLE: [201, 'dom:@Domain dev_name:?s flags:u', ''],
  DOMAIN_IS_UPDATED: [202, 'dom:@Domain', 'updated:i'],
  CONNECT_GET_SYSINFO: [203, 'flags:u', 'sysinfo:s'],
  DOMAIN_SET_MEMORY_FLAGS: [204, 'dom:@Domain memory:H flags:u', ''],
  DOMAIN_SET_BLKIO_PARAMETERS: [205, 'dom:@Domain params:[16]@TypedParam flags:u', ''],
  DOMAIN_GET_BLKIO_PARAMETERS: [206, 'dom:@Domain nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  DOMAIN_MIGRATE_SET_MAX_SPEED: [207, 'dom:@Domain bandwidth:H flags:u', ''],
  STORAGE_VOL_UPLOAD: [208, 'vol:@StorageVol offset:H length:H flags:u', ''],
  STORAGE_VOL_DOWNLOAD: [209, 'vol:@StorageVol offset:H length:H flags:u', ''],
  DOMAIN_INJECT_NMI: [210, 'dom:@Domain flags:u', ''],
  DOMAIN_SCREENSHOT: [211, 'dom:@Domain screen:u flags:u', 'mime:?s'],
  DOMAIN_GET_STATE: [212, 'dom:@Domain flags:u', 'state:i reason:i'],
  DOMAIN_MIGRATE_BEGIN3: [213, 'dom:@Domain xmlin:?s flags:H dname:?s resource:H', 'cookie_out:[4194304]o xml:s'],
  DOMAIN_MIGRATE_PREPARE3: [214, 'cookie_in:[4194304]o uri_in:?s flags:H dname:?s resource:H dom_xml:s', 'cookie_out:[4194304]o uri_out:?s'],
  DOMAIN_MIGRATE_PREPARE_TUNNEL3: [215, 'cookie_in:[4194304]o flags:H dname:?s resource:H dom_xml:s', 'cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_PERFORM3: [216, 'dom:@Domain xmlin:?s cookie_in:[4194304]o dconnuri:?s uri:?s flags:H dname:?s resource:H', 'cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_FINISH3: [217, 'dname:s cookie_in:[4194304]o dconnuri:?s uri:?s flags:H cancelled:i', 'dom:@Domain cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_CONFIRM3: [218, 'dom:@Domain cookie_in:[4194304]o flags:H cancelled:i', ''],
  DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: [219, 'dom:@Domain params:[16]@TypedParam flags:u', ''],
  INTERFACE_CHANGE_BEGIN: [220, 'flags:u', ''],
  INTERFACE_CHANGE_COMMIT: [221, 'flags:u', ''],
  INTERFACE_CHANGE_ROLLBACK: [222, 'flags:u', ''],
  DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: [223, 'dom:@Domain nparams:i flags:u', 'params:[16]@TypedParam'],
  DOMAIN_PIN_VCPU_FLAGS: [225, 'dom:@Domain vcpu:u cpumap:[2048]o flags:u', ''],
  DOMAIN_SEND_KEY: [226, 'dom:@Domain codeset:u holdtime:u keycodes:[16]u flags:u', ''],
  NODE_GET_CPU_STATS: [227, 'cpuNum:i nparams:i flags:u', 'params:[16]@NodeGetCpuStats nparams:i'],
  NODE_GET_MEMORY_STATS: [228, 'nparams:i cellNum:i flags:u', 'params:[16]@NodeGetMemoryStats nparams:i'],
  DOMAIN_GET_CONTROL_INFO: [229, 'dom:@Domain flags:u', 'state:u details:u stateTime:H'],
  DOMAIN_GET_VCPU_PIN_INFO: [230, 'dom:@Domain ncpumaps:i maplen:i flags:u', 'cpumaps:[8388608]o num:i'],
  DOMAIN_UNDEFINE_FLAGS: [231, 'dom:@Domain flags:u', ''],
  DOMAIN_SAVE_FLAGS: [232, 'dom:@Domain to:s dxml:?s flags:u', ''],
  DOMAIN_RESTORE_FLAGS: [233, 'from:s dxml:?s flags:u', ''],
  DOMAIN_DESTROY_FLAGS: [234, 'dom:@Domain flags:u', ''],
  DOMAIN_SAVE_IMAGE_GET_XML_DESC: [235, 'file:s flags:u', 'xml:s'],
  DOMAIN_SAVE_IMAGE_DEFINE_XML: [236, 'file:s dxml:s flags:u', ''],
  DOMAIN_BLOCK_JOB_ABORT: [237, 'dom:@Domain path:s flags:u', ''],
  DOMAIN_GET_BLOCK_JOB_INFO: [238, 'dom:@Domain path:s flags:u', 'found:i type:i bandwidth:H cur:H end:H'],
  DOMAIN_BLOCK_JOB_SET_SPEED: [239, 'dom:@Domain path:s bandwidth:H flags:u', ''],
  DOMAIN_BLOCK_PULL: [240, 'dom:@Domain path:s bandwidth:H flags:u', ''],
  DOMAIN_MIGRATE_GET_MAX_SPEED: [242, 'dom:@Domain flags:u', 'bandwidth:H'],
  DOMAIN_BLOCK_STATS_FLAGS: [243, 'dom:@Domain path:s nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  DOMAIN_SNAPSHOT_GET_PARENT: [244, 'snap:@DomainSnapshot flags:u', 'snap:@DomainSnapshot'],
  DOMAIN_RESET: [245, 'dom:@Domain flags:u', ''],
  DOMAIN_SNAPSHOT_NUM_CHILDREN: [246, 'snap:@DomainSnapshot flags:u', 'num:i'],
  DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES: [247, 'snap:@DomainSnapshot maxnames:i flags:u', 'names:[16384]s'],
  DOMAIN_OPEN_GRAPHICS: [249, 'dom:@Domain idx:u flags:u', ''],
  NODE_SUSPEND_FOR_DURATION: [250, 'target:u duration:H flags:u', ''],
  DOMAIN_BLOCK_RESIZE: [251, 'dom:@Domain disk:s size:H flags:u', ''],
  DOMAIN_SET_BLOCK_IO_TUNE: [252, 'dom:@Domain disk:s params:[32]@TypedParam flags:u', ''],
  DOMAIN_GET_BLOCK_IO_TUNE: [253, 'dom:@Domain disk:?s nparams:i flags:u', 'params:[32]@TypedParam nparams:i'],
  DOMAIN_SET_NUMA_PARAMETERS: [254, 'dom:@Domain params:[16]@TypedParam flags:u', ''],
  DOMAIN_GET_NUMA_PARAMETERS: [255, 'dom:@Domain nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  DOMAIN_SET_INTERFACE_PARAMETERS: [256, 'dom:@Domain device:s params:[16]@TypedParam flags:u', ''],
  DOMAIN_GET_INTERFACE_PARAMETERS: [257, 'dom:@Domain device:s nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  DOMAIN_SHUTDOWN_FLAGS: [258, 'dom:@Domain flags:u', ''],
  STORAGE_VOL_WIPE_PATTERN: [259, 'vol:@StorageVol algorithm:u flags:u', ''],
  STORAGE_VOL_RESIZE: [260, 'vol:@StorageVol capacity:H flags:u', ''],
  DOMAIN_PM_SUSPEND_FOR_DURATION: [261, 'dom:@Domain target:u duration:H flags:u', ''],
  DOMAIN_GET_CPU_STATS: [262, 'dom:@Domain nparams:u start_cpu:i ncpus:u flags:u', 'params:[2048]@TypedParam nparams:i'],
  DOMAIN_GET_DISK_ERRORS: [263, 'dom:@Domain maxerrors:u flags:u', 'errors:[256]@DomainDiskError nerrors:i'],
  DOMAIN_SET_METADATA: [264, 'dom:@Domain type:i metadata:?s key:?s uri:?s flags:u', ''],
  DOMAIN_GET_METADATA: [265, 'dom:@Domain type:i uri:?s flags:u', 'metadata:s'],
  DOMAIN_BLOCK_REBASE: [266, 'dom:@Domain path:s base:?s bandwidth:H flags:u', ''],
  DOMAIN_PM_WAKEUP: [267, 'dom:@Domain flags:u', ''],
  DOMAIN_SNAPSHOT_IS_CURRENT: [271, 'snap:@DomainSnapshot flags:u', 'current:i'],
  DOMAIN_SNAPSHOT_HAS_METADATA: [272, 'snap:@DomainSnapshot flags:u', 'metadata:i'],
  CONNECT_LIST_ALL_DOMAINS: [273, 'need_results:i flags:u', 'domains:[16384]@Domain ret:u'],
  DOMAIN_LIST_ALL_SNAPSHOTS: [274, 'dom:@Domain need_results:i flags:u', 'snapshots:[16384]@DomainSnapshot ret:i'],
  DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN: [275, 'snapshot:@DomainSnapshot need_results:i flags:u', 'snapshots:[16384]@DomainSnapshot ret:i'],
  DOMAIN_GET_HOSTNAME: [277, 'dom:@Domain flags:u', 'hostname:s'],
  DOMAIN_GET_SECURITY_LABEL_LIST: [278, 'dom:@Domain', 'labels:[64]@DomainGetSecurityLabelRet ret:i'],
  DOMAIN_PIN_EMULATOR: [279, 'dom:@Domain cpumap:[2048]o flags:u', ''],
  DOMAIN_GET_EMULATOR_PIN_INFO: [280, 'dom:@Domain maplen:i flags:u', 'cpumaps:[8388608]o ret:i'],
  CONNECT_LIST_ALL_STORAGE_POOLS: [281, 'need_results:i flags:u', 'pools:[16384]@StoragePool ret:u'],
  STORAGE_POOL_LIST_ALL_VOLUMES: [282, 'pool:@StoragePool need_results:i flags:u', 'vols:[16384]@StorageVol ret:u'],
  CONNECT_LIST_ALL_NETWORKS: [283, 'need_results:i flags:u', 'nets:[16384]@Network ret:u'],
  CONNECT_LIST_ALL_INTERFACES: [284, 'need_results:i flags:u', 'ifaces:[16384]@Interface ret:u'],
  CONNECT_LIST_ALL_NODE_DEVICES: [285, 'need_results:i flags:u', 'devices:[65536]@NodeDevice ret:u'],
  CONNECT_LIST_ALL_NWFILTERS: [286, 'need_results:i flags:u', 'filters:[16384]@Nwfilter ret:u'],
  CONNECT_LIST_ALL_SECRETS: [287, 'need_results:i flags:u', 'secrets:[16384]@Secret ret:u'],
  NODE_SET_MEMORY_PARAMETERS: [288, 'params:[64]@TypedParam flags:u', ''],
  NODE_GET_MEMORY_PARAMETERS: [289, 'nparams:i flags:u', 'params:[64]@TypedParam nparams:i'],
  DOMAIN_BLOCK_COMMIT: [290, 'dom:@Domain disk:s base:?s top:?s bandwidth:H flags:u', ''],
  NETWORK_UPDATE: [291, 'net:@Network command:u section:u parentIndex:i xml:s flags:u', ''],
  NODE_GET_CPU_MAP: [293, 'need_map:i need_online:i flags:u', 'cpumap:[2048]o online:u ret:i'],
  DOMAIN_FSTRIM: [294, 'dom:@Domain mountPoint:?s minimum:H flags:u', ''],
  DOMAIN_SEND_PROCESS_SIGNAL: [295, 'dom:@Domain pid_value:h signum:u flags:u', ''],
  DOMAIN_OPEN_CHANNEL: [296, 'dom:@Domain name:?s flags:u', ''],
  NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN: [297, 'wwnn:s wwpn:s flags:u', 'dev:@NodeDevice'],
  DOMAIN_GET_JOB_STATS: [298, 'dom:@Domain flags:u', 'type:i params:[64]@TypedParam'],
  DOMAIN_MIGRATE_GET_COMPRESSION_CACHE: [299, 'dom:@Domain flags:u', 'cacheSize:H'],
  DOMAIN_MIGRATE_SET_COMPRESSION_CACHE: [300, 'dom:@Domain cacheSize:H flags:u', ''],
  NODE_DEVICE_DETACH_FLAGS: [301, 'name:s driverName:?s flags:u', ''],
  DOMAIN_MIGRATE_BEGIN3_PARAMS: [302, 'dom:@Domain params:[64]@TypedParam flags:u', 'cookie_out:[4194304]o xml:s'],
  DOMAIN_MIGRATE_PREPARE3_PARAMS: [303, 'params:[64]@TypedParam cookie_in:[4194304]o flags:u', 'cookie_out:[4194304]o uri_out:?s'],
  DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS: [304, 'params:[64]@TypedParam cookie_in:[4194304]o flags:u', 'cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_PERFORM3_PARAMS: [305, 'dom:@Domain dconnuri:?s params:[64]@TypedParam cookie_in:[4194304]o flags:u', 'cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_FINISH3_PARAMS: [306, 'params:[64]@TypedParam cookie_in:[4194304]o flags:u cancelled:i', 'dom:@Domain cookie_out:[4194304]o'],
  DOMAIN_MIGRATE_CONFIRM3_PARAMS: [307, 'dom:@Domain params:[64]@TypedParam cookie_in:[4194304]o flags:u cancelled:i', ''],
  DOMAIN_SET_MEMORY_STATS_PERIOD: [308, 'dom:@Domain period:i flags:u', ''],
  DOMAIN_CREATE_XML_WITH_FILES: [309, 'xml_desc:s flags:u', 'dom:@Domain'],
  DOMAIN_CREATE_WITH_FILES: [310, 'dom:@Domain flags:u', 'dom:@Domain'],
  CONNECT_GET_CPU_MODEL_NAMES: [312, 'arch:s need_results:i flags:u', 'models:[8192]s ret:i'],
  CONNECT_NETWORK_EVENT_REGISTER_ANY: [313, 'eventID:i net:?@Network', 'callbackID:i'],
  CONNECT_NETWORK_EVENT_DEREGISTER_ANY: [314, 'callbackID:i', ''],
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: [316, 'eventID:i dom:?@Domain', 'callbackID:i'],
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: [317, 'callbackID:i', ''],
  DOMAIN_CORE_DUMP_WITH_FORMAT: [334, 'dom:@Domain to:s dumpformat:u flags:u', ''],
  DOMAIN_FSFREEZE: [335, 'dom:@Domain mountpoints:[256]s flags:u', 'filesystems:i'],
  DOMAIN_FSTHAW: [336, 'dom:@Domain mountpoints:[256]s flags:u', 'filesystems:i'],
  DOMAIN_GET_TIME: [337, 'dom:@Domain flags:u', 'seconds:h nseconds:u'],
  DOMAIN_SET_TIME: [338, 'dom:@Domain seconds:h nseconds:u flags:u', ''],
  NODE_GET_FREE_PAGES: [340, 'pages:[1024]u startCell:i cellCount:u flags:u', 'counts:[1024]H'],
  NETWORK_GET_DHCP_LEASES: [341, 'net:@Network mac:?s need_results:i flags:u', 'leases:[65536]@NetworkDhcpLease ret:u'],
  CONNECT_GET_DOMAIN_CAPABILITIES: [342, 'emulatorbin:?s arch:?s machine:?s virttype:?s flags:u', 'capabilities:s'],
  DOMAIN_OPEN_GRAPHICS_FD: [343, 'dom:@Domain idx:u flags:u', ''],
  CONNECT_GET_ALL_DOMAIN_STATS: [344, 'doms:[16384]@Domain stats:u flags:u', 'retStats:[16384]@DomainStatsRecord'],
  DOMAIN_BLOCK_COPY: [345, 'dom:@Domain path:s destxml:s params:[16]@TypedParam flags:u', ''],
  NODE_ALLOC_PAGES: [347, 'pageSizes:[1024]u pageCounts:[1024]H startCell:i cellCount:u flags:u', 'ret:i'],
  DOMAIN_GET_FSINFO: [349, 'dom:@Domain flags:u', 'info:[256]@DomainFsinfo ret:u'],
  DOMAIN_DEFINE_XML_FLAGS: [350, 'xml:s flags:u', 'dom:@Domain'],
  DOMAIN_GET_IOTHREAD_INFO: [351, 'dom:@Domain flags:u', 'info:[16384]@DomainIothreadInfo ret:u'],
  DOMAIN_PIN_IOTHREAD: [352, 'dom:@Domain iothreads_id:u cpumap:[2048]o flags:u', ''],
  DOMAIN_INTERFACE_ADDRESSES: [353, 'dom:@Domain source:u flags:u', 'ifaces:[2048]@DomainInterface'],
  DOMAIN_ADD_IOTHREAD: [355, 'dom:@Domain iothread_id:u flags:u', ''],
  DOMAIN_DEL_IOTHREAD: [356, 'dom:@Domain iothread_id:u flags:u', ''],
  DOMAIN_SET_USER_PASSWORD: [357, 'dom:@Domain user:?s password:?s flags:u', ''],
  DOMAIN_RENAME: [358, 'dom:@Domain new_name:?s flags:u', 'retcode:i'],
  CONNECT_REGISTER_CLOSE_CALLBACK: [360, '', ''],
  CONNECT_UNREGISTER_CLOSE_CALLBACK: [361, '', ''],
  DOMAIN_MIGRATE_START_POST_COPY: [364, 'dom:@Domain flags:u', ''],
  DOMAIN_GET_PERF_EVENTS: [365, 'dom:@Domain flags:u', 'params:[64]@TypedParam'],
  DOMAIN_SET_PERF_EVENTS: [366, 'dom:@Domain params:[64]@TypedParam flags:u', ''],
  CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: [368, 'eventID:i pool:?@StoragePool', 'callbackID:i'],
  CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: [369, 'callbackID:i', ''],
  DOMAIN_GET_GUEST_VCPUS: [371, 'dom:@Domain flags:u', 'params:[64]@TypedParam'],
  DOMAIN_SET_GUEST_VCPUS: [372, 'dom:@Domain cpumap:s state:i flags:u', ''],
  CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: [374, 'eventID:i dev:?@NodeDevice', 'callbackID:i'],
  CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: [375, 'callbackID:i', ''],
  STORAGE_VOL_GET_INFO_FLAGS: [378, 'vol:@StorageVol flags:u', 'type:c capacity:H allocation:H'],
  CONNECT_SECRET_EVENT_REGISTER_ANY: [380, 'eventID:i secret:?@Secret', 'callbackID:i'],
  CONNECT_SECRET_EVENT_DEREGISTER_ANY: [381, 'callbackID:i', ''],
  DOMAIN_SET_VCPU: [384, 'dom:@Domain cpumap:s state:i flags:u', ''],
  DOMAIN_SET_BLOCK_THRESHOLD: [386, 'dom:@Domain dev:s threshold:H flags:u', ''],
  DOMAIN_MIGRATE_GET_MAX_DOWNTIME: [387, 'dom:@Domain flags:u', 'downtime:H'],
  DOMAIN_MANAGED_SAVE_GET_XML_DESC: [388, 'dom:@Domain flags:u', 'xml:s'],
  DOMAIN_MANAGED_SAVE_DEFINE_XML: [389, 'dom:@Domain dxml:?s flags:u', ''],
  DOMAIN_SET_LIFECYCLE_ACTION: [390, 'dom:@Domain type:u action:u flags:u', ''],
  STORAGE_POOL_LOOKUP_BY_TARGET_PATH: [391, 'path:s', 'pool:@StoragePool'],
  DOMAIN_DETACH_DEVICE_ALIAS: [392, 'dom:@Domain alias:s flags:u', ''],
  CONNECT_COMPARE_HYPERVISOR_CPU: [393, 'emulator:?s arch:?s machine:?s virttype:?s xmlCPU:s flags:u', 'result:i'],
  CONNECT_BASELINE_HYPERVISOR_CPU: [394, 'emulator:?s arch:?s machine:?s virttype:?s xmlCPUs:[256]s flags:u', 'cpu:s'],
  NODE_GET_SEV_INFO: [395, 'nparams:i flags:u', 'params:[64]@TypedParam nparams:i'],
  DOMAIN_GET_LAUNCH_SECURITY_INFO: [396, 'dom:@Domain flags:u', 'params:[64]@TypedParam'],
  NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: [397, 'name:s', 'nwfilter:@NwfilterBinding'],
  NWFILTER_BINDING_GET_XML_DESC: [398, 'nwfilter:@NwfilterBinding flags:u', 'xml:s'],
  NWFILTER_BINDING_CREATE_XML: [399, 'xml:s flags:u', 'nwfilter:@NwfilterBinding'],
  NWFILTER_BINDING_DELETE: [400, 'nwfilter:@NwfilterBinding', ''],
  CONNECT_LIST_ALL_NWFILTER_BINDINGS: [401, 'need_results:i flags:u', 'bindings:[16384]@NwfilterBinding ret:u'],
  DOMAIN_SET_IOTHREAD_PARAMS: [402, 'dom:@Domain iothread_id:u params:[64]@TypedParam flags:u', ''],
  CONNECT_GET_STORAGE_POOL_CAPABILITIES: [403, 'flags:u', 'capabilities:s'],
  NETWORK_LIST_ALL_PORTS: [404, 'network:@Network need_results:i flags:u', 'ports:[16384]@NetworkPort ret:u'],
  NETWORK_PORT_LOOKUP_BY_UUID: [405, 'network:@Network uuid:U', 'port:@NetworkPort'],
  NETWORK_PORT_CREATE_XML: [406, 'network:@Network xml:s flags:u', 'port:@NetworkPort'],
  NETWORK_PORT_GET_PARAMETERS: [407, 'port:@NetworkPort nparams:i flags:u', 'params:[16]@TypedParam nparams:i'],
  NETWORK_PORT_SET_PARAMETERS: [408, 'port:@NetworkPort params:[16]@TypedParam flags:u', ''],
  NETWORK_PORT_GET_XML_DESC: [409, 'port:@NetworkPort flags:u', 'xml:s'],
  NETWORK_PORT_DELETE: [410, 'port:@NetworkPort flags:u', ''],
  DOMAIN_CHECKPOINT_CREATE_XML: [411, 'dom:@Domain xml_desc:s flags:u', 'checkpoint:@DomainCheckpoint'],
  DOMAIN_CHECKPOINT_GET_XML_DESC: [412, 'checkpoint:@DomainCheckpoint flags:u', 'xml:s'],
  DOMAIN_LIST_ALL_CHECKPOINTS: [413, 'dom:@Domain need_results:i flags:u', 'checkpoints:[16384]@DomainCheckpoint ret:i'],
  DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN: [414, 'checkpoint:@DomainCheckpoint need_results:i flags:u', 'checkpoints:[16384]@DomainCheckpoint ret:i'],
  DOMAIN_CHECKPOINT_LOOKUP_BY_NAME: [415, 'dom:@Domain name:s flags:u', 'checkpoint:@DomainCheckpoint'],
  DOMAIN_CHECKPOINT_GET_PARENT: [416, 'checkpoint:@DomainCheckpoint flags:u', 'parent:@DomainCheckpoint'],
  DOMAIN_CHECKPOINT_DELETE: [417, 'checkpoint:@DomainCheckpoint flags:u', ''],
  DOMAIN_GET_GUEST_INFO: [418, 'dom:@Domain types:u flags:u', 'params:[2048]@TypedParam'],
  CONNECT_SET_IDENTITY: [419, 'params:[20]@TypedParam flags:u', ''],
  DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: [420, 'dom:@Domain timeout:i flags:u', 'result:i'],
  DOMAIN_BACKUP_BEGIN: [421, 'dom:@Domain backup_xml:s checkpoint_xml:?s flags:u', ''],
  DOMAIN_BACKUP_GET_XML_DESC: [422, 'dom:@Domain flags:u', 'xml:s'],
  DOMAIN_AUTHORIZED_SSH_KEYS_GET: [424, 'dom:@Domain user:s flags:u', 'keys:[2048]s'],
  DOMAIN_AUTHORIZED_SSH_KEYS_SET: [425, 'dom:@Domain user:s keys:[2048]s flags:u', ''],
  DOMAIN_GET_MESSAGES: [426, 'dom:@Domain flags:u', 'msgs:[2048]s'],
  DOMAIN_START_DIRTY_RATE_CALC: [427, 'dom:@Domain seconds:i flags:u', ''],
  NODE_DEVICE_DEFINE_XML: [428, 'xml_desc:s flags:u', 'dev:@NodeDevice'],
  NODE_DEVICE_UNDEFINE: [429, 'name:s flags:u', ''],
  NODE_DEVICE_CREATE: [430, 'name:s flags:u', ''],
  NWFILTER_DEFINE_XML_FLAGS: [431, 'xml:s flags:u', 'nwfilter:@Nwfilter'],
  NETWORK_DEFINE_XML_FLAGS: [432, 'xml:s flags:u', 'net:@Network'],
  NODE_DEVICE_GET_AUTOSTART: [433, 'name:s', 'autostart:i'],
  NODE_DEVICE_SET_AUTOSTART: [434, 'name:s autostart:i', ''],
  NODE_DEVICE_IS_PERSISTENT: [435, 'name:s', 'persistent:i'],
  NODE_DEVICE_IS_ACTIVE: [436, 'name:s', 'active:i'],
  NETWORK_CREATE_XML_FLAGS: [437, 'xml:s flags:u', 'net:@Network'],
  DOMAIN_SET_LAUNCH_SECURITY_STATE: [439, 'dom:@Domain params:[64]@TypedParam flags:u', ''],
  DOMAIN_SAVE_PARAMS: [440, 'dom:@Domain params:[64]@TypedParam flags:u', ''],
  DOMAIN_RESTORE_PARAMS: [441, 'params:[64]@TypedParam flags:u', ''],
  DOMAIN_ABORT_JOB_FLAGS: [442, 'dom:@Domain flags:u', ''],
  DOMAIN_FD_ASSOCIATE: [443, 'dom:@Domain name:s flags:u', ''],
  QEMU_DOMAIN_MONITOR_COMMAND: [1, 'dom:@Domain cmd:s flags:u', 'result:s'],
  QEMU_DOMAIN_ATTACH: [2, 'pid_value:u flags:u', 'dom:@Domain'],
  QEMU_DOMAIN_AGENT_COMMAND: [3, 'dom:@Domain cmd:s timeout:i flags:u', 'result:?s'],
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: [4, 'dom:?@Domain event:?s flags:u', 'callbackID:i'],
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: [5, 'callbackID:i', ''],
  QEMU_DOMAIN_MONITOR_COMMAND_WITH_FILES: [7, 'dom:@Domain cmd:s flags:u', 'result:s'],
};

/** What the server sends unasked: number and descriptor. */
export const messages: { readonly [M in keyof Messages]: readonly [number, string] } = {
  DOMAIN_EVENT_LIFECYCLE: [107, 'dom:@Domain event:i detail:i'],
  DOMAIN_EVENT_REBOOT: [169, 'dom:@Domain'],
  DOMAIN_EVENT_RTC_CHANGE: [170, 'dom:@Domain offset:h'],
  DOMAIN_EVENT_WATCHDOG: [171, 'dom:@Domain action:i'],
  DOMAIN_EVENT_IO_ERROR: [172, 'dom:@Domain srcPath:s devAlias:s action:i'],
  DOMAIN_EVENT_GRAPHICS: [173, 'dom:@Domain phase:i local:@DomainEventGraphicsAddress remote:@DomainEventGraphicsAddress authScheme:s subject:[20]@DomainEventGraphicsIdentity'],
  DOMAIN_EVENT_IO_ERROR_REASON: [195, 'dom:@Domain srcPath:s devAlias:s action:i reason:s'],
  DOMAIN_EVENT_CONTROL_ERROR: [224, 'dom:@Domain'],
  DOMAIN_EVENT_BLOCK_JOB: [241, 'dom:@Domain path:s type:i status:i'],
  DOMAIN_EVENT_DISK_CHANGE: [248, 'dom:@Domain oldSrcPath:?s newSrcPath:?s devAlias:s reason:i'],
  DOMAIN_EVENT_TRAY_CHANGE: [268, 'dom:@Domain devAlias:s reason:i'],
  DOMAIN_EVENT_PMWAKEUP: [269, 'dom:@Domain'],
  DOMAIN_EVENT_PMSUSPEND: [270, 'dom:@Domain'],
  DOMAIN_EVENT_BALLOON_CHANGE: [276, 'dom:@Domain actual:H'],
  DOMAIN_EVENT_PMSUSPEND_DISK: [292, 'dom:@Domain'],
  DOMAIN_EVENT_DEVICE_REMOVED: [311, 'dom:@Domain devAlias:s'],
  NETWORK_EVENT_LIFECYCLE: [315, 'callbackID:i net:@Network event:i detail:i'],
  DOMAIN_EVENT_CALLBACK_LIFECYCLE: [318, 'callbackID:i msg:@DomainEventLifecycleMsg'],
  DOMAIN_EVENT_CALLBACK_REBOOT: [319, 'callbackID:i msg:@DomainEventRebootMsg'],
  DOMAIN_EVENT_CALLBACK_RTC_CHANGE: [320, 'callbackID:i msg:@DomainEventRtcChangeMsg'],
  DOMAIN_EVENT_CALLBACK_WATCHDOG: [321, 'callbackID:i msg:@DomainEventWatchdogMsg'],
  DOMAIN_EVENT_CALLBACK_IO_ERROR: [322, 'callbackID:i msg:@DomainEventIoErrorMsg'],
  DOMAIN_EVENT_CALLBACK_GRAPHICS: [323, 'callbackID:i msg:@DomainEventGraphicsMsg'],
  DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON: [324, 'callbackID:i msg:@DomainEventIoErrorReasonMsg'],
  DOMAIN_EVENT_CALLBACK_CONTROL_ERROR: [325, 'callbackID:i msg:@DomainEventControlErrorMsg'],
  DOMAIN_EVENT_CALLBACK_BLOCK_JOB: [326, 'callbackID:i msg:@DomainEventBlockJobMsg'],
  DOMAIN_EVENT_CALLBACK_DISK_CHANGE: [327, 'callbackID:i msg:@DomainEventDiskChangeMsg'],
  DOMAIN_EVENT_CALLBACK_TRAY_CHANGE: [328, 'callbackID:i msg:@DomainEventTrayChangeMsg'],
  DOMAIN_EVENT_CALLBACK_PMWAKEUP: [329, 'callbackID:i reason:i msg:@DomainEventPmwakeupMsg'],
  DOMAIN_EVENT_CALLBACK_PMSUSPEND: [330, 'callbackID:i reason:i msg:@DomainEventPmsuspendMsg'],
  DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE: [331, 'callbackID:i msg:@DomainEventBalloonChangeMsg'],
  DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK: [332, 'callbackID:i reason:i msg:@DomainEventPmsuspendDiskMsg'],
  DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED: [333, 'callbackID:i msg:@DomainEventDeviceRemovedMsg'],
  DOMAIN_EVENT_BLOCK_JOB_2: [339, 'callbackID:i dom:@Domain dst:s type:i status:i'],
  DOMAIN_EVENT_CALLBACK_TUNABLE: [346, 'callbackID:i dom:@Domain params:[2048]@TypedParam'],
  DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE: [348, 'callbackID:i dom:@Domain state:i reason:i'],
  DOMAIN_EVENT_CALLBACK_DEVICE_ADDED: [354, 'callbackID:i dom:@Domain devAlias:s'],
  DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION: [359, 'callbackID:i dom:@Domain iteration:i'],
  CONNECT_EVENT_CONNECTION_CLOSED: [362, 'reason:i'],
  DOMAIN_EVENT_CALLBACK_JOB_COMPLETED: [363, 'callbackID:i dom:@Domain params:[64]@TypedParam'],
  DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED: [367, 'callbackID:i dom:@Domain devAlias:s'],
  STORAGE_POOL_EVENT_LIFECYCLE: [370, 'callbackID:i pool:@StoragePool event:i detail:i'],
  STORAGE_POOL_EVENT_REFRESH: [373, 'callbackID:i pool:@StoragePool'],
  NODE_DEVICE_EVENT_LIFECYCLE: [376, 'callbackID:i dev:@NodeDevice event:i detail:i'],
  NODE_DEVICE_EVENT_UPDATE: [377, 'callbackID:i dev:@NodeDevice'],
  DOMAIN_EVENT_CALLBACK_METADATA_CHANGE: [379, 'callbackID:i dom:@Domain type:i nsuri:?s'],
  SECRET_EVENT_LIFECYCLE: [382, 'callbackID:i secret:@Secret event:i detail:i'],
  SECRET_EVENT_VALUE_CHANGED: [383, 'callbackID:i secret:@Secret'],
  DOMAIN_EVENT_BLOCK_THRESHOLD: [385, 'callbackID:i dom:@Domain dev:s path:?s threshold:H excess:H'],
  DOMAIN_EVENT_MEMORY_FAILURE: [423, 'callbackID:i dom:@Domain recipient:i action:i flags:u'],
  DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE: [438, 'callbackID:i dom:@Domain alias:s size:H'],
  QEMU_DOMAIN_MONITOR_EVENT: [6, 'callbackID:i dom:@Domain event:s seconds:h micros:u details:?s'],
};

/** Procedures that open a stream, with the side that the data flows to as libvirt annotates it. */
export const streamProcedures = {
  DOMAIN_MIGRATE_PREPARE_TUNNEL: 'write',
  DOMAIN_OPEN_CONSOLE: 'read',
  STORAGE_VOL_UPLOAD: 'write',
  STORAGE_VOL_DOWNLOAD: 'read',
  DOMAIN_SCREENSHOT: 'read',
  DOMAIN_MIGRATE_PREPARE_TUNNEL3: 'write',
  DOMAIN_OPEN_CHANNEL: 'read',
} as const;
