/** The status of a HostPool: what its hosts say together. Pure. */
import type { Host } from '../../api/host.ts';
import type { HostPoolStatus } from '../../api/host-pool.ts';
import { formatQuantity, parseQuantity } from '../../api/quantity.ts';
import { setConditions } from '../../runtime/conditions.ts';
import type { Fault } from '../../runtime/fault.ts';
import { condition, namesOf, reasonOfFault, type Standing, standingConditions } from '../standing.ts';
import type { HostPoolWorld } from './world.ts';

const conditionOf = ({ status }: Host, type: string) => status?.conditions?.find((it) => it.type === type);

/** Answers and takes machines. */
export const isReady = (host: Host): boolean =>
  conditionOf(host, 'Ready')?.status === 'True' && conditionOf(host, 'Schedulable')?.status === 'True';

const isUntold = (host: Host): boolean => conditionOf(host, 'Ready') === undefined;

interface Amount {
  readonly cpus: number;
  readonly memory: string;
}

const sumOf = (amounts: readonly (Amount | undefined)[]): Amount => {
  let cpus = 0;
  let memory = 0n;
  for (const amount of amounts) {
    cpus += amount?.cpus ?? 0;
    memory += amount === undefined ? 0n : parseQuantity(amount.memory);
  }
  return { cpus, memory: formatQuantity(memory) };
};

const deletion = ({ pool, machines, hosts }: HostPoolWorld): string => {
  if (machines.length > 0) return `Machines still name the pool: ${namesOf(machines)}.`;
  return hosts.length > 0
    ? `Hosts of the pool are being let go of: ${namesOf(hosts.map(({ metadata }) => metadata.name))}.`
    : `HostPool ${pool.metadata.name} is being removed.`;
};

const names = (hosts: readonly Host[]): string => namesOf(hosts.map(({ metadata }) => metadata.name));

const standingOf = (world: HostPoolWorld, fault: Fault | undefined): Standing => {
  const { pool, hosts, listed, machines } = world;
  if (fault !== undefined) return { ready: 'False', reason: reasonOfFault(fault), message: fault.message };
  if (pool.metadata.deletionTimestamp !== undefined) {
    const reason = machines.length > 0 ? 'WaitingForDependents' : 'Deleting';
    return { ready: 'False', reason, message: deletion(world) };
  }
  if (listed.length === 0)
    return { ready: 'False', reason: 'NoHostsReady', message: 'The pool lists no hosts.' };
  const untold = hosts.filter(isUntold);
  if (untold.length > 0 || hosts.length < listed.length) {
    return { ready: 'False', reason: 'Connecting', message: 'Hosts of the pool are being connected.' };
  }
  const unready = hosts.filter((host) => !isReady(host));
  if (unready.length === 0) return { ready: 'True', reason: 'Ready', message: 'All hosts are ready.' };
  return unready.length === hosts.length
    ? { ready: 'False', reason: 'NoHostsReady', message: `No host is ready: ${names(unready)}.` }
    : { ready: 'True', reason: 'SomeHostsNotReady', message: `Some hosts are not ready: ${names(unready)}.` };
};

export const statusOf = (world: HostPoolWorld, fault: Fault | undefined, nowMs: number): HostPoolStatus => {
  const { pool, hosts } = world;
  const standing = standingOf(world, fault);
  const inputs = [
    ...standingConditions(standing),
    ...(pool.metadata.deletionTimestamp === undefined
      ? []
      : [condition('Deleting', 'True', standing.reason, standing.message)]),
  ];
  const stamp = { generation: pool.metadata.generation, nowMs };
  return {
    observedGeneration: pool.metadata.generation,
    hosts: { total: hosts.length, ready: hosts.filter(isReady).length },
    capacity: sumOf(hosts.map(({ status }) => status?.capacity)),
    allocated: sumOf(hosts.map(({ status }) => status?.allocated)),
    conditions: [...setConditions(pool.status?.conditions ?? [], inputs, stamp)],
  };
};
