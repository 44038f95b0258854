/** Many disks on one pool of a storage server at once. */
import { type Cluster, inParallel } from './cluster.ts';
import { collection, hostPoolName, namespaceObject } from './objects.ts';
import type { Driven } from './operator-protocol.ts';

export const servedPoolName = 'served';

/** A simulated server that hands out single disks. */
export const servedPool = () => ({
  apiVersion: 'ovcp.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: servedPoolName },
  spec: {
    driver: 'simulated',
    hostPoolRefs: [{ name: hostPoolName }],
    topology: 'Shared',
    roles: ['Disks'],
    allowedNamespaces: { from: 'All' },
    simulated: { server: { serves: 'Disks' } },
  },
});

export const diskName = (index: number): string => `d${String(index).padStart(5, '0')}`;

const width = 16;

/** Asks for all of them before the first can be there. */
export const createDisks = async (
  cluster: Cluster,
  namespace: string,
  pool: string,
  { from = 0, count }: { readonly from?: number; readonly count: number },
): Promise<void> => {
  await cluster.apply(namespaceObject(namespace));
  const names = Array.from({ length: count }, (_, index) => diskName(from + index));
  await inParallel(names, width, async (name) => {
    await cluster.call({
      method: 'POST',
      path: collection('virtualdisks', namespace),
      body: {
        apiVersion: 'ovcp.dev/v1alpha1',
        kind: 'VirtualDisk',
        metadata: { name, namespace },
        spec: { storagePoolRef: { name: pool }, size: '16Mi' },
      },
    });
  });
};

/** Calls that ended with a Fault. */
export const failedCalls = (calls: readonly Driven[]): readonly Driven[] =>
  calls.filter(({ fault }) => fault !== undefined);

/** The most calls that were under way at one time. */
export const mostAtOnce = (calls: readonly Driven[]): number => {
  const edges = calls
    .flatMap(({ fromMs, toMs }) => [
      { atMs: fromMs, by: 1 },
      { atMs: toMs, by: -1 },
    ])
    .toSorted((a, b) => a.atMs - b.atMs || a.by - b.by);
  let [now, most] = [0, 0];
  for (const { by } of edges) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
};
