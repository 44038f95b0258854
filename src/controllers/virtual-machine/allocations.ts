/**
 * What is promised on each host: the machines whose status names it, and those being placed by this process whose
 * intent is not in the cache yet. Kept by change, so that a placement costs nothing per machine. One process places
 * at a time (lease), and a hold is taken in the same turn of the event loop as the choice: no oversubscription (I15).
 */
import { bytesOf } from '../../api/quantity.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { StoreReader } from '../../kube/contract.ts';

export interface Usage {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly machines: number;
}

interface Promised {
  readonly host: string;
  readonly cpus: number;
  readonly memoryMiB: number;
}

export interface Allocations {
  usage(host: string): Usage;
  /** Reserves for a machine whose intent is about to be written; replaced by what its status says. */
  hold(uid: string, promised: Promised): void;
  /** The intent was not written. */
  release(uid: string): void;
}

const none: Usage = { cpus: 0, memoryMiB: 0, machines: 0 };

const promisedBy = (vm: VirtualMachine | undefined): Promised | undefined => {
  const host = vm?.status?.host;
  const resources = vm?.status?.resources;
  if (host === undefined || resources === undefined) return undefined;
  return { host, cpus: resources.cpus, memoryMiB: Math.ceil(bytesOf(resources.memory) / 1_048_576) };
};

export const createAllocations = (machines: StoreReader<VirtualMachine>): Allocations => {
  const totals = new Map<string, Usage>();
  const holds = new Map<string, Promised>();
  const count = (promised: Promised | undefined, sign: 1 | -1): void => {
    if (promised === undefined) return;
    const now = totals.get(promised.host) ?? none;
    totals.set(promised.host, {
      cpus: now.cpus + sign * promised.cpus,
      memoryMiB: now.memoryMiB + sign * promised.memoryMiB,
      machines: now.machines + sign,
    });
  };
  const release = (uid: string): void => {
    count(holds.get(uid), -1);
    holds.delete(uid);
  };
  const counted = new Map<string, Promised>();
  const recount = (key: string, vm: VirtualMachine | undefined): void => {
    count(counted.get(key), -1);
    counted.delete(key);
    const now = promisedBy(vm);
    if (now === undefined) return;
    counted.set(key, now);
    count(now, 1);
  };
  for (const vm of machines.list()) recount(`${vm.metadata.namespace}/${vm.metadata.name}`, vm);
  machines.subscribe((change) => {
    // An object that this version cannot read still has its machine: what it was promised stays promised.
    if (change.unreadable !== undefined) return;
    recount(change.key, change.new);
    const uid = (change.new ?? change.old)?.metadata.uid;
    if (uid !== undefined && (change.new === undefined || counted.has(change.key))) release(uid);
  });
  return {
    usage: (host) => totals.get(host) ?? none,
    hold: (uid, promised) => {
      release(uid);
      holds.set(uid, promised);
      count(promised, 1);
    },
    release,
  };
};
