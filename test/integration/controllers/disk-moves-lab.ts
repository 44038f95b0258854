/** A disk's controller by itself, over simulated hosts and servers: its steps, without an API server and its waits. */
import { moveOf } from '../../../src/api/disk-move.ts';
import type { Host } from '../../../src/api/host.ts';
import { diskVolumeName } from '../../../src/api/identity.ts';
import type { StoragePool } from '../../../src/api/storage-pool.ts';
import type { VirtualDisk, VirtualDiskStatus } from '../../../src/api/virtual-disk.ts';
import type { ControllerContext, Kinds } from '../../../src/controllers/context.ts';
import { diskIndexes, hostIndexes, storagePoolIndexes } from '../../../src/controllers/indexes.ts';
import { placeOf } from '../../../src/controllers/places.ts';
import { createStoragePromises } from '../../../src/controllers/storage-promises.ts';
import { decide } from '../../../src/controllers/virtual-disk/decide.ts';
import { type GatherDeps, gather } from '../../../src/controllers/virtual-disk/gather.ts';
import { createMoveMemory } from '../../../src/controllers/virtual-disk/move-memory.ts';
import { sampleDisk } from '../../../src/controllers/virtual-disk/sample-world.ts';
import { see } from '../../../src/controllers/virtual-disk/see.ts';
import { statusOf } from '../../../src/controllers/virtual-disk/status.ts';
import { take } from '../../../src/controllers/virtual-disk/take.ts';
import type { HypervisorPool } from '../../../src/drivers/hypervisor/contract.ts';
import { createSimulatedDriver } from '../../../src/drivers/hypervisor/simulated/driver.ts';
import { createWorld } from '../../../src/drivers/hypervisor/simulated/world.ts';
import type { StorageServer } from '../../../src/drivers/storage/contract.ts';
import { createSimulatedStorage } from '../../../src/drivers/storage/simulated/driver.ts';
import { createStorageWorld } from '../../../src/drivers/storage/simulated/world.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { statusEqual } from '../../../src/runtime/equal.ts';
import { Fault, isFault, toFault } from '../../../src/runtime/fault.ts';
import { createJobs } from '../../../src/runtime/jobs.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { marker, written } from '../../faults/disk-data.ts';
import { createTable } from './table.ts';

