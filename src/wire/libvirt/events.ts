import { decodeMessage, type MessageName, type ProcedureName } from './codec.ts';
import type { LibvirtCall } from './connection.ts';
import {
  type Domain,
  type Messages,
  messages,
  type Network,
  type NodeDevice,
  type StoragePool,
} from './protocol.gen.ts';

type OfDomain<K extends string, Rest = unknown> = { kind: K; domain: Domain } & Rest;

/** What a host reports by itself. Numbers of `event`, `detail`, `reason` and `state` are libvirt's enums. */
export type LibvirtEvent =
  /** virDomainEventType: 0 defined, 1 undefined, 2 started, 3 suspended, 4 resumed, 5 stopped, 6 shutdown, 7 PM, 8 crashed. */
  | OfDomain<'domainLifecycle', { event: number; detail: number }>
  | OfDomain<'domainReboot'>
  | OfDomain<'domainIoError', { path: string; alias: string; action: number; reason: string }>
  | OfDomain<
      'domainDiskChange',
      { alias: string; oldPath: string | null; newPath: string | null; reason: number }
    >
  /** reason 0 opened, 1 closed. */
  | OfDomain<'domainTrayChange', { alias: string; reason: number }>
  | OfDomain<'domainBalloonChange', { actualKiB: bigint }>
  | OfDomain<'domainDeviceAdded', { alias: string }>
  | OfDomain<'domainDeviceRemoved', { alias: string }>
  | OfDomain<'domainDeviceRemovalFailed', { alias: string }>
  /** state 1 connected, 2 disconnected. */
  | OfDomain<'domainAgentLifecycle', { state: number; reason: number }>
  | OfDomain<'domainMetadataChange', { type: number; namespace: string | null }>
  /** virNetworkEventLifecycleType: 0 defined, 1 undefined, 2 started, 3 stopped. */
  | { kind: 'networkLifecycle'; network: Network; event: number; detail: number }
  /** virStoragePoolEventLifecycleType: 0 defined, 1 undefined, 2 started, 3 stopped, 4 created, 5 deleted. */
  | { kind: 'storagePoolLifecycle'; pool: StoragePool; event: number; detail: number }
  | { kind: 'storagePoolRefresh'; pool: StoragePool }
  /** virNodeDeviceEventLifecycleType: 0 created, 1 deleted, 2 defined, 3 undefined. */
  | { kind: 'nodeDeviceLifecycle'; device: NodeDevice; event: number; detail: number }
  | { kind: 'nodeDeviceUpdate'; device: NodeDevice };

export type LibvirtEventKind = LibvirtEvent['kind'];
export type EventSubsystem = 'domain' | 'network' | 'storagePool' | 'nodeDevice';

type Source = {
  subsystem: EventSubsystem;
  id: number;
  read(payload: Buffer): LibvirtEvent;
  procedure: number;
};

const source = <M extends MessageName>(
  subsystem: EventSubsystem,
  id: number,
  message: M,
  map: (body: Messages[M]) => LibvirtEvent,
): Source => ({
  subsystem,
  id,
  procedure: messages[message][0],
  read: (payload) => map(decodeMessage(message, payload)),
});

/** Event ids: virDomainEventID (libvirt-domain.h) and its siblings of networks, pools and node devices. */
const sources: Readonly<Record<LibvirtEventKind, Source>> = {
  domainLifecycle: source('domain', 0, 'DOMAIN_EVENT_CALLBACK_LIFECYCLE', ({ msg }) => ({
    kind: 'domainLifecycle',
    domain: msg.dom,
    event: msg.event,
    detail: msg.detail,
  })),
  domainReboot: source('domain', 1, 'DOMAIN_EVENT_CALLBACK_REBOOT', ({ msg }) => ({
    kind: 'domainReboot',
    domain: msg.dom,
  })),
  domainIoError: source('domain', 6, 'DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON', ({ msg }) => ({
    kind: 'domainIoError',
    domain: msg.dom,
    path: msg.srcPath,
    alias: msg.devAlias,
    action: msg.action,
    reason: msg.reason,
  })),
  domainDiskChange: source('domain', 9, 'DOMAIN_EVENT_CALLBACK_DISK_CHANGE', ({ msg }) => ({
    kind: 'domainDiskChange',
    domain: msg.dom,
    alias: msg.devAlias,
    oldPath: msg.oldSrcPath,
    newPath: msg.newSrcPath,
    reason: msg.reason,
  })),
  domainTrayChange: source('domain', 10, 'DOMAIN_EVENT_CALLBACK_TRAY_CHANGE', ({ msg }) => ({
    kind: 'domainTrayChange',
    domain: msg.dom,
    alias: msg.devAlias,
    reason: msg.reason,
  })),
  domainBalloonChange: source('domain', 13, 'DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE', ({ msg }) => ({
    kind: 'domainBalloonChange',
    domain: msg.dom,
    actualKiB: msg.actual,
  })),
  domainDeviceAdded: source('domain', 19, 'DOMAIN_EVENT_CALLBACK_DEVICE_ADDED', ({ dom, devAlias }) => ({
    kind: 'domainDeviceAdded',
    domain: dom,
    alias: devAlias,
  })),
  domainDeviceRemoved: source('domain', 15, 'DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED', ({ msg }) => ({
    kind: 'domainDeviceRemoved',
    domain: msg.dom,
    alias: msg.devAlias,
  })),
  domainDeviceRemovalFailed: source(
    'domain',
    22,
    'DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED',
    ({ dom, devAlias }) => ({ kind: 'domainDeviceRemovalFailed', domain: dom, alias: devAlias }),
  ),
  domainAgentLifecycle: source('domain', 18, 'DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE', (body) => ({
    kind: 'domainAgentLifecycle',
    domain: body.dom,
    state: body.state,
    reason: body.reason,
  })),
  domainMetadataChange: source('domain', 23, 'DOMAIN_EVENT_CALLBACK_METADATA_CHANGE', (body) => ({
    kind: 'domainMetadataChange',
    domain: body.dom,
    type: body.type,
    namespace: body.nsuri,
  })),
  networkLifecycle: source('network', 0, 'NETWORK_EVENT_LIFECYCLE', (body) => ({
    kind: 'networkLifecycle',
    network: body.net,
    event: body.event,
    detail: body.detail,
  })),
  storagePoolLifecycle: source('storagePool', 0, 'STORAGE_POOL_EVENT_LIFECYCLE', (body) => ({
    kind: 'storagePoolLifecycle',
    pool: body.pool,
    event: body.event,
    detail: body.detail,
  })),
  storagePoolRefresh: source('storagePool', 1, 'STORAGE_POOL_EVENT_REFRESH', ({ pool }) => ({
    kind: 'storagePoolRefresh',
    pool,
  })),
  nodeDeviceLifecycle: source('nodeDevice', 0, 'NODE_DEVICE_EVENT_LIFECYCLE', (body) => ({
    kind: 'nodeDeviceLifecycle',
    device: body.dev,
    event: body.event,
    detail: body.detail,
  })),
  nodeDeviceUpdate: source('nodeDevice', 1, 'NODE_DEVICE_EVENT_UPDATE', ({ dev }) => ({
    kind: 'nodeDeviceUpdate',
    device: dev,
  })),
};

