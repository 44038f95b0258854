/** What every end-to-end suite has: a control plane, the operator as a process of its own, files over HTTP, watches. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../../hack/lab/control-plane.ts';
import { type FileServer, type Route, startFileServer } from '../../../hack/lab/http-server.ts';
import { operatorNamespace } from '../../../hack/lab/manifests.ts';
import {
  installOperator,
  type Operator,
  operatorUser,
  repositoryRoot,
  startOperator,
} from '../../../hack/lab/operator.ts';
import { logTail } from '../../../hack/lab/process.ts';
import { type Kind, type Mirror, startMirror, type Thing } from './mirror.ts';
import { team } from './objects.ts';
import { createPulse, type Pulse } from './pulse.ts';
import { createCatchUp, createTalk, namespaced } from './talk.ts';

export const clusterId = 'e2e';

export interface WaitOptions {
  readonly limitMs?: number;
}

export interface Base {
  readonly plane: ControlPlane;
  readonly files: FileServer;
  readonly mirror: Mirror;
  readonly pulse: Pulse;
  /** kubectl as the tenant of team-a; throws with what kubectl says. */
  kubectl(...args: string[]): Promise<string>;
  /** Applies as the tenant. */
  apply(...objects: object[]): Promise<void>;
  /** Applies as the administrator. */
  applyAsAdmin(...objects: object[]): Promise<void>;
  /** Merges into a spec as the tenant; the administrator's kinds as the administrator. */
  patch(kind: Kind, name: string, spec: object): Promise<void>;
  remove(kind: Kind, ...names: string[]): Promise<void>;
  /** The object once it is as wanted. */
  until(
    kind: Kind,
    name: string,
    wanted: (thing: Thing | undefined) => boolean,
    options?: WaitOptions,
  ): Promise<Thing>;
  /** Waits until the object is no more. */
  untilGone(kind: Kind, name: string, options?: WaitOptions): Promise<void>;
  /** The object as the watches have it. */
  get(kind: Kind, name: string): Thing | undefined;
  startOperator(): Promise<void>;
  stopOperator(): Promise<void>;
  /** kill -9. */
  killOperator(): Promise<void>;
  operatorLog(): string;
  /** Ends the operator first. `others`: servers that end with the control plane. */
  stop(others?: readonly { stop(): Promise<void> }[]): Promise<void>;
}

export const describeThing = (thing: Thing | undefined): string =>
  thing === undefined
    ? 'there is no such object'
    : JSON.stringify({ spec: thing.spec, status: thing.status });

/** The operator, started again when it ends by itself (it lost its lease, say), as Kubernetes would. */
const createOperatorProcess = (dir: string, kubeconfig: string) => {
  const logPath = join(dir, 'operator.log');
  let operator: Operator | undefined;
  let wanted = false;
  const start = async (): Promise<void> => {
    wanted = true;
    if (operator?.running() === true) return;
    const started = await startOperator({
      kubeconfig,
      logPath,
      clusterId,
      allowedImageRanges: ['127.0.0.1/32'],
      // A killed leader's lease runs out sooner than by default, so that the suite waits less.
      env: {
        OVCP_LEASE_DURATION_SECONDS: '5',
        OVCP_LEASE_RENEW_DEADLINE_SECONDS: '4',
        OVCP_LEASE_RETRY_SECONDS: '1',
      },
    });
    operator = started;
    const again = (): Promise<void> =>
      wanted && operator === started ? start().catch(() => again()) : Promise.resolve();
    void started.exited.then(again);
  };
  return {
    logPath,
    start,
    stop: async () => {
      wanted = false;
      await operator?.stop(120_000);
    },
    kill: async () => {
      wanted = false;
      operator?.kill('SIGKILL');
      await operator?.exited;
    },
  };
};

/** The operator's user has exactly the rights that the product's own manifests give its ServiceAccount. */
const installWithRights = async (plane: ControlPlane): Promise<string> => {
  const kubeconfig = await installOperator(plane, 'ovcp-operator');
  for (const file of ['cluster-role.yaml', 'role.yaml']) {
    await plane.mustKubectl(['apply', '-f', join(repositoryRoot, 'deploy/base', file)]);
  }
  const namespace = operatorNamespace;
  const binding = ['create', 'rolebinding', 'e2e-operator', '-n', namespace, '--role', 'ovcp-operator'];
  await plane.mustKubectl([...binding, '--user', operatorUser]);
  return kubeconfig;
};

const createWaits = (mirror: Mirror, pulse: Pulse) => {
  const where = (kind: Kind): string | undefined => (namespaced.has(kind) ? team : undefined);
  const get = (kind: Kind, name: string): Thing | undefined => mirror.get(kind, name, where(kind));
  const until: Base['until'] = (kind, name, wanted, options = {}) =>
    pulse.until(
      `${kind} ${name} ${String(wanted)}`,
      () => {
        const thing = get(kind, name);
        return wanted(thing) && thing !== undefined ? thing : undefined;
      },
      { ...options, explain: () => describeThing(get(kind, name)) },
    );
  const untilGone: Base['untilGone'] = async (kind, name, options = {}) => {
    await pulse.until(`${kind} ${name} gone`, () => (get(kind, name) === undefined ? true : undefined), {
      ...options,
      explain: () => describeThing(get(kind, name)),
    });
  };
  return { get, until, untilGone };
};

/** Starts everything but the operator. `dir`: a short folder of its own, since sockets have 107 characters. */
export const startBase = async (dir: string, routes: Readonly<Record<string, Route>>): Promise<Base> => {
  const [plane, files] = await Promise.all([
    startControlPlane({ dir: join(dir, 'cp'), auditLog: true }),
    startFileServer({ routes }),
  ]);
  const operator = createOperatorProcess(dir, await installWithRights(plane));
  const pulse = createPulse(() => `operator: ${logTail(operator.logPath, 2_000)}`);
  const mirror = startMirror(plane.kubeconfig, pulse.beat);
  return {
    plane,
    files,
    mirror,
    pulse,
    ...(await createTalk(plane, createCatchUp(mirror, pulse))),
    ...createWaits(mirror, pulse),
    startOperator: operator.start,
    stopOperator: operator.stop,
    killOperator: operator.kill,
    operatorLog: () => logTail(operator.logPath, 10_000_000),
    stop: async (others = []) => {
      mirror.stop();
      await operator.stop();
      await Promise.all([files, plane, ...others].map((it) => it.stop()));
      if (process.env['OVCP_E2E_KEEP'] !== '1') await rm(dir, { recursive: true, force: true });
    },
  };
};
