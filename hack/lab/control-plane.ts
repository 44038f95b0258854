import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditEntry, readAudit } from './audit.ts';
import { createAuthority } from './certificates.ts';
import { type ControlPlaneBinaries, ensureControlPlaneBinaries } from './control-plane-binaries.ts';
import {
  apiUrl,
  auditLogPath,
  compact,
  type ServerPlan,
  startApiServer,
  startControllerManager,
  startEtcd,
  writeServiceAccountKey,
} from './control-plane-servers.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { freePorts } from './ports.ts';
import { type Daemon, type RunResult, run } from './process.ts';

export type ControlPlaneOptions = {
  /** Folder for all state; made when missing. Must not hold another control plane's state. */
  dir: string;
  /** `true` or `writes`: the write verbs of everybody; `all`: reads and watches too. Default: no audit log. */
  auditLog?: boolean | 'writes' | 'all';
  /** Garbage collection, namespace deletion, service account tokens. Default true. */
  controllerManager?: boolean;
  /** Leave the servers running when this process ends. */
  detached?: boolean;
  binaries?: ControlPlaneBinaries;
};

export type ControlPlane = {
  /** Path of the administrator's kubeconfig (client certificate, group system:masters). */
  kubeconfig: string;
  env: { KUBECONFIG: string };
  url: string;
  caPath: string;
  auditLogPath: string;
  /** Path of kubectl. */
  kubectlPath: string;
  /** What runs now, in the order in which it was started. */
  processes(): { name: string; pid: number }[];
  /** Runs kubectl as the administrator; never throws for a non-zero code. */
  kubectl(args: readonly string[], options?: { stdin?: string; kubeconfig?: string }): Promise<RunResult>;
  /** Like `kubectl`, but throws with standard error when the code is not 0; returns standard output. */
  mustKubectl(args: readonly string[], options?: { stdin?: string; kubeconfig?: string }): Promise<string>;
  /** The audit log so far, oldest first, of one user when given. */
  audit(user?: string): Promise<AuditEntry[]>;
  /** A kubeconfig for a client certificate of this user and these groups (no rights until RBAC grants some). */
  userKubeconfig(name: string, groups?: readonly string[]): Promise<string>;
  startApiServer(signal?: AbortSignal): Promise<void>;
  stopApiServer(): Promise<void>;
  /** Kills it without any good-bye (SIGKILL): half-open watches and connection resets for every client. */
  killApiServer(): Promise<void>;
  restartApiServer(signal?: AbortSignal): Promise<void>;
  /** Compacts etcd to its present revision; returns it. */
  compactEtcd(): Promise<string>;
  stop(): Promise<void>;
};

const preparePlan = async (options: ControlPlaneOptions): Promise<ServerPlan> => {
  const pki = join(options.dir, 'pki');
  mkdirSync(pki, { recursive: true });
  const [binaries, ports, authority] = await Promise.all([
    options.binaries ?? ensureControlPlaneBinaries(),
    freePorts(3),
    createAuthority(pki, 'OVCP lab control plane'),
  ]);
  const [serving, admin] = await Promise.all([
    authority.issue({
      file: 'apiserver',
      commonName: 'kube-apiserver',
      usage: 'server',
      alternativeNames: ['IP:127.0.0.1', 'DNS:localhost', 'DNS:kubernetes.default.svc'],
    }),
    authority.issue({
      file: 'admin',
      commonName: 'admin',
      organizations: ['system:masters'],
      usage: 'client',
    }),
  ]);
  const [etcd = 0, etcdPeer = 0, api = 0] = ports;
  return {
    dir: options.dir,
    binaries,
    ports: { etcd, etcdPeer, api },
    authority,
    serving,
    admin,
    serviceAccountKey: writeServiceAccountKey(pki),
    audit: options.auditLog === true ? 'writes' : options.auditLog === false ? undefined : options.auditLog,
    detached: options.detached ?? false,
  };
};

