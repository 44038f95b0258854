/**
 * The omniscient checker: reads hosts, storage and API and watches every mutating call on its way. What it finds is
 * collected, so that a test that is about something else fails as well when an invariant breaks meanwhile.
 */
import type { SimulatedCall } from '../../src/drivers/hypervisor/simulated/gate.ts';
import type { SimulatedWorld } from '../../src/drivers/hypervisor/simulated/world.ts';
import type { Api, Thing, Watched } from './api.ts';
import {
  atQuiescence,
  deletionIsDue,
  durableRecord,
  type Facts,
  fits,
  generationGrows,
  leftAlone,
  nothingLeft,
  oneHostOneWriter,
  type Violation,
} from './invariants.ts';

export interface Checker {
  facts(): Facts;
  /** What was broken so far, each sentence once. */
  violations(): readonly Violation[];
  /** The same and what must hold now that nothing moves. */
  atRest(): readonly Violation[];
  /** A test that breaks an invariant on purpose (a finalizer removed by hand) says so. */
  forgive(pattern: RegExp): void;
  stop(): void;
}

const kinds: readonly Watched[] = [
  'VirtualMachine',
  'VirtualDisk',
  'VirtualMachineImage',
  'Host',
  'StoragePool',
];

const machineAt = (world: SimulatedWorld, call: SimulatedCall) =>
  call.subject === undefined ? undefined : world.find(call.host)?.machines.get(call.subject);

const pictureOf = (world: SimulatedWorld, call: SimulatedCall): string | undefined => {
  const machine = machineAt(world, call);
  return machine === undefined ? undefined : JSON.stringify([machine.record, machine.next, machine.power]);
};

export const createChecker = (world: SimulatedWorld, api: Api, clusterId: string): Checker => {
  const found = new Set<Violation>();
  const forgiven: RegExp[] = [];
  const add = (violations: readonly Violation[]): void => {
    for (const it of violations) if (!forgiven.some((pattern) => pattern.test(it))) found.add(it);
  };
  const list = (kind: Watched): Thing[] => api.stores[kind].list();
  const facts = (): Facts => ({
    clusterId,
    hosts: world.hosts(),
    hostPools: list('HostPool'),
    hostObjects: list('Host'),
    storagePools: list('StoragePool'),
    networks: list('VirtualNetwork'),
    images: list('VirtualMachineImage'),
    disks: list('VirtualDisk'),
    machines: list('VirtualMachine'),
  });

  /** The watch may be behind the server: what it lacks is waited for before it counts as missing. */
  const settled = async (judge: (now: Facts) => readonly Violation[]): Promise<readonly Violation[]> => {
    const at = judge(facts());
    if (at.length === 0) return at;
    return api
      .until('a durable record', () => judge(facts()).length === 0, 60_000)
      .then(
        () => [],
        () => judge(facts()),
      );
  };

  const before = new WeakMap<
    SimulatedCall,
    { readonly picture: string | undefined; readonly ours: boolean }
  >();
  const unhook = world.calls.hook(async (call, phase) => {
    if (!call.mutating) return;
    if (phase === 'before') {
      add(await settled((now) => durableRecord(now, call)));
      add(await settled((now) => deletionIsDue(now, call)));
      const ours = machineAt(world, call)?.record?.clusterId === clusterId;
      before.set(call, { picture: pictureOf(world, call), ours });
      return;
    }
    const was = before.get(call);
    if (was !== undefined) add(leftAlone(clusterId, call, was.picture, was.ours, pictureOf(world, call)));
    add(oneHostOneWriter(facts()));
    api.ring();
  });
  const leave = [
    unhook,
    world.events.subscribe(() => {
      add(oneHostOneWriter(facts()));
      api.ring();
    }),
    ...kinds.map((kind) =>
      api.stores[kind].subscribe(({ old, new: now }) => {
        add(generationGrows(old, now));
        if (old !== undefined && old.metadata.uid !== now?.metadata.uid) {
          const { hosts } = facts();
          add(nothingLeft({ clusterId, hosts }, old));
        }
        if (kind === 'VirtualMachine' && old?.status?.host !== now?.status?.host) add(fits(facts()));
      }),
    ),
  ];
  return {
    facts,
    violations: () => [...found],
    atRest: () => {
      const now = atQuiescence(facts()).filter((it) => !forgiven.some((pattern) => pattern.test(it)));
      return [...new Set([...found, ...now])];
    },
    forgive: (pattern) => {
      forgiven.push(pattern);
      for (const it of found) if (pattern.test(it)) found.delete(it);
    },
    stop: () => {
      for (const it of leave) it();
    },
  };
};
