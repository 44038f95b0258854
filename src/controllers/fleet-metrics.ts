/** A pool whose calls are timed: `driver_call_seconds` by driver, step and outcome. */
import type { HypervisorPool } from '../drivers/hypervisor/contract.ts';
import type { HostNetworks } from '../drivers/hypervisor/host-networks.ts';
import type { HostSecrets } from '../drivers/hypervisor/host-secrets.ts';
import type { HostStorage } from '../drivers/hypervisor/host-storage.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { type Timed, timedCalls } from './timed-calls.ts';

const timedStorage = (storage: HostStorage, timed: Timed): HostStorage => ({
  seePlace: (...given) => timed('storage.seePlace', () => storage.seePlace(...given)),
  see: (...given) => timed('storage.see', () => storage.see(...given)),
  list: (...given) => timed('storage.list', () => storage.list(...given)),
  // As long as its reader takes: a time of it would say nothing of the host.
  read: (...given) => storage.read(...given),
  take: (place, step, signal) => timed(`storage.${step.kind}`, () => storage.take(place, step, signal)),
  work: (place, work, progress, signal) =>
    timed(`storage.${work.kind}`, () => storage.work(place, work, progress, signal)),
});

const timedNetworks = (networks: HostNetworks, timed: Timed): HostNetworks => ({
  see: (...given) => timed('network.see', () => networks.see(...given)),
  take: (network, step, signal) => timed(`network.${step.kind}`, () => networks.take(network, step, signal)),
});

const timedSecrets = (secrets: HostSecrets, timed: Timed): HostSecrets => ({
  list: (...given) => timed('secret.list', () => secrets.list(...given)),
  put: (...given) => timed('secret.put', () => secrets.put(...given)),
  drop: (...given) => timed('secret.drop', () => secrets.drop(...given)),
});

export const measurePool = (
  pool: HypervisorPool,
  driver: string,
  metrics: Pick<Metrics, 'driverCall'>,
  clock: Pick<Clock, 'monotonicMs'>,
): HypervisorPool => {
  const timed = timedCalls(driver, metrics, clock);
  return {
    ...pool,
    survey: (signal) => timed('survey', () => pool.survey(signal)),
    see: (...given) => timed('see', () => pool.see(...given)),
    take: (vm, step, signal) => timed(step.kind, () => pool.take(vm, step, signal)),
    claim: (...given) => timed('claim', () => pool.claim(...given)),
    hostStorage: (host) => timedStorage(pool.hostStorage(host), timed),
    hostNetworks: (host) => timedNetworks(pool.hostNetworks(host), timed),
    hostSecrets: (host) => timedSecrets(pool.hostSecrets(host), timed),
  };
};
