/** A pool some of whose hosts cannot be tried at all: what is on them is unseen, never absent. */
import type { HostId, HostSeen, HypervisorPool } from '../drivers/hypervisor/contract.ts';
import { createWitness } from '../drivers/hypervisor/witness.ts';
import { Fault } from '../runtime/fault.ts';

export type Blocked = Extract<HostSeen, { kind: 'unreachable' }>;

/**
 * The driver does not know the blocked hosts; without this wrapper a machine on one of them would look as if it were
 * nowhere, and could be made a second time or be let go of.
 */
export const guardPool = (pool: HypervisorPool, blocked: ReadonlyMap<HostId, Blocked>): HypervisorPool => {
  const check = (host: HostId): void => {
    const why = blocked.get(host);
    if (why !== undefined) throw new Fault('unreachable', why.message, { reason: why.reason, where: host });
  };
  // What a blocked host told before it was is not kept.
  const witness = createWitness({ listed: () => false, had: () => false });
  return {
    ...pool,
    see: async (vm, hint, signal) => {
      const seen = await pool.see(vm, hint, signal);
      const blind = [...blocked.keys()].filter((host) => !seen.unseen.includes(host));
      const unseen = witness.unseen(vm, hint, blind, seen.sightings);
      return unseen.length === 0 ? seen : { ...seen, unseen: [...seen.unseen, ...unseen] };
    },
    take: async (vm, step, signal) => {
      check(step.host);
      return witness.during(vm, step, () => pool.take(vm, step, signal));
    },
    claim: async (host, clusterId, signal) => {
      check(host);
      return pool.claim(host, clusterId, signal);
    },
    hostStorage: (host) => {
      check(host);
      return pool.hostStorage(host);
    },
    hostNetworks: (host) => {
      check(host);
      return pool.hostNetworks(host);
    },
    hostSecrets: (host) => {
      check(host);
      return pool.hostSecrets(host);
    },
  };
};
