/** Figures of storage servers: their calls, timed; and how each pool stands, read from the caches at every scrape. */
import { Gauge, type Registry } from 'prom-client';
import { bytesOf } from '../api/quantity.ts';
import type { StoragePool, StoragePoolStatus } from '../api/storage-pool.ts';
import type { StorageServer } from '../drivers/storage/contract.ts';
import type { StoreReader } from '../kube/contract.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { promiseLimit } from './storage-promises.ts';
import { timedCalls } from './timed-calls.ts';

/** A server whose calls are timed: `driver_call_seconds` by driver, step and outcome. */
export const measureServer = (
  server: StorageServer,
  driver: string,
  metrics: Pick<Metrics, 'driverCall'>,
  clock: Pick<Clock, 'monotonicMs'>,
): StorageServer => {
  const timed = timedCalls(driver, metrics, clock);
  return {
    ...server,
    see: (signal) => timed('server.see', () => server.see(signal)),
    // Names of volumes and bricks may be in `what`: they would make a series each.
    take: (step, signal) => timed('server.take', () => server.take(step, signal)),
  };
};

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];
type Read = (status: StoragePoolStatus, spec: StoragePool['spec']) => readonly Sample[];

const one = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [[{}, value]]);
const size = (text: string | undefined): readonly Sample[] =>
  one(text === undefined ? undefined : bytesOf(text));

const states = ['Healthy', 'Degraded', 'Unusable'] as const;

const components: Read = ({ components: parts = [] }) => {
  const counts = new Map<string, number>();
  for (const { kind, state } of parts) {
    for (const each of ['Up', 'Down', 'Unknown']) {
      const key = `${kind}/${each}`;
      counts.set(key, (counts.get(key) ?? 0) + (each === state ? 1 : 0));
    }
  }
  return [...counts].map(([key, value]): Sample => {
    const [kind = '', state = ''] = key.split('/');
    return [{ kind, state }, value];
  });
};

/** One gauge each, a series per StoragePool; what is not known has none. */
export const observeStoragePools = (
  registry: Registry,
  store: Pick<StoreReader<StoragePool>, 'list'>,
): void => {
  const gauge = (name: string, help: string, labelNames: readonly string[], read: Read): void => {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames: ['pool', ...labelNames],
      registers: [registry],
      collect: () => {
        made.reset();
        for (const { metadata, spec, status } of store.list()) {
          for (const [labels, value] of read(status ?? {}, spec))
            made.set({ pool: metadata.name, ...labels }, value);
        }
      },
    });
  };
  gauge('ovcp_storage_pool_health', '1 for the state that the server side is in.', ['state'], ({ health }) =>
    health === undefined ? [] : states.map((state) => [{ state }, state === health.state ? 1 : 0]),
  );
  gauge('ovcp_storage_pool_components', 'Servers, bricks and such by state.', ['kind', 'state'], components);
  gauge('ovcp_storage_pool_heal_pending', 'Entries that wait for healing.', [], ({ heal }) =>
    one(heal?.pending),
  );
  gauge('ovcp_storage_pool_split_brain', 'Files in split-brain.', [], ({ heal }) => one(heal?.splitBrain));
  gauge('ovcp_storage_pool_capacity_bytes', 'Size.', [], ({ capacity }) => size(capacity));
  gauge('ovcp_storage_pool_available_bytes', 'Free space.', [], ({ available }) => size(available));
  gauge('ovcp_storage_pool_allocated_bytes', 'Sum of the sizes of its disks.', [], ({ allocated }) =>
    size(allocated),
  );
  gauge(
    'ovcp_storage_pool_allocatable_bytes',
    'What may be promised to disks; none without overProvisionPercent.',
    [],
    (status, spec) => one(promiseLimit({ spec, status })),
  );
  gauge('ovcp_storage_pool_hosts_ready', 'Hosts where it can be used.', [], ({ hostsReady }) =>
    one(hostsReady),
  );
};