const byProcedure: ReadonlyMap<number, Source & { kind: LibvirtEventKind }> = new Map(
  Object.entries(sources).map(([kind, of]) => [of.procedure, { ...of, kind: kind as LibvirtEventKind }]),
);

export const eventSubsystem = (kind: LibvirtEventKind): EventSubsystem => sources[kind].subsystem;

const register = async (call: LibvirtCall, kind: LibvirtEventKind, signal: AbortSignal): Promise<number> => {
  const { subsystem, id: eventID } = sources[kind];
  switch (subsystem) {
    case 'domain': {
      const args = { eventID, dom: null };
      return (await call('CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY', args, signal)).callbackID;
    }
    case 'network':
      return (await call('CONNECT_NETWORK_EVENT_REGISTER_ANY', { eventID, net: null }, signal)).callbackID;
    case 'storagePool':
      return (await call('CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY', { eventID, pool: null }, signal))
        .callbackID;
    case 'nodeDevice':
      return (await call('CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY', { eventID, dev: null }, signal))
        .callbackID;
    default:
      return subsystem satisfies never;
  }
};

const deregisterWith: Readonly<Record<EventSubsystem, ProcedureName>> = {
  domain: 'CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY',
  network: 'CONNECT_NETWORK_EVENT_DEREGISTER_ANY',
  storagePool: 'CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY',
  nodeDevice: 'CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY',
};

type Listener = (event: LibvirtEvent) => void;

export type EventHub = {
  /**
   * Registers with the host (once per kind and connection, for all objects) and calls `listener` for each event until
   * the returned function is called or the connection ends. Events between the host's registration and the return are
   * delivered. Throws what a call throws.
   */
  subscribe(kinds: readonly LibvirtEventKind[], listener: Listener, signal: AbortSignal): Promise<() => void>;
};

/** `dispatch` takes the messages of the connection; unknown ones are of no interest to anyone here. */
export const createEventHub = (
  call: LibvirtCall,
): EventHub & { dispatch(procedure: number, payload: Buffer): void } => {
  const listeners = new Map<LibvirtEventKind, Set<Listener>>();
  const registered = new Map<LibvirtEventKind, Promise<number>>();
  const ensure = (kind: LibvirtEventKind, signal: AbortSignal): Promise<number> => {
    const known = registered.get(kind);
    if (known !== undefined) return known;
    const made = register(call, kind, signal);
    registered.set(kind, made);
    made.catch(() => registered.delete(kind));
    return made;
  };
  /** A host that cannot deregister any more has ended the connection, and the registration with it. */
  const drop = (kind: LibvirtEventKind): void => {
    const made = registered.get(kind);
    if (made === undefined) return;
    registered.delete(kind);
    made
      .then((callbackID) =>
        call(deregisterWith[sources[kind].subsystem], { callbackID }, new AbortController().signal),
      )
      .catch(() => {});
  };
  return {
    subscribe: async (kinds, listener, signal) => {
      const own: Listener = (event) => listener(event);
      const leave = (): void => {
        for (const kind of kinds) {
          const set = listeners.get(kind);
          if (set?.delete(own) === true && set.size === 0) drop(kind);
        }
      };
      for (const kind of kinds) listeners.set(kind, (listeners.get(kind) ?? new Set()).add(own));
      try {
        for (const kind of kinds) await ensure(kind, signal);
      } catch (error) {
        leave();
        throw error;
      }
      return leave;
    },
    dispatch: (procedure, payload) => {
      const from = byProcedure.get(procedure);
      const set = from === undefined ? undefined : listeners.get(from.kind);
      if (from === undefined || set === undefined || set.size === 0) return;
      const event = from.read(payload);
      for (const listener of set) listener(event);
    },
  };
};
