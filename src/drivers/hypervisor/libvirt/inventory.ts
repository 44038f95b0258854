/**
 * Which machines a host holds, kept by events and put right by every bulk list: it tells where to look, never what is
 * true. Metadata is read once for each uuid and again when a definition changes.
 */
import type { VmIdentity, VmRecord } from '../contract.ts';

export interface Machine {
  readonly uuid: string;
  readonly name: string;
  readonly state: number;
  readonly reason: number;
  /** Undefined for a foreign machine, and while `read` is false. */
  readonly record: VmRecord | undefined;
  readonly read: boolean;
}

export interface Inventory {
  get(uuid: string): Machine | undefined;
  all(): readonly Machine[];
  /** Adds or replaces. */
  put(machine: Machine): void;
  remove(uuid: string): void;
  /** Makes the list the truth; what is known of those that stay is kept. Answers the uuids to read. */
  replace(list: readonly Pick<Machine, 'uuid' | 'name' | 'state' | 'reason'>[]): readonly string[];
  /** Machines of the same namespace and name under another uid, or with our domain name but not our uuid. */
  namesakes(vm: VmIdentity): readonly Machine[];
}

const recordKey = (record: Pick<VmRecord, 'clusterId' | 'namespace' | 'name'>): string =>
  `${record.clusterId}/${record.namespace}/${record.name}`;

const createIndex = () => {
  const sets = new Map<string, Set<string>>();
  return {
    add: (key: string, uuid: string): void => {
      const set = sets.get(key) ?? new Set();
      sets.set(key, set.add(uuid));
    },
    remove: (key: string, uuid: string): void => {
      const set = sets.get(key);
      set?.delete(uuid);
      if (set?.size === 0) sets.delete(key);
    },
    get: (key: string): Iterable<string> => sets.get(key) ?? [],
  };
};

export const createInventory = (): Inventory => {
  const machines = new Map<string, Machine>();
  const byName = createIndex();
  const byRecord = createIndex();

  const remove = (uuid: string): void => {
    const machine = machines.get(uuid);
    if (machine === undefined) return;
    machines.delete(uuid);
    byName.remove(machine.name, uuid);
    if (machine.record !== undefined) byRecord.remove(recordKey(machine.record), uuid);
  };
  const put = (machine: Machine): void => {
    remove(machine.uuid);
    machines.set(machine.uuid, machine);
    byName.add(machine.name, machine.uuid);
    if (machine.record !== undefined) byRecord.add(recordKey(machine.record), machine.uuid);
  };
  return {
    get: (uuid) => machines.get(uuid),
    all: () => [...machines.values()],
    put,
    remove,
    replace: (list) => {
      const listed = new Set(list.map(({ uuid }) => uuid));
      for (const uuid of machines.keys()) if (!listed.has(uuid)) remove(uuid);
      for (const row of list) {
        const known = machines.get(row.uuid);
        put({ ...row, record: known?.record, read: known?.read ?? false });
      }
      return [...machines.values()].filter(({ read }) => !read).map(({ uuid }) => uuid);
    },
    namesakes: (vm) => {
      const uuids = new Set([...byName.get(vm.domainName), ...byRecord.get(recordKey(vm))]);
      uuids.delete(vm.uuid);
      return [...uuids].flatMap((uuid) => machines.get(uuid) ?? []);
    },
  };
};
