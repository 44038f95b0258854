/** The whole operator from plain parameters: what src/main.ts runs, and what tests start in their own process. */
import { Gauge } from 'prom-client';
import { keepClusterId } from './cluster-id.ts';
import type { OperatorConfig } from './config.ts';
import type { ControllerContext, Kinds } from './controllers/context.ts';
import type { ControllerDeps } from './controllers/controller-deps.ts';
import { createFleet, type FleetControl, type FleetDrivers } from './controllers/fleet.ts';
import { createHostController } from './controllers/host/controller.ts';
import { createHostPoolController } from './controllers/host-pool/controller.ts';
import {
  createStorageFleet,
  type LookUp,
  type StorageDrivers,
  type StorageFleetControl,
} from './controllers/storage-fleet.ts';
import { observeStoragePools } from './controllers/storage-metrics.ts';
import { createStoragePoolController } from './controllers/storage-pool/controller.ts';
import { createStoragePromises } from './controllers/storage-promises.ts';
import { createDiskController } from './controllers/virtual-disk/controller.ts';
import { createMachineController } from './controllers/virtual-machine/controller.ts';
import { createImageController } from './controllers/virtual-machine-image/controller.ts';
import { imageDefaults } from './controllers/virtual-machine-image/import-image.ts';
import { createNetworkController } from './controllers/virtual-network/controller.ts';
import type { ClusterAccess } from './kube/auth.ts';
import type { StoreReader, Transport } from './kube/contract.ts';
import {
  createConfigMaps,
  createEvents as createEventResource,
  createLeases,
  createSecrets,
} from './kube/core-kinds.ts';
import { createEventSink } from './kube/event-sink.ts';
import { createLeaseClient } from './kube/lease-client.ts';
import { createTransport } from './kube/transport.ts';
import type { Clock } from './runtime/clock.ts';
import type { Controller } from './runtime/controller.ts';
import { createEvents, type Events } from './runtime/events.ts';
import { createHealth, overduePasses } from './runtime/health.ts';
import { createLease, type Lease } from './runtime/lease.ts';
import type { Log } from './runtime/log.ts';
import { createManager, type ManagerState } from './runtime/manager.ts';
import { createMetrics, type Metrics } from './runtime/metrics.ts';
import { type Effect, plainEffect } from './runtime/pass.ts';
import { createStores } from './stores.ts';

export interface OperatorOptions {
  readonly config: OperatorConfig;
  readonly access: ClusterAccess;
  readonly drivers: FleetDrivers;
  readonly storageDrivers: StorageDrivers;
  /** Names of hosts to the addresses that storage servers let in. */
  readonly lookUp: LookUp;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Holder of the lease and reporter of events: unique per process. */
  readonly identity: string;
  readonly effect?: Effect;
}

export interface Operator {
  /**
   * Runs until aborted, then stops within 25 s. Rejects with a Fault: `invalid` when it must not start as it is
   * configured, else what ended it (a lost lease, say).
   */
  run(signal: AbortSignal): Promise<void>;
  state(): ManagerState;
  /** Where health and metrics are, once they listen. */
  readonly listening: Promise<{ readonly address: string; readonly port: number }>;
  readonly context: ControllerContext;
  readonly controllers: readonly Controller<string>[];
  readonly metrics: Metrics;
}

interface Closer {
  readonly name: string;
  close(): Promise<void>;
}

interface Staff {
  readonly controllers: readonly Controller<string>[];
  readonly closers: readonly Closer[];
}

const createStaff = (
  deps: ControllerDeps,
  fleet: FleetControl,
  storage: StorageFleetControl,
  config: OperatorConfig,
): Staff => {
  const machines = createMachineController(deps);
  const { allocations } = machines;
  const images = createImageController(deps, { ...imageDefaults, allowedCidrs: config.imageAllowCidr });
  const disks = createDiskController(deps);
  return {
    controllers: [
      createHostPoolController(deps).controller,
      createHostController(deps, { allocations }).controller,
      createStoragePoolController(deps, fleet, storage).controller,
      createNetworkController(deps).controller,
      images.controller,
      disks.controller,
      machines.controller,
    ],
    closers: [
      { name: 'image imports', close: () => images.jobs.close() },
      { name: 'disk copies', close: () => disks.jobs.close() },
    ],
  };
};