const clusterId = 'cluster-1';
export const diskUid = 'd0000000-0000-4000-8000-000000000001';
const key = 'team-a/data';
const clock = systemClock();
const never = new AbortController().signal;
const stamp = { resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
const whole = written(marker);

const poolOf = (name: string, uid: string, simulated: object, topology: string): StoragePool =>
  ({
    apiVersion: 'ovcp.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { ...stamp, name, uid },
    spec: {
      driver: 'simulated',
      hostPoolRefs: [{ name: 'kvm' }],
      topology,
      roles: ['Disks'],
      allowedNamespaces: { from: 'All' },
      maxImageSize: '100Gi',
      simulated,
    },
    status: { hosts: ['kvm.one', 'kvm.two'].map((host) => ({ name: host, ready: true, available: '1Ti' })) },
  }) as unknown as StoragePool;

const hostOf = (name: string): Host =>
  ({
    metadata: { ...stamp, name: `kvm.${name}`, uid: `host-${name}` },
    spec: { hostPoolRef: { name: 'kvm' }, hostName: name },
  }) as unknown as Host;

/** One operator: what it knows goes with it. */
interface Process {
  readonly deps: GatherDeps;
  readonly end: () => Promise<void>;
}

/** `before` it is sent, or after it happened. */
export interface Death {
  readonly effect: number;
  readonly when: 'before' | 'after';
}

export const createMovesLab = async () => {
  const storage = createStorageWorld({ clock });
  const { shareState, fabric } = storage;
  const world = createWorld({ clock, random: Math.random, shareState, fabric });
  const disks = createTable<VirtualDisk>(diskIndexes);
  const pools = createTable<StoragePool>(storagePoolIndexes);
  const hosts = createTable<Host>(hostIndexes);
  const empty = createTable<never>({});
  for (const pool of [
    poolOf('local', 'p-local', {}, 'HostLocal'),
    poolOf('share', 'p-share', {}, 'Shared'),
    poolOf('san', 'p-san', { server: { serves: 'Disks' } }, 'Shared'),
  ])
    pools.put(pool);
  for (const name of ['one', 'two']) hosts.put(hostOf(name));
  const trail: string[] = [];
  let effects = 0;
  /** Something was written on the disk, and the disk is not to go. */
  let marked = false;
  let death: Death | undefined;
  let process: Process;

  const change = (edit: (disk: VirtualDisk) => VirtualDisk): void => {
    const now = disks.get(key);
    if (now === undefined) throw new Fault('conflict', 'The disk is gone.');
    const { metadata, ...rest } = edit(now);
    const resourceVersion = String(Number(now.metadata.resourceVersion) + 1);
    disks.put({ ...rest, metadata: { ...metadata, resourceVersion } });
  };

  /** As the API server does it, for the paths that are written. */
  const patchJson = (patch: readonly { op: string; path: string; value?: unknown }[]): void =>
    change((disk) => {
      const annotations = { ...disk.metadata.annotations };
      let finalizers = [...(disk.metadata.finalizers ?? [])];
      for (const { op, path, value } of patch) {
        if (path === '/metadata/resourceVersion' && value !== disk.metadata.resourceVersion)
          throw new Fault('conflict', 'Somebody wrote first.');
        if (path === '/metadata/annotations' && op === 'add') Object.assign(annotations, value);
        if (path.startsWith('/metadata/annotations/')) {
          const name = path.slice('/metadata/annotations/'.length).replaceAll('~1', '/');
          if (op === 'add') annotations[name] = String(value);
          if (op === 'remove') delete annotations[name];
        }
        if (path === '/metadata/finalizers' && op === 'add') finalizers = value as string[];
        if (path.startsWith('/metadata/finalizers/') && op === 'remove') finalizers = [];
      }
      return { ...disk, metadata: { ...disk.metadata, annotations, finalizers } };
    });

  const openServer = async (pool: StoragePool): Promise<StorageServer> => {
    const server = createSimulatedStorage(storage).open({
      identity: { clusterId, poolUid: pool.metadata.uid, poolName: pool.metadata.name },
      wish: { kind: 'simulated', serves: 'disks', latencyMs: 0 },
      endpoints: [],
    });
    for (let plan = server.plan(await server.see(never)); plan.kind === 'step'; ) {
      await server.take(plan.step, never);
      plan = server.plan(await server.see(never));
    }
    return server;
  };

  const start = async (): Promise<Process> => {
    let alive = true;
    const session: HypervisorPool = createSimulatedDriver(world).open({
      hosts: ['one', 'two'].map((name) => ({ name, cpus: 4, memoryMiB: 4096 })),
      clusterId,
    });
    const san = pools.get('san');
    const server = san && (await openServer(san));
    for (const pool of pools.list().filter(({ metadata }) => metadata.name !== 'san')) {
      for (const host of ['one', 'two'])
        await session.hostStorage(host).take(placeOf(clusterId, pool), { kind: 'preparePlace' }, never);
    }
    const dead = (): Fault => new Fault('busy', 'The process was killed here.', { reason: 'Killed' });
    const effect = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
      if (!alive) throw dead();
      effects += 1;
      const here = death?.effect === effects ? death.when : undefined;
      trail.push(name);
      if (here === 'before') alive = false;
      if (!alive) throw dead();
      const result = await run();
      if (marked && copies().whole === 0) throw new Error(`nothing is whole after ${name}`);
      if (here === 'after') alive = false;
      if (!alive) throw dead();
      return result;
    };
    const kinds = {
      disks: {
        store: disks,
        resource: {
          patchJson: async (_name: unknown, patch: Parameters<typeof patchJson>[0]) => patchJson(patch),
        },
      },
      storagePools: { store: pools },
      hosts: { store: hosts },
      machines: { store: empty },
      images: { store: empty },
      namespaces: { store: empty },
    } as unknown as Kinds;
    const reachable = new Map(['one', 'two'].map((name) => [name, { kind: 'reachable' }]));
    const jobs = createJobs<string, void>({
      perGroupLimit: 2,
      totalLimit: 4,
      clock,
      log: silentLog,
      onChange: () => undefined,
    });
    const context = {
      clusterId,
      kinds,
      fleet: { session: () => ({ pool: session, hosts: () => reachable }), subscribe: () => () => undefined },
      storage: {
        session: (name: string) => (name === 'san' ? { state: () => ({ kind: 'open', server }) } : undefined),
      },
      promises: createStoragePromises(kinds.disks.store),
      clock,
      releasing: new Set<string>(),
      opening: new Set<string>(),
      effect,
    } as unknown as ControllerContext;
    return {
      deps: { context, jobs, lastSeen: new Map(), granting: new Set(), moves: createMoveMemory() },
      end: async () => {
        alive = false;
        await session.close();
        await server?.close();
        await jobs.close();
      },
    };
  };
  process = await start();

  const restart = async (): Promise<void> => {
    await process.end();
    death = undefined;
    process = await start();
  };

  const writeStatus = async (status: VirtualDiskStatus, resourceVersion: string): Promise<void> => {
    await process.deps.context.effect('write status', async () => {
      if (disks.get(key)?.metadata.resourceVersion !== resourceVersion)
        throw new Fault('conflict', 'Somebody wrote first.');
      change((disk) => ({ ...disk, status }));
    });
  };

  /** One pass, as src/runtime/pass.ts makes it. Answers whether something is left to do at once. */
  const pass = async (): Promise<boolean> => {
    const { deps } = process;
    let worldNow = gather(deps, key);
    if (worldNow === undefined) return false;
    const seen = await see(deps, worldNow, never);
    for (let steps = 0; steps < 16; steps += 1) {
      const { plan } = decide(worldNow, seen);
      if (plan.kind !== 'step') {
        const status = statusOf(worldNow, seen, plan, undefined, 0);
        const differs = !statusEqual(worldNow.disk.status, status);
        if (differs) await writeStatus(status, worldNow.disk.metadata.resourceVersion);
        return differs || (plan.kind === 'wait' && plan.afterMs === 0);
      }
      const taken = await take(deps, worldNow, seen, plan.step, never);
      if (taken.kind !== 'wrote') return taken.kind !== 'gone';
      worldNow = gather(deps, key);
      if (worldNow === undefined) return false;
    }
    return true;
  };

  const jobRuns = (): boolean => ['queued', 'running'].includes(process.deps.jobs.get(diskUid)?.kind ?? '');
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Passes until nothing is left; an operator that died is followed by another. `between` has a hand in it. */
  const settle = async (
    between: (passes: number) => void | Promise<void> = () => undefined,
  ): Promise<void> => {
    for (let passes = 0; passes < 300; passes += 1) {
      await between(passes);
      let more = true;
      try {
        more = await pass();
      } catch (error) {
        const fault = toFault(error);
        if (fault.kind === 'bug') throw error;
        if (isFault(error) && fault.reason === 'Killed') await restart();
      }
      while (jobRuns()) await turn();
      const state = process.deps.jobs.get(diskUid);
      if (state?.kind === 'failed' && state.fault.reason === 'Killed') {
        await restart();
        more = true;
      }
      if (
        state?.kind === 'done' &&
        moveOf(disks.get(key) ?? ({ metadata: { ...stamp, name: '', uid: '' } } as VirtualDisk)) !== undefined
      )
        more = true;
      if (!more && passes > 2) return;
    }
    throw new Error(`it does not come to rest: ${trail.slice(-20).join(', ')}`);
  };

  const files = () =>
    [
      ...new Set(
        world.hosts().flatMap((host) => [...host.places.values()].map(({ directory }) => directory)),
      ),
    ].flatMap((it) => it.volumes.get(diskVolumeName(diskUid, 'qcow2')) ?? []);
  const served = () => storage.disks.get(diskUid);
  const copies = (): { readonly whole: number; readonly all: number } => {
    const all = [
      ...files().map(({ complete, pieces }) => complete && written(pieces) === whole),
      ...(served() === undefined ? [] : [served()?.complete === true && written(served()?.pieces) === whole]),
    ];
    return { whole: all.filter(Boolean).length, all: all.length };
  };
  return {
    disk: () => disks.get(key),
    /** Makes the disk there and writes the marker on it. */
    make: async (pool: string): Promise<void> => {
      const made = { metadata: { ...stamp, uid: diskUid, finalizers: [] } };
      const bound = pool === 'local' ? { status: { host: 'kvm.one' } } : {};
      disks.put(sampleDisk({ storagePoolRef: { name: pool } }, { ...made, ...bound }));
      await settle();
      for (const file of files()) file.pieces = marker;
      const at = served();
      if (at !== undefined) storage.disks.set(diskUid, { ...at, pieces: marker });
      marked = true;
    },
    moveTo: (pool: string): void =>
      change((disk) => ({
        ...disk,
        metadata: { ...disk.metadata, generation: disk.metadata.generation + 1 },
        spec: { ...disk.spec, storagePoolRef: { name: pool } },
      })),
    loseStatus: (): void =>
      change(({ apiVersion, kind, metadata, spec }) => ({ apiVersion, kind, metadata, spec })),
    remove: (): void => {
      marked = false;
      change((disk) => ({
        ...disk,
        metadata: { ...disk.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' },
      }));
    },
    settle,
    dieAt: (at: Death | undefined): void => {
      effects = 0;
      death = at;
    },
    effects: () => effects,
    trail: () => trail,
    /** Copies that hold everything, and all there are. */
    copies,
    close: () => process.end(),
  };
};
