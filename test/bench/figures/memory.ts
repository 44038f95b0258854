/**
 * Resident memory of the operator: the bundle as a process of its own, on a real API server, started with the flags
 * of deploy/base/deployment.yaml. `VmRSS` of /proc/<pid>/status, the lowest of several readings a second apart, once
 * no controller has ended a pass for a while.
 *
 * Simulated hosts live in the operator's own process and would be measured with it. So the machines are paused: the
 * operator has them all in its caches, with the status of machines that run, and its hosts hold none.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../../../hack/lab/operator.ts';
import { freePorts } from '../../../hack/lab/ports.ts';
import { type Daemon, run, startDaemon, waitUntil } from '../../../hack/lab/process.ts';
import { FINALIZER } from '../../../src/api/identity.ts';
import { type Cluster, has, inParallel, sleep, startCluster } from '../harness/cluster.ts';
import { deployedFlags } from '../harness/deployed.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import {
  collection,
  hostPath,
  hostPoolName,
  machine,
  machinePath,
  namespaceObject,
  simulatedPool,
} from '../harness/objects.ts';
import { machineName } from '../harness/simulated-lab.ts';

const row = 'memory';
const hosts = 40;
const namespace = 'many';
const restSeconds = 20;
const calmSeconds = 10;
const calmLimitSeconds = 1_800;

const rssMb = async (pid: number): Promise<number> => {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024) / 1e6;
};

const passesOf = (metrics: string): number =>
  [...metrics.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );

/** Until the operator has had nothing to do for a while: an audit looks at pools once in two minutes. */
const calm = async ({ metrics }: Bundle): Promise<void> => {
  let before = -1;
  for (let second = 0, same = 0; same < calmSeconds; second += 1) {
    if (second > calmLimitSeconds) throw new Error('the operator does not come to rest');
    await sleep(1000);
    const now = passesOf(await metrics());
    same = now === before ? same + 1 : 0;
    before = now;
  }
};

const atRest = async (bundle: Bundle): Promise<number> => {
  await calm(bundle);
  const { pid } = bundle.daemon;
  let least = Number.POSITIVE_INFINITY;
  for (let second = 0; second < restSeconds; second += 1) {
    await sleep(1000);
    least = Math.min(least, await rssMb(pid));
  }
  return least;
};

type Status = Readonly<Record<string, unknown>>;

interface Bundle {
  readonly daemon: Daemon;
  readonly metrics: () => Promise<string>;
}

const annotations = { 'ovcp.dev/paused': 'memory is being measured' };

const merge = (cluster: Cluster, path: string, body: object): Promise<unknown> =>
  cluster.call({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });

/** What a machine says of itself that ran and was paused then; it is gone again after that. */
const sampleStatus = async (cluster: Cluster): Promise<Status> => {
  const name = 'sample';
  const path = machinePath(name, namespace);
  await cluster.call({
    method: 'POST',
    path: collection('virtualmachines', namespace),
    body: machine(name, namespace),
  });
  await cluster.until(path, (it) => has(it, 'Ready', 'True'));
  await merge(cluster, path, { metadata: { annotations } });
  const paused = await cluster.until(path, (it) => has(it, 'Paused', 'True'));
  await merge(cluster, path, { metadata: { annotations: { 'ovcp.dev/paused': null } } });
  await cluster.call({ method: 'DELETE', path });
  await cluster.until(path, (it) => it === undefined);
  return (paused as { readonly status: Status }).status;
};

/** Names as each machine has its own, so that no two share a text that they would not share. */
const ownStatus = (status: Status, index: number): Status => ({
  ...status,
  host: `${hostPoolName}.h${index % hosts}`,
  uuid: crypto.randomUUID(),
  domainName: `${namespace}.${machineName(index)}.${crypto.randomUUID().slice(0, 8)}`,
});

/** Machines with the status of one that runs, made while no operator is there: each would cost it five writes. */
const fill = (cluster: Cluster, count: number, status: Status): Promise<void> =>
  inParallel(
    Array.from({ length: count }, (_, index) => index),
    32,
    async (index) => {
      const name = machineName(index);
      const bare = machine(name, namespace);
      const body = { ...bare, metadata: { ...bare.metadata, annotations, finalizers: [FINALIZER] } };
      await cluster.call({ method: 'POST', path: collection('virtualmachines', namespace), body });
      const path = `${machinePath(name, namespace)}/status`;
      await merge(cluster, path, { status: ownStatus(status, index) });
    },
  );

const startBundle = async ({ plane }: Cluster, dir: string): Promise<Bundle> => {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const daemon = await startDaemon({
    name: 'bundle',
    argv: [process.execPath, ...(await deployedFlags()), join(repositoryRoot, 'dist/ovcp.mjs')],
    cwd: repositoryRoot,
    logPath: join(dir, 'operator.log'),
    env: {
      NODE_ENV: 'production',
      HOME: dir,
      PATH: process.env['PATH'],
      KUBECONFIG: plane.kubeconfig,
      OVCP_CLUSTER_ID: 'bench',
      OVCP_HEALTH_ADDRESS: address,
      OVCP_LOG_LEVEL: 'error',
    },
  });
  const get = async (path: string): Promise<Response> => fetch(`http://${address}${path}`);
  const ready = async (): Promise<boolean> => (await get('/readyz').catch(() => undefined))?.ok ?? false;
  await waitUntil('the bundle', ready, { limitMs: 60_000, alive: [daemon] });
  return { daemon, metrics: async () => (await get('/metrics')).text() };
};

export const memory = async (): Promise<readonly Figure[]> => {
  const count = Number(process.env['MEMORY_MACHINES'] ?? 10_000);
  await run([process.execPath, join(repositoryRoot, 'hack/build.ts')], { cwd: repositoryRoot });
  const cluster = await startCluster(false);
  const dir = join(cluster.plane.kubeconfig, '..');
  let bundle: Bundle | undefined;
  try {
    bundle = await startBundle(cluster, dir);
    await cluster.apply(simulatedPool(hosts), namespaceObject(namespace));
    await cluster.until(hostPath(0), (it) => has(it, 'Schedulable', 'True'));
    const idleMb = await atRest(bundle);
    const status = await sampleStatus(cluster);
    await bundle.daemon.stop(30_000);
    await fill(cluster, count, status);
    bundle = await startBundle(cluster, dir);
    const fullMb = await atRest(bundle);
    return [
      {
        row,
        what: `bundle, one pool of ${hosts} simulated hosts, no machine: RSS`,
        value: idleMb,
        unit: 'MB',
        gate: atMost(130),
      },
      {
        row,
        what: `what ${count} machines add to it`,
        value: fullMb - idleMb,
        unit: 'MB',
        // The gate is one of ten thousand: fewer would pass it for nothing.
        ...(count >= 10_000 ? { gate: atMost(120) } : {}),
        note: `${fullMb.toFixed(0)} MB in all, right after a start; paused, with the status of machines that run`,
      },
    ];
  } finally {
    await bundle?.daemon.stop(30_000);
    await cluster.close();
  }
};
