/** Which host gets a machine. Pure and deterministic: the same facts give the same host (I14). */
import type { Capability } from '../../drivers/hypervisor/contract.ts';
import type { AttachmentKind } from '../../drivers/hypervisor/shape.ts';

/** A host as placement sees it; amounts already include what is promised to machines that are still on their way. */
export interface HostCandidate {
  /** Name of the Host object. */
  readonly host: string;
  readonly reachable: boolean;
  readonly schedulable: boolean;
  /** Why it takes no new machine, when it does not. */
  readonly closedBecause?: string | undefined;
  readonly capabilities: readonly Capability[];
  /** Capacity after overcommit. */
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly allocatedCpus: number;
  readonly allocatedMemoryMiB: number;
  /** Storage pools and networks that are ready on it, by object name. */
  readonly storagePools: ReadonlySet<string>;
  readonly networks: ReadonlySet<string>;
  /** Ways in which a disk can reach it. */
  readonly attachmentKinds: readonly AttachmentKind[];
}

export interface PlacementRequest {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly capabilities: readonly Capability[];
  readonly storagePools: readonly string[];
  readonly networks: readonly string[];
  readonly attachmentKinds: readonly AttachmentKind[];
  /** Hosts that the machine's disks are bound to; more than one can never be satisfied. */
  readonly boundTo: readonly { readonly host: string; readonly disk: string }[];
}

export type UnplacedReason =
  | 'HostUnreachable'
  | 'HostUnschedulable'
  | 'DiskElsewhere'
  | 'StoragePoolNotReady'
  | 'NetworkNotReady'
  | 'CapabilityMissing'
  | 'InsufficientCPU'
  | 'InsufficientMemory';

export interface Unplaced {
  readonly host: string;
  readonly reason: UnplacedReason;
  readonly message: string;
}

export type Placement =
  | { readonly kind: 'placed'; readonly host: string }
  | { readonly kind: 'unplaced'; readonly hosts: readonly Unplaced[] };

const missing = (wanted: readonly string[], there: ReadonlySet<string>): string | undefined =>
  wanted.find((name) => !there.has(name));

const lacking: Readonly<Record<AttachmentKind, string>> = {
  file: 'it cannot open files',
  network: 'its emulator cannot open disks of iSCSI targets: the driver is not installed',
  block: 'it is not reached by SSH, which logging in to iSCSI targets needs',
};

type Check = (host: HostCandidate, request: PlacementRequest) => Omit<Unplaced, 'host'> | undefined;

/** In the order in which a person would want to hear of them. */
const checks: readonly Check[] = [
  ({ reachable }) =>
    reachable ? undefined : { reason: 'HostUnreachable', message: 'the host cannot be reached' },
  ({ schedulable, closedBecause }) =>
    schedulable
      ? undefined
      : { reason: 'HostUnschedulable', message: closedBecause ?? 'the host takes no new machines' },
  ({ host }, { boundTo }) => {
    const elsewhere = boundTo.find((bound) => bound.host !== host);
    return elsewhere === undefined
      ? undefined
      : { reason: 'DiskElsewhere', message: `disk ${elsewhere.disk} is on ${elsewhere.host}` };
  },
  // Before the pool, which is not ready there for that very reason.
  ({ attachmentKinds: there }, { attachmentKinds }) => {
    const kind = attachmentKinds.find((it) => !there.includes(it));
    return kind === undefined ? undefined : { reason: 'CapabilityMissing', message: lacking[kind] };
  },
  ({ storagePools: there }, { storagePools }) => {
    const pool = missing(storagePools, there);
    return pool === undefined
      ? undefined
      : { reason: 'StoragePoolNotReady', message: `storage pool ${pool} is not ready there` };
  },
  ({ networks: there }, { networks }) => {
    const network = missing(networks, there);
    return network === undefined
      ? undefined
      : { reason: 'NetworkNotReady', message: `network ${network} is not ready there` };
  },
  ({ capabilities: there }, { capabilities }) => {
    const word = capabilities.find((capability) => !there.includes(capability));
    return word === undefined
      ? undefined
      : { reason: 'CapabilityMissing', message: `the host cannot do ${word}` };
  },
  (host, request) => {
    const free = host.cpus - host.allocatedCpus;
    return request.cpus <= free
      ? undefined
      : { reason: 'InsufficientCPU', message: `${request.cpus} vCPU wanted, ${Math.max(0, free)} free` };
  },
  (host, request) => {
    const free = host.memoryMiB - host.allocatedMemoryMiB;
    return request.memoryMiB <= free
      ? undefined
      : {
          reason: 'InsufficientMemory',
          message: `${request.memoryMiB} MiB of memory wanted, ${Math.max(0, free)} MiB free`,
        };
  },
];

const refusalOf = (host: HostCandidate, request: PlacementRequest): Unplaced | undefined => {
  for (const check of checks) {
    const refusal = check(host, request);
    if (refusal !== undefined) return { host: host.host, ...refusal };
  }
  return undefined;
};

/** Share of the scarcer resource that stays free if the machine goes there: the emptiest host wins, then by name. */
const roomAfter = (host: HostCandidate, request: PlacementRequest): number =>
  Math.min(
    (host.cpus - host.allocatedCpus - request.cpus) / Math.max(1, host.cpus),
    (host.memoryMiB - host.allocatedMemoryMiB - request.memoryMiB) / Math.max(1, host.memoryMiB),
  );

/** Picks the emptiest host that fits, or says of every host why it does not. */
export const place = (request: PlacementRequest, hosts: readonly HostCandidate[]): Placement => {
  const refused: Unplaced[] = [];
  let best: { readonly host: string; readonly room: number } | undefined;
  for (const host of hosts.toSorted((a, b) => (a.host < b.host ? -1 : 1))) {
    const refusal = refusalOf(host, request);
    if (refusal !== undefined) {
      refused.push(refusal);
      continue;
    }
    const room = roomAfter(host, request);
    if (best === undefined || room > best.room) best = { host: host.host, room };
  }
  return best === undefined ? { kind: 'unplaced', hosts: refused } : { kind: 'placed', host: best.host };
};
