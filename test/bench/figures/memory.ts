/**
 * Resident memory of the operator: the bundle as a process of its own, on a real API server, started with the flags
 * of deploy/base/deployment.yaml. `VmRSS` of /proc/<pid>/status, the lowest of several readings a second apart, once
 * no controller has ended a pass for a while.
 *
 * Simulated hosts live in the operator's own process, so what machines add is read twice: with the hosts' memory in
 * it, and after a restart with the machines paused, when the operator has them all in its caches and the hosts, which
 * a restart empties, hold none.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../../../hack/lab/operator.ts';
import { freePorts } from '../../../hack/lab/ports.ts';
import { type Daemon, run, startDaemon, waitUntil } from '../../../hack/lab/process.ts';
import { type Cluster, has, inParallel, type Json, sleep, startCluster } from '../harness/cluster.ts';
import { deployedFlags } from '../harness/deployed.ts';
import { atMost, type Figure } from '../harness/figure.ts';
import { collection, hostPath, machinePath, namespaceObject, simulatedPool } from '../harness/objects.ts';
import { createMachines, machineName } from '../harness/simulated-lab.ts';

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

interface Bundle {
  readonly daemon: Daemon;
  readonly metrics: () => Promise<string>;
}

const annotations = { 'ovcp.dev/paused': 'memory is being measured' };

/** Pauses every machine, so that an operator that starts again leaves its hosts empty. */
const pauseAll = (cluster: Cluster, count: number): Promise<void> =>
  inParallel(
    Array.from({ length: count }, (_, index) => machineName(index)),
    32,
    async (name) => {
      await cluster.call({
        method: 'PATCH',
        path: machinePath(name, namespace),
        contentType: 'application/merge-patch+json',
        body: { metadata: { annotations } },
      });
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

const counted = async (cluster: Cluster, type: string): Promise<number> => {
  let count = 0;
  let next: string | undefined;
  do {
    const answer = (await cluster.call({
      method: 'GET',
      path: collection('virtualmachines', namespace),
      query: { limit: 1000, continue: next },
      timeoutMs: 120_000,
    })) as Json & { readonly metadata: { readonly continue?: string } };
    count += (answer.items ?? []).filter((it) => has(it, type, 'True')).length;
    next = answer.metadata.continue === '' ? undefined : answer.metadata.continue;
  } while (next !== undefined);
  return count;
};

const untilAll = async (cluster: Cluster, count: number, type: string): Promise<void> => {
  let before = -1;
  for (let stuck = 0; stuck < 12; ) {
    const now = await counted(cluster, type);
    if (now >= count) return;
    stuck = now === before ? stuck + 1 : 0;
    before = now;
    await sleep(5_000);
  }
  throw new Error(`only ${before} of ${count} machines are ${type}`);
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
    await createMachines(cluster, namespace, count, 'none');
    await untilAll(cluster, count, 'Ready');
    const fullMb = await atRest(bundle);
    await pauseAll(cluster, count);
    await untilAll(cluster, count, 'Paused');
    await bundle.daemon.stop(30_000);
    bundle = await startBundle(cluster, dir);
    const againMb = await atRest(bundle);
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
        what: `what ${count} machines add to it, paused and after a restart`,
        value: againMb - idleMb,
        unit: 'MB',
        // The gate is one of ten thousand: fewer would pass it for nothing.
        ...(count >= 10_000 ? { gate: atMost(120) } : {}),
        note: `${againMb.toFixed(0)} MB in all`,
      },
      {
        row,
        what: `what ${count} machines and the simulated hosts that run them add`,
        value: fullMb - idleMb,
        unit: 'MB',
        note: `${fullMb.toFixed(0)} MB in all`,
      },
    ];
  } finally {
    await bundle?.daemon.stop(30_000);
    await cluster.close();
  }
};
