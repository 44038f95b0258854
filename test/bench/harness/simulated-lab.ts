/** Control plane, operator on simulated hosts and one pool, ready for machines. */
import { createHash, randomBytes } from 'node:crypto';
import { type FileServer, startFileServer } from '../../../hack/lab/http-server.ts';
import { type Cluster, has, inParallel, type Json, sleep, startCluster } from './cluster.ts';
import {
  collection,
  type DiskShape,
  hostPath,
  image,
  imageName,
  machine,
  namespaceObject,
  poolPath,
  simulatedPool,
  simulatedStorage,
} from './objects.ts';
import { forkOperator, type OperatorProcess } from './operator-process.ts';

/** From the first create until the last machine ran, in ms of the wall clock. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface SimulatedLab {
  readonly cluster: Cluster;
  readonly operator: OperatorProcess;
  /** Creates `count` machines in the namespace and resolves when all run. */
  burst(namespace: string, count: number, shape: DiskShape): Promise<Span>;
  /** Creates machines without waiting for anything. */
  create(namespace: string, count: number, shape: DiskShape): Promise<void>;
  /** Deletes all machines of the namespace and resolves when they and their disks are gone. */
  clear(namespace: string): Promise<void>;
  /** An image in the namespace, Ready. */
  importImage(namespace: string): Promise<void>;
  close(): Promise<void>;
}

const createWidth = 16;

export const machineName = (index: number): string => `m${String(index).padStart(5, '0')}`;

const startImageServer = async (): Promise<FileServer & { readonly checksum: string }> => {
  const bytes = randomBytes(1024 * 1024);
  const server = await startFileServer({ routes: { '/base.raw': { kind: 'file', content: { bytes } } } });
  return { ...server, checksum: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
};

const post = (cluster: Cluster, namespace: string, object: object): Promise<unknown> =>
  cluster.call({ method: 'POST', path: collection('virtualmachines', namespace), body: object });

export const createMachines = (
  cluster: Cluster,
  namespace: string,
  count: number,
  shape: DiskShape,
): Promise<void> =>
  inParallel(
    Array.from({ length: count }, (_, index) => machineName(index)),
    createWidth,
    async (name) => {
      await post(cluster, namespace, machine(name, namespace, shape));
    },
  );

const remaining = async (cluster: Cluster, plural: string, namespace: string): Promise<number> => {
  const answer = await cluster.call({
    method: 'GET',
    path: collection(plural, namespace),
    query: { limit: 1, resourceVersion: '0' },
  });
  return (answer as Json).items?.length ?? 0;
};

const clear = async (cluster: Cluster, namespace: string): Promise<void> => {
  await cluster.call({
    method: 'DELETE',
    path: collection('virtualmachines', namespace),
    timeoutMs: 120_000,
  });
  for (;;) {
    const left =
      (await remaining(cluster, 'virtualmachines', namespace)) +
      (await remaining(cluster, 'virtualdisks', namespace));
    if (left === 0) return;
    await sleep(250);
  }
};

/** Totals are written half a minute after the last change: those of hosts, and half a minute later those of pools. */
const totalsMs = 65_000;

/** Waits until the fleet has converged: nothing is left to be done, now or in a while. */
export const converge = async ({ operator }: SimulatedLab): Promise<void> => {
  await operator.quiet();
  await sleep(totalsMs);
  await operator.quiet(3_000);
};

export const imageFlags = ['--image-allow-cidr', '127.0.0.0/8'] as const;

/** `hosts`: how many simulated hosts the pool has. */
export const startSimulatedLab = async (options: {
  readonly hosts: number;
  readonly audit: 'all' | 'writes' | false;
}): Promise<SimulatedLab> => {
  const cluster = await startCluster(options.audit);
  const operator = forkOperator();
  let images: Awaited<ReturnType<typeof startImageServer>> | undefined;
  await operator.start(cluster.plane.kubeconfig, imageFlags);
  await cluster.apply(simulatedPool(options.hosts), simulatedStorage());
  for (let host = 0; host < options.hosts; host += 1) {
    await cluster.until(hostPath(host), (it) => has(it, 'Schedulable', 'True'));
  }
  await cluster.until(poolPath(), (it) => has(it, 'Ready', 'True'));

  const waitForRunning = async (count: number): Promise<number> => {
    let before = -1;
    let stuckMs = 0;
    for (;;) {
      const { ready, lastReadyMs } = await operator.progress();
      if (ready >= count) return lastReadyMs;
      stuckMs = ready === before ? stuckMs + 50 : 0;
      before = ready;
      if (stuckMs > 90_000) throw new Error(`only ${ready} of ${count} machines run`);
      await sleep(50);
    }
  };

  return {
    cluster,
    operator,
    create: async (namespace, count, shape) => {
      await cluster.apply(namespaceObject(namespace));
      await createMachines(cluster, namespace, count, shape);
    },
    burst: async (namespace, count, shape) => {
      await cluster.apply(namespaceObject(namespace));
      const { ready } = await operator.progress();
      const fromMs = Date.now();
      await createMachines(cluster, namespace, count, shape);
      return { fromMs, toMs: await waitForRunning(ready + count) };
    },
    clear: (namespace) => clear(cluster, namespace),
    importImage: async (namespace) => {
      images ??= await startImageServer();
      await cluster.apply(
        namespaceObject(namespace),
        image(namespace, `${images.url}/base.raw`, images.checksum),
      );
      const path = `${collection('virtualmachineimages', namespace)}/${imageName}`;
      await cluster.until(path, (it) => has(it, 'Ready', 'True'));
    },
    close: async () => {
      await operator.exit();
      await images?.stop();
      await cluster.close();
    },
  };
};