/** kubectl's discovery cache stays in the lab's folder: two labs on one port number must not share it. */
const kubectlEnv = (plan: ServerPlan): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: plan.dir,
  KUBECACHEDIR: join(plan.dir, 'kubectl-cache'),
});

const makeUserKubeconfig = async (
  plan: ServerPlan,
  name: string,
  groups: readonly string[],
): Promise<string> => {
  const file = `user-${name.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;
  const client = await plan.authority.issue({
    file,
    commonName: name,
    organizations: groups,
    usage: 'client',
  });
  return writeKubeconfig(join(plan.dir, `${file}.kubeconfig`), apiUrl(plan), plan.authority, client);
};

/** Runs the servers of one plan and hands out what changes them. */
const serve = async (plan: ServerPlan, options: ControlPlaneOptions, signal?: AbortSignal) => {
  const kubeconfig = await writeKubeconfig(
    join(plan.dir, 'kubeconfig'),
    apiUrl(plan),
    plan.authority,
    plan.admin,
  );
  const etcd = await startEtcd(plan, signal);
  let api: Daemon | undefined;
  let manager: Daemon | undefined;
  const start = async (startSignal?: AbortSignal): Promise<void> => {
    if (api?.running() === true) return;
    api = await startApiServer(plan, startSignal);
  };
  const stopAll = async (): Promise<void> => {
    // Clients first: an API server without etcd takes its full grace period to give up.
    await manager?.stop(3_000);
    await api?.stop(5_000);
    await etcd.stop(3_000);
  };
  try {
    await start(signal);
    if (options.controllerManager !== false) {
      const user = await makeUserKubeconfig(plan, 'system:kube-controller-manager', []);
      manager = await startControllerManager(plan, user);
    }
  } catch (error) {
    await stopAll();
    throw error;
  }
  return {
    kubeconfig,
    start,
    stopApi: async () => api?.stop(5_000),
    killApi: async () => {
      api?.kill('SIGKILL');
      await api?.exited;
    },
    stopAll,
    processes: () =>
      [etcd, api, manager].flatMap((daemon) =>
        daemon?.running() === true ? [{ name: daemon.name, pid: daemon.pid }] : [],
      ),
  };
};

/**
 * Starts etcd, kube-apiserver (RBAC, client certificates of the lab's own authority) and, unless told otherwise,
 * kube-controller-manager, all on free loopback ports with their state in `dir`. Several can run at once.
 * Throws with the log of the server that would not start; nothing stays running then.
 */
export const startControlPlane = async (
  options: ControlPlaneOptions,
  signal?: AbortSignal,
): Promise<ControlPlane> => {
  const plan = await preparePlan(options);
  const servers = await serve(plan, options, signal);
  const kubectl: ControlPlane['kubectl'] = (args, { stdin, kubeconfig } = {}) =>
    run([plan.binaries.kubectl, '--kubeconfig', kubeconfig ?? servers.kubeconfig, ...args], {
      env: kubectlEnv(plan),
      allowFailure: true,
      ...(stdin === undefined ? {} : { stdin }),
    });
  return {
    kubeconfig: servers.kubeconfig,
    env: { KUBECONFIG: servers.kubeconfig },
    url: apiUrl(plan),
    caPath: plan.authority.caPath,
    auditLogPath: auditLogPath(plan),
    kubectlPath: plan.binaries.kubectl,
    processes: servers.processes,
    kubectl,
    mustKubectl: async (args, kubectlOptions) => {
      const result = await kubectl(args, kubectlOptions);
      if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.slice(-2000)}`);
      return result.stdout;
    },
    audit: (user) => readAudit(auditLogPath(plan), user),
    userKubeconfig: (name, groups = []) => makeUserKubeconfig(plan, name, groups),
    startApiServer: servers.start,
    stopApiServer: servers.stopApi,
    killApiServer: servers.killApi,
    restartApiServer: async (restartSignal) => {
      await servers.stopApi();
      await servers.start(restartSignal);
    },
    compactEtcd: () => compact(plan),
    stop: servers.stopAll,
  };
};
