/** Reads flags and environment, builds the operator and runs it; nothing else reads `process.env`. */
import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { type DestinationStream, type Logger, pino } from 'pino';
import { type OperatorConfig, readConfig } from './config.ts';
import type { FleetDrivers } from './controllers/fleet.ts';
import type { LookUp, StorageDrivers } from './controllers/storage-fleet.ts';
import type { HypervisorDriver } from './drivers/hypervisor/contract.ts';
import type { LibvirtSettings } from './drivers/hypervisor/libvirt/driver.ts';
import type { ServerLinks } from './drivers/storage/server-link.ts';
import type { StorageWorld } from './drivers/storage/simulated/world.ts';
import { type AccessSource, loadAccess } from './kube/auth.ts';
import { createOperator } from './operator.ts';
import { type Clock, systemClock } from './runtime/clock.ts';
import { isFault } from './runtime/fault.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Values that no log line may hold, should an object with such a field ever be logged. */
const secretFields = [
  'password',
  'token',
  'authorization',
  'privateKey',
  'key',
  'cert',
  'data',
  'credentials',
];

const createLog = (level: string, destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        // A `key` of its own names the object that a controller works on.
        paths: secretFields
          .flatMap((field) => [field, `*.${field}`, `*.*.${field}`])
          .filter((path) => path !== 'key'),
        censor: '***',
      },
    },
    destination,
  );

/** As kubectl: the flag, KUBECONFIG, the Pod's own account, the file in the home folder. */
const accessSource = (config: OperatorConfig, env: Environment): AccessSource => {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  if (config.kubeconfig === undefined && host !== undefined && port !== undefined) {
    return { kind: 'inCluster', host, port };
  }
  const paths = (config.kubeconfig ?? join(homedir(), '.kube', 'config')).split(delimiter).filter(existsSync);
  return {
    kind: 'kubeconfig',
    paths: paths.length === 0 && config.kubeconfig !== undefined ? config.kubeconfig.split(delimiter) : paths,
    ...(config.context === undefined ? {} : { context: config.context }),
  };
};

interface Drivers {
  readonly drivers: FleetDrivers;
  readonly storageDrivers: StorageDrivers;
}

/** Loaded when a pool first needs them: what nobody uses takes no memory. */
const createDrivers = (clock: Clock): Drivers => {
  /** One for hosts and storage: simulated hosts mount what simulated servers serve. */
  let servers: Promise<StorageWorld> | undefined;
  const storageWorld = (): Promise<StorageWorld> => {
    servers ??= import('./drivers/storage/simulated/world.ts').then(({ createStorageWorld }) =>
      createStorageWorld({ clock }),
    );
    return servers;
  };
  const simulated = async () => {
    const [{ createSimulatedDriver }, { createWorld }, { shareState, fabric }] = await Promise.all([
      import('./drivers/hypervisor/simulated/driver.ts'),
      import('./drivers/hypervisor/simulated/world.ts'),
      storageWorld(),
    ]);
    return createSimulatedDriver(createWorld({ clock, random: Math.random, shareState, fabric }));
  };
  /** One for all storage drivers: steps are serialized per machine, whatever is on it. */
  let links: Promise<ServerLinks> | undefined;
  const serverLinks = (): Promise<ServerLinks> => {
    links ??= import('./drivers/storage/server-link.ts').then(({ createServerLinks }) => createServerLinks());
    return links;
  };
  /** One for all pools: it outlives each of their sessions. */
  let world: ReturnType<typeof simulated> | undefined;
  /** One for all pools: it remembers what it found out about each host. */
  let libvirt: HypervisorDriver<LibvirtSettings> | undefined;
  return {
    drivers: {
      simulated: async (clusterId) => {
        world ??= simulated();
        return (await world).open({ hosts: [], clusterId });
      },
      libvirt: async () => {
        const { createLibvirtDriver } = await import('./drivers/hypervisor/libvirt/driver.ts');
        libvirt ??= createLibvirtDriver({ clock, random: Math.random });
        return libvirt.open({ endpoints: [] });
      },
    },
    storageDrivers: {
      gluster: async () => {
        const [{ createGlusterDriver }, shared] = await Promise.all([
          import('./drivers/storage/gluster/driver.ts'),
          serverLinks(),
        ]);
        return createGlusterDriver(shared);
      },
      iscsi: async () => {
        const [{ createIscsiDriver }, shared] = await Promise.all([
          import('./drivers/storage/iscsi/driver.ts'),
          serverLinks(),
        ]);
        return createIscsiDriver(shared);
      },
      simulated: async () => {
        const { createSimulatedStorage } = await import('./drivers/storage/simulated/driver.ts');
        return createSimulatedStorage(await storageWorld());
      },
    },
  };
};

const lookUpHost: LookUp = async (name) => {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
};

const stopSignal = (log: Logger): AbortSignal => {
  const ends = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      log.info({ signal: name }, 'asked to stop');
      ends.abort();
    });
  }
  return ends.signal;
};

/** Nothing may fail unseen: what nobody awaited ends the process, and its supervisor starts it anew. */
const endOnDefects = (log: Logger): void => {
  const end = (err: unknown): void => {
    log.fatal({ err }, 'unexpected failure');
    process.exit(1);
  };
  process.on('unhandledRejection', end);
  process.on('uncaughtException', end);
};

const start = async (config: OperatorConfig, env: Environment): Promise<number> => {
  const log = createLog(config.logLevel);
  endOnDefects(log);
  const signal = stopSignal(log);
  const clock = systemClock();
  try {
    const access = await loadAccess(accessSource(config, env), clock);
    log.info({ clusterId: config.clusterId, server: access.server, namespace: config.namespace }, 'starting');
    const operator = createOperator({
      config,
      access,
      ...createDrivers(clock),
      lookUp: lookUpHost,
      clock,
      log,
      random: Math.random,
      identity: `${hostname()}-${randomUUID().slice(0, 8)}`,
    });
    await operator.run(signal);
    return 0;
  } catch (error) {
    if (isFault(error, 'invalid')) {
      process.stderr.write(`ovcp: ${error.message}\n`);
      return 2;
    }
    log.fatal({ err: error }, 'ended by a failure');
    return 1;
  }
};

const main = async (argv: readonly string[], env: Environment): Promise<number> => {
  const answer = readConfig(argv, env);
  switch (answer.kind) {
    case 'help':
      process.stdout.write(answer.text);
      return 0;
    case 'wrong':
      process.stderr.write(`ovcp: ${answer.message}\n`);
      return 2;
    case 'config':
      return start(answer.config, env);
    default:
      return answer satisfies never;
  }
};

process.exitCode = await main(process.argv.slice(2), process.env);