const observeStores = ({ registry }: Metrics, kinds: Kinds): void => {
  const stores: readonly [string, Pick<StoreReader<unknown>, 'size' | 'unreadable'>][] = Object.entries(
    kinds,
  ).map(([name, { store }]) => [name, store]);
  const gauge = (name: string, help: string, value: (store: (typeof stores)[number][1]) => number): void => {
    const made = new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers: [registry],
      collect: () => {
        for (const [kind, store] of stores) made.set({ kind }, value(store));
      },
    });
  };
  gauge('ovcp_objects', 'Objects in the caches.', ({ size }) => size);
  gauge(
    'ovcp_objects_unreadable',
    'Objects that exist and cannot be read by this version.',
    (store) => store.unreadable().length,
  );
};

const createOperatorLease = (options: OperatorOptions, transport: Transport): Lease | undefined => {
  const { config, identity, clock, random, log } = options;
  if (!config.leaderElect) return undefined;
  return createLease({
    client: createLeaseClient(createLeases(transport), {
      namespace: config.namespace,
      name: config.leaseName,
    }),
    identity,
    clock,
    random,
    log,
    durationMs: config.leaseDurationSeconds * 1000,
    renewDeadlineMs: config.leaseRenewDeadlineSeconds * 1000,
    retryMs: config.leaseRetrySeconds * 1000,
  });
};

const createOperatorEvents = (
  { clock, random, log, identity }: OperatorOptions,
  transport: Transport,
): Events =>
  createEvents({
    sink: createEventSink(createEventResource(transport)),
    clock,
    random,
    log,
    reporter: { controller: 'ovcp.dev/operator', instance: identity },
  });

/** The fleet ends with the passes, not before them: it is closed once all have ended. */
const fleetRunnable = (name: string, fleet: Pick<FleetControl, 'run'>) => ({
  name,
  run: (signal: AbortSignal) => fleet.run(signal),
  close: async () => undefined,
});

export const createOperator = (options: OperatorOptions): Operator => {
  const { config, access, clock, log, random, effect = plainEffect } = options;
  const { clusterId, namespace, concurrency } = config;
  const metrics = createMetrics();
  const transport = createTransport({
    access,
    clock,
    random,
    userAgent: 'ovcp-operator',
    onRequest: ({ code, verb }) => metrics.restRequest(code, verb, access.server),
  });
  const { kinds, sources } = createStores({ transport, clusterId, clock, random, log });
  observeStores(metrics, kinds);
  observeStoragePools(metrics.registry, kinds.storagePools.store);
  const secrets = createSecrets(transport);
  const fleet = createFleet({
    kinds,
    secrets,
    namespace,
    clusterId,
    drivers: options.drivers,
    metrics,
    clock,
    log,
  });
  const storage = createStorageFleet({
    kinds,
    secrets,
    namespace,
    clusterId,
    drivers: options.storageDrivers,
    lookUp: options.lookUp,
    metrics,
    clock,
    log,
  });
  const events = createOperatorEvents(options, transport);
  const context: ControllerContext = {
    clusterId,
    kinds,
    secrets,
    fleet,
    storage,
    promises: createStoragePromises(kinds.disks.store),
    clock,
    releasing: new Set(),
    opening: new Set(),
    effect,
  };
  const { controllers, closers } = createStaff(
    { context, events, metrics, log, random, concurrency },
    fleet,
    storage,
    config,
  );
  const lease = createOperatorLease(options, transport);
  metrics.leader(() => lease?.isLeader() ?? true);
  const manager = createManager({
    sources,
    controllers: [fleetRunnable('fleet', fleet), fleetRunnable('storage', storage), ...controllers],
    ...(lease === undefined ? {} : { lease }),
    closers: [
      ...closers,
      { name: 'fleet', close: () => fleet.close() },
      { name: 'storage', close: () => storage.close() },
      { name: 'events', close: () => events.close() },
    ],
    clock,
    log,
  });
  const health = createHealth({
    ...config.healthAddress,
    liveProblems: () => overduePasses(controllers),
    readyProblems: () => manager.unsynced().map((name) => `${name} is not listed yet`),
    metrics: () => metrics.render(),
    log,
  });
  const listening = Promise.withResolvers<{ readonly address: string; readonly port: number }>();
  listening.promise.catch(() => undefined);

  const run = async (signal: AbortSignal): Promise<void> => {
    try {
      await keepClusterId(createConfigMaps(transport), namespace, clusterId, signal);
      listening.resolve(await health.listen());
      await manager.run(signal);
    } finally {
      listening.reject(new Error('The operator has ended.'));
      await health.close();
      await transport.close();
    }
  };

  return { run, state: () => manager.state(), listening: listening.promise, context, controllers, metrics };
};
