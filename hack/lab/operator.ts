import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ControlPlane } from './control-plane.ts';
import { untilCrdsEstablished } from './crds.ts';
import { listOf, operatorNamespace } from './manifests.ts';
import { freePorts } from './ports.ts';
import { type Daemon, startDaemon, waitUntil } from './process.ts';

export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The operator's user: what the audit log of a lab counts its writes by. */
export const operatorUser = 'ovcp-operator';

export type OperatorOptions = {
  /** Path of the operator's kubeconfig. */
  kubeconfig: string;
  logPath: string;
  /** Loopback port of metrics and health. */
  port: number;
  /** Ranges from which images may be fetched although they are private, such as the lab's own HTTP server. */
  allowedImageRanges?: readonly string[];
  clusterId?: string;
  /** Added to the environment, and wins. */
  env?: Readonly<Record<string, string>>;
  detached?: boolean;
};

export type Operator = Daemon & { metricsUrl: string; readyUrl: string };

/** The environment of the operator's process: src/config.ts says what each variable is. */
export const operatorEnvironment = (options: OperatorOptions): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '/',
  NODE_ENV: 'production',
  KUBECONFIG: options.kubeconfig,
  OVCP_NAMESPACE: operatorNamespace,
  OVCP_CLUSTER_ID: options.clusterId ?? 'lab',
  OVCP_HEALTH_ADDRESS: `127.0.0.1:${options.port}`,
  OVCP_IMAGE_ALLOW_CIDR: (options.allowedImageRanges ?? []).join(','),
  ...options.env,
});

/** Everything the operator needs to find in the cluster, in the order in which it is applied. */
const installables = ['crds', 'deploy/rbac', 'deploy/policies'];

/**
 * Prepares a cluster for the operator: namespace, CRDs, policies, and a user bound to `role`, by default all rights.
 * Returns the path of that user's kubeconfig.
 */
export const installOperator = async (plane: ControlPlane, role = 'cluster-admin'): Promise<string> => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: operatorNamespace } };
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'ovcp-lab-operator' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: operatorUser }],
  };
  await plane.mustKubectl(['apply', '--server-side', '-f', '-'], { stdin: listOf([namespace, binding]) });
  for (const folder of installables.map((name) => join(repositoryRoot, name)).filter(existsSync)) {
    await plane.mustKubectl(['apply', '--server-side', '-f', folder]);
    if (folder.endsWith('crds')) {
      await untilCrdsEstablished((args) => plane.mustKubectl(args));
    }
  }
  return plane.userKubeconfig(operatorUser);
};

const answersOk = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
};

/** Starts `node src/main.ts` and waits until it says that it is ready. Throws with its log when it ends before that. */
export const startOperator = async (
  options: Omit<OperatorOptions, 'port'> & { port?: number },
  signal?: AbortSignal,
): Promise<Operator> => {
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const daemon = await startDaemon({
    name: 'operator',
    argv: [process.execPath, join(repositoryRoot, 'src/main.ts')],
    cwd: repositoryRoot,
    env: operatorEnvironment({ ...options, port }),
    logPath: options.logPath,
    detached: options.detached ?? false,
  });
  const base = `http://127.0.0.1:${port}`;
  const readyUrl = `${base}/readyz`;
  try {
    await waitUntil('the operator', () => answersOk(readyUrl), { limitMs: 180_000, alive: [daemon] }, signal);
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return { ...daemon, metricsUrl: `${base}/metrics`, readyUrl };
};
