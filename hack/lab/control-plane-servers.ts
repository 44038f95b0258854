import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { auditPolicy } from './audit.ts';
import type { Authority, KeyPairPaths } from './certificates.ts';
import type { ControlPlaneBinaries } from './control-plane-binaries.ts';
import { type Daemon, startDaemon, waitUntil } from './process.ts';

/** What each server's command line is made of. */
export type ServerPlan = {
  dir: string;
  binaries: ControlPlaneBinaries;
  ports: { etcd: number; etcdPeer: number; api: number };
  authority: Authority;
  serving: KeyPairPaths;
  admin: KeyPairPaths;
  serviceAccountKey: { publicPath: string; privatePath: string };
  audit: 'writes' | 'all' | undefined;
  detached: boolean;
};

export const etcdUrl = (plan: ServerPlan): string => `http://127.0.0.1:${plan.ports.etcd}`;
export const apiUrl = (plan: ServerPlan): string => `https://127.0.0.1:${plan.ports.api}`;
export const auditLogPath = (plan: ServerPlan): string => join(plan.dir, 'audit.log');

/** The key pair that signs service account tokens. */
export const writeServiceAccountKey = (folder: string): ServerPlan['serviceAccountKey'] => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [publicPath, privatePath] = [
    join(folder, 'service-account.pub'),
    join(folder, 'service-account.key'),
  ];
  writeFileSync(publicPath, pair.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(privatePath, pair.privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  return { publicPath, privatePath };
};

const httpOk = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
};

export const startEtcd = async (plan: ServerPlan, signal?: AbortSignal): Promise<Daemon> => {
  const peer = `http://127.0.0.1:${plan.ports.etcdPeer}`;
  const etcd = await startDaemon({
    name: 'etcd',
    detached: plan.detached,
    logPath: join(plan.dir, 'etcd.log'),
    argv: [
      plan.binaries.etcd,
      `--data-dir=${join(plan.dir, 'etcd')}`,
      `--listen-client-urls=${etcdUrl(plan)}`,
      `--advertise-client-urls=${etcdUrl(plan)}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
      // A lone member elects itself after one election timeout: the default second is most of the start-up.
      '--heartbeat-interval=20',
      '--election-timeout=200',
      '--log-level=warn',
    ],
  });
  await waitUntil(
    'etcd',
    () => httpOk(`${etcdUrl(plan)}/health`),
    { limitMs: 120_000, alive: [etcd] },
    signal,
  );
  return etcd;
};

/** One GET with the administrator's certificate; the status code, or 0 when there was no answer. */
export const adminGet = async (plan: ServerPlan, path: string): Promise<number> => {
  const [ca, cert, key] = await Promise.all(
    [plan.authority.caPath, plan.admin.certPath, plan.admin.keyPath].map((file) => readFile(file)),
  );
  return new Promise((resolve) => {
    const outgoing = request(`${apiUrl(plan)}${path}`, { ca, cert, key, agent: false }, (response) => {
      response.resume();
      response.once('close', () => resolve(response.statusCode ?? 0));
    });
    outgoing.once('error', () => resolve(0));
    outgoing.setTimeout(5_000, () => outgoing.destroy());
    outgoing.end();
  });
};

const auditFlags = (plan: ServerPlan): string[] => {
  if (plan.audit === undefined) return [];
  const policyPath = join(plan.dir, 'audit-policy.yaml');
  writeFileSync(policyPath, auditPolicy(plan.audit));
  // Blocking mode writes the line before the request is done: whoever saw the answer finds the line.
  return [
    `--audit-policy-file=${policyPath}`,
    `--audit-log-path=${auditLogPath(plan)}`,
    '--audit-log-mode=blocking-strict',
    '--audit-log-maxsize=4096',
  ];
};

const apiServerArgv = (plan: ServerPlan): string[] => [
  plan.binaries.kubeApiserver,
  `--etcd-servers=${etcdUrl(plan)}`,
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  `--secure-port=${plan.ports.api}`,
  `--cert-dir=${join(plan.dir, 'apiserver')}`,
  `--tls-cert-file=${plan.serving.certPath}`,
  `--tls-private-key-file=${plan.serving.keyPath}`,
  `--client-ca-file=${plan.authority.caPath}`,
  '--authorization-mode=RBAC',
  '--service-cluster-ip-range=10.96.0.0/16',
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-key-file=${plan.serviceAccountKey.publicPath}`,
  `--service-account-signing-key-file=${plan.serviceAccountKey.privatePath}`,
  // There are no nodes and no pods: nothing to publish endpoints for, nothing to profile.
  '--endpoint-reconciler-type=none',
  '--profiling=false',
  // Without it a stopping API server waits up to a minute for its clients to give up their watches.
  '--shutdown-watch-termination-grace-period=1s',
  ...auditFlags(plan),
];

/**
 * Starts kube-apiserver and waits until `/readyz` says yes and the `default` namespace exists, which the API server
 * makes a moment after it calls itself ready.
 */
export const startApiServer = async (plan: ServerPlan, signal?: AbortSignal): Promise<Daemon> => {
  mkdirSync(join(plan.dir, 'apiserver'), { recursive: true });
  const server = await startDaemon({
    name: 'kube-apiserver',
    detached: plan.detached,
    logPath: join(plan.dir, 'kube-apiserver.log'),
    argv: apiServerArgv(plan),
  });
  const ready = async (): Promise<boolean> =>
    (await adminGet(plan, '/readyz')) === 200 && (await adminGet(plan, '/api/v1/namespaces/default')) === 200;
  await waitUntil('kube-apiserver', ready, { limitMs: 180_000, alive: [server] }, signal);
  return server;
};

/** What a cluster without nodes needs: garbage collection, namespace deletion, service accounts, role aggregation. */
const controllers = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'resourcequota-controller',
  'validatingadmissionpolicy-status-controller',
];

export const startControllerManager = (plan: ServerPlan, kubeconfig: string): Promise<Daemon> =>
  startDaemon({
    name: 'kube-controller-manager',
    detached: plan.detached,
    logPath: join(plan.dir, 'kube-controller-manager.log'),
    argv: [
      plan.binaries.kubeControllerManager,
      `--kubeconfig=${kubeconfig}`,
      `--controllers=${controllers.join(',')}`,
      `--service-account-private-key-file=${plan.serviceAccountKey.privatePath}`,
      `--root-ca-file=${plan.authority.caPath}`,
      '--use-service-account-credentials=true',
      '--leader-elect=false',
      // Its own listener is not needed, and port 0 keeps labs apart.
      '--secure-port=0',
      '--profiling=false',
    ],
  });

type Kv = { header?: { revision?: string } };

const etcdCall = async (plan: ServerPlan, path: string, body: object): Promise<Kv> => {
  const response = await fetch(`${etcdUrl(plan)}/v3/kv/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${text.slice(0, 500)}`);
  return JSON.parse(text) as Kv;
};

/** Compacts etcd to its present revision (through its JSON gateway); returns that revision. */
export const compact = async (plan: ServerPlan): Promise<string> => {
  const { header } = await etcdCall(plan, 'range', { key: Buffer.from('/').toString('base64') });
  const revision = header?.revision ?? '0';
  await etcdCall(plan, 'compaction', { revision, physical: true });
  return revision;
};
