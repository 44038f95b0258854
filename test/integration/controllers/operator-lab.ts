/** A control plane with our kinds, and operators in this very process on a simulated world. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { untilCrdsEstablished } from '../../../hack/lab/crds.ts';
import { type OperatorConfig, readConfig } from '../../../src/config.ts';
import { createSimulatedDriver } from '../../../src/drivers/hypervisor/simulated/driver.ts';
import { createWorld, type SimulatedWorld } from '../../../src/drivers/hypervisor/simulated/world.ts';
import { loadAccess } from '../../../src/kube/auth.ts';
import { createOperator, type Operator } from '../../../src/operator.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type Log, silentLog } from '../../../src/runtime/log.ts';
import type { Effect } from '../../../src/runtime/pass.ts';

const clock = systemClock();

/** Objects of the API as tests look at them. */
export interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

export interface RunningOperator {
  readonly operator: Operator;
  /** Aborts and waits for the end; rejects with what it ended by. */
  stop(): Promise<void>;
}

export interface Lab {
  readonly plane: ControlPlane;
  readonly world: SimulatedWorld;
  startOperator(options?: {
    readonly effect?: Effect;
    readonly log?: Log;
    readonly flags?: readonly string[];
  }): Promise<RunningOperator>;
  apply(...objects: readonly object[]): Promise<void>;
  get(kind: string, name: string, namespace?: string): Promise<Thing | undefined>;
  /** Watches one object until it is as wanted; rejects with its last state when the time is over. */
  until(
    kind: string,
    name: string,
    is: (thing: Thing | undefined) => boolean,
    options?: { readonly namespace?: string; readonly limitMs?: number },
  ): Promise<Thing | undefined>;
  /** Resolves when no controller has anything to do now. */
  quiet(running: RunningOperator): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

export const configOf = (flags: readonly string[] = []): OperatorConfig => {
  const answer = readConfig(
    ['--cluster-id', 'test', '--health-address', '127.0.0.1:0', '--leader-elect', 'false', ...flags],
    {},
  );
  if (answer.kind !== 'config') throw new Error(answer.kind === 'wrong' ? answer.message : 'help');
  return answer.config;
};

/** Whether the named condition has this status, and reason when given. */
export const has = (thing: Thing | undefined, type: string, status: string, reason?: string): boolean =>
  thing?.status?.conditions?.some(
    (it) => it.type === type && it.status === status && (reason === undefined || it.reason === reason),
  ) === true;

const poll = async <T>(read: () => Promise<T>, good: (value: T) => boolean, limitMs: number): Promise<T> => {
  const endMs = clock.monotonicMs() + limitMs;
  for (;;) {
    const value = await read();
    if (good(value)) return value;
    if (clock.monotonicMs() > endMs) throw new Error(`not reached; last: ${JSON.stringify(value, null, 1)}`);
    await clock.sleep(100, never);
  }
};

/** The operator's user in labs: the audit log tells its requests by it. */
export const operatorUser = 'ovcp-operator';

/** Exactly the rights of deploy/base, given to a user instead of a service account. */
const installRights = async (plane: ControlPlane): Promise<string> => {
  await plane.mustKubectl(['apply', '-f', 'deploy/base/cluster-role.yaml', '-f', 'deploy/base/role.yaml']);
  const user = `--user=${operatorUser}`;
  await plane.mustKubectl(['create', 'clusterrolebinding', 'test', '--clusterrole=ovcp-operator', user]);
  await plane.mustKubectl([
    'create',
    'rolebinding',
    'test',
    '-n',
    'ovcp-system',
    '--role=ovcp-operator',
    user,
  ]);
  return plane.userKubeconfig(operatorUser);
};

export const startLab = async (): Promise<Lab> => {
  const dir = await mkdtemp(join(tmpdir(), 'ovcp-operator-'));
  const plane = await startControlPlane({ dir, auditLog: true });
  await plane.mustKubectl(['apply', '--server-side', '-f', 'crds/']);
  await untilCrdsEstablished((args) => plane.mustKubectl(args));
  await plane.mustKubectl(['create', 'namespace', 'ovcp-system']);
  const kubeconfig = await installRights(plane);
  const world = createWorld({ clock, random: Math.random });
  const running = new Set<RunningOperator>();

  const startOperator: Lab['startOperator'] = async (options = {}) => {
    const access = await loadAccess({ kind: 'kubeconfig', paths: [kubeconfig] }, clock);
    const driver = createSimulatedDriver(world);
    const operator = createOperator({
      config: configOf(options.flags),
      access,
      drivers: {
        simulated: async (clusterId) => driver.open({ hosts: [], clusterId }),
        // Endpoints of libvirt pools reach simulated hosts of the same name.
        libvirt: async (clusterId) => driver.open({ hosts: [], clusterId }),
      },
      clock,
      log: options.log ?? silentLog,
      random: Math.random,
      identity: 'test',
      ...(options.effect === undefined ? {} : { effect: options.effect }),
    });
    const ends = new AbortController();
    const run = operator.run(ends.signal);
    run.catch(() => undefined);
    const it: RunningOperator = {
      operator,
      stop: async () => {
        running.delete(it);
        ends.abort();
        await run;
      },
    };
    running.add(it);
    await operator.listening.catch(async () => run);
    return it;
  };

  const get: Lab['get'] = async (kind, name, namespace) => {
    const where = namespace === undefined ? [] : ['-n', namespace];
    const text = await plane.mustKubectl(['get', kind, name, ...where, '--ignore-not-found', '-o', 'json']);
    return text.trim() === '' ? undefined : (JSON.parse(text) as Thing);
  };

  return {
    plane,
    world,
    startOperator,
    apply: async (...objects) => {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await plane.mustKubectl(['apply', '-f', '-'], { stdin: JSON.stringify(list) });
    },
    get,
    until: (kind, name, is, { namespace, limitMs = 120_000 } = {}) =>
      poll(() => get(kind, name, namespace), is, limitMs),
    quiet: async ({ operator }) => {
      const busy = (): boolean =>
        operator.state() !== 'leading' ||
        operator.controllers.some((it) => it.depth() > 0 || it.running().length > 0);
      let calmMs = 0;
      while (calmMs < 2_000) {
        await clock.sleep(100, never);
        calmMs = busy() ? 0 : calmMs + 100;
      }
    },
    close: async () => {
      for (const it of running) await it.stop();
      await plane.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
};

const head = (kind: string, name: string) => ({ apiVersion: 'ovcp.dev/v1alpha1', kind, metadata: { name } });

export const simulatedPool = (name: string, hosts: readonly string[], more: object = {}) => ({
  ...head('HostPool', name),
  spec: {
    driver: 'simulated',
    simulated: { hosts: hosts.map((host) => ({ name: host, cpus: 8, memory: '16Gi' })) },
    allowedNamespaces: { from: 'All' },
    ...more,
  },
});

export const storagePool = (name: string, hostPool: string, more: object = {}) => ({
  ...head('StoragePool', name),
  spec: {
    driver: 'simulated',
    hostPoolRefs: [{ name: hostPool }],
    topology: 'HostLocal',
    roles: ['Disks', 'Images', 'ISO'],
    allowedNamespaces: { from: 'All' },
    ...more,
  },
});

export const natNetwork = (name: string, hostPool: string) => ({
  ...head('VirtualNetwork', name),
  spec: {
    allowedNamespaces: { from: 'All' },
    backends: [
      {
        name: 'nat',
        hostPoolRef: { name: hostPool },
        type: 'NAT',
        nat: { cidr: '192.168.150.0/24', dhcp: {} },
      },
    ],
  },
});

export const machine = (name: string, hostPool: string, more: object = {}) => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'VirtualMachine',
  metadata: { name, namespace: 'default' },
  spec: {
    hostPoolRef: { name: hostPool },
    cpu: { cores: 1 },
    memory: '256Mi',
    powerState: 'PoweredOn',
    ...more,
  },
});
