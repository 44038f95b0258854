/** An operator inside the test's process that can die like one that was killed: from one moment on it does nothing. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { type OperatorConfig, readConfig } from '../../src/config.ts';
import type { HypervisorPool } from '../../src/drivers/hypervisor/contract.ts';
import { createSimulatedDriver } from '../../src/drivers/hypervisor/simulated/driver.ts';
import type { SimulatedWorld } from '../../src/drivers/hypervisor/simulated/world.ts';
import { createSimulatedStorage } from '../../src/drivers/storage/simulated/driver.ts';
import type { StorageWorld } from '../../src/drivers/storage/simulated/world.ts';
import { type ClusterAccess, loadAccess } from '../../src/kube/auth.ts';
import { createOperator, type Operator } from '../../src/operator.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { Fault } from '../../src/runtime/fault.ts';
import type { Log } from '../../src/runtime/log.ts';
import { type Effect, plainEffect } from '../../src/runtime/pass.ts';
import { clock, forever } from './api.ts';

/** The pass in which an effect happens. */
export interface PassId {
  readonly controller: string;
  readonly key: string;
}

/** Told of every effect; may kill the operator. */
export type EffectHook = <T>(
  pass: PassId | undefined,
  name: string,
  run: () => Promise<T>,
  kill: () => boolean,
) => Promise<T>;

export interface StartOptions {
  readonly onEffect?: EffectHook;
  readonly flags?: readonly string[];
  /** Every line of the log ends here, as text. */
  readonly lines?: string[];
  readonly identity?: string;
  /** Another way to the API server than the administrator's own. */
  readonly access?: ClusterAccess;
  /** Another clock than the machine's. */
  readonly clock?: Clock;
}

export interface OperatorProcess {
  readonly operator: Operator;
  /** As `kill -9`: no further request is sent, no further step taken. Answers whether it was alive. */
  kill(): boolean;
  readonly killed: boolean;
  /** Resolves once nothing of a killed operator is left. */
  readonly ended: Promise<void>;
  /** As SIGTERM. */
  stop(): Promise<void>;
  /** Resolves once no controller has had anything to do for a while; rejects once it is killed. */
  quiet(calmMs?: number): Promise<void>;
}

const configOf = (clusterId: string, flags: readonly string[]): OperatorConfig => {
  const answer = readConfig(
    [
      ...['--cluster-id', clusterId, '--health-address', '127.0.0.1:0', '--leader-elect', 'false'],
      ...['--image-allow-cidr', '127.0.0.0/8', ...flags],
    ],
    {},
  );
  if (answer.kind !== 'config') throw new Error(answer.kind === 'wrong' ? answer.message : 'help');
  return answer.config;
};

const dead = (): Fault => new Fault('busy', 'The process is dead.', { reason: 'Killed' });

/** Notes the text of every line, and which pass the asynchronous context is in. */
const createPassLog = (passes: AsyncLocalStorage<PassId>, lines: string[] | undefined): Log => {
  const at = (fields: object): Log => {
    const write = (more: object, message: string): void => {
      lines?.push(`${message} ${inspect({ ...fields, ...more }, { depth: 6, breakLength: Infinity })}`);
    };
    return {
      debug: write,
      info: write,
      warn: write,
      error: write,
      child: (more) => {
        const { controller, key } = more as Partial<PassId>;
        if (controller !== undefined && key !== undefined) passes.enterWith({ controller, key });
        return at({ ...fields, ...more });
      },
    };
  };
  return at({});
};

const mortalAccess = (access: ClusterAccess, isDead: () => boolean): ClusterAccess => ({
  ...access,
  credentials: async (signal) => {
    const credentials = await access.credentials(signal);
    if (isDead()) throw dead();
    return credentials;
  },
});

const createQuiet =
  (operator: Operator, isDead: () => boolean) =>
  async (calmMs = 1_500): Promise<void> => {
    const busy = (): boolean =>
      operator.state() !== 'leading' ||
      operator.controllers.some((it) => it.depth() > 0 || it.running().length > 0);
    let sinceMs = clock.monotonicMs();
    while (clock.monotonicMs() - sinceMs < calmMs) {
      await clock.sleep(50, forever);
      if (isDead()) throw dead();
      if (busy()) sinceMs = clock.monotonicMs();
    }
  };

export const startOperator = async (
  options: StartOptions & {
    readonly kubeconfig: string;
    readonly world: SimulatedWorld;
    readonly storage: StorageWorld;
    readonly clusterId: string;
  },
): Promise<OperatorProcess> => {
  const { world, storage, clusterId, onEffect } = options;
  const passes = new AsyncLocalStorage<PassId>();
  const pools = new Set<Pick<HypervisorPool, 'close'>>();
  const ends = new AbortController();
  let killed = false;
  const kill = (): boolean => {
    if (killed) return false;
    killed = true;
    for (const pool of pools) void pool.close();
    ends.abort();
    return true;
  };
  const effect: Effect = async (name, run) => {
    if (killed) throw dead();
    const result = await (onEffect === undefined
      ? plainEffect(name, run)
      : onEffect(passes.getStore(), name, run, kill));
    if (killed) throw dead();
    return result;
  };
  const access =
    options.access ?? (await loadAccess({ kind: 'kubeconfig', paths: [options.kubeconfig] }, clock));
  const driver = createSimulatedDriver(world);
  const operator = createOperator({
    config: configOf(clusterId, options.flags ?? []),
    access: mortalAccess(access, () => killed),
    drivers: {
      simulated: async (id) => {
        const pool = driver.open({ hosts: [], clusterId: id });
        pools.add(pool);
        if (killed) void pool.close();
        return pool;
      },
      libvirt: async () => {
        throw new Fault('unsupported', 'This test has no libvirt.');
      },
    },
    storageDrivers: {
      simulated: async () => {
        const storageDriver = createSimulatedStorage(storage);
        return {
          ...storageDriver,
          open: (settings) => {
            const server = storageDriver.open(settings);
            pools.add(server);
            if (killed) void server.close();
            return server;
          },
        };
      },
    },
    lookUp: async (name) => [name],
    clock: options.clock ?? clock,
    log: createPassLog(passes, options.lines),
    random: Math.random,
    identity: options.identity ?? 'faults',
    effect,
  });
  const run = operator.run(ends.signal);
  const ended = run.catch(() => undefined);
  await operator.listening.catch(() => run);
  return {
    operator,
    kill,
    get killed() {
      return killed;
    },
    ended,
    stop: async () => {
      ends.abort();
      await run;
    },
    quiet: createQuiet(operator, () => killed),
  };
};
