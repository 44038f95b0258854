/** The hosts on which a StoragePool or a VirtualNetwork is to be, and whether they can be worked with. Pure but for the stores. */
import type { Host } from '../api/host.ts';
import type { HostPool } from '../api/host-pool.ts';
import type { Reason } from '../api/reasons.ts';
import type { HostFacts, HostId } from '../drivers/hypervisor/contract.ts';
import { Fault } from '../runtime/fault.ts';
import type { ControllerContext } from './context.ts';
import { knownReason } from './standing.ts';

export type SiteState =
  | { readonly kind: 'usable'; readonly facts: HostFacts }
  /** `gone`: nothing of ours is there, or it is gone for good: a deletion does not wait for it. */
  | {
      readonly kind: 'unusable';
      readonly reason: Reason;
      readonly message: string;
      readonly gone: boolean;
    }
  /** The fleet has not tried it yet. */
  | { readonly kind: 'untried' };

export interface Site {
  /** Name of the Host object. */
  readonly name: string;
  readonly pool: string;
  readonly host: HostId;
  readonly driver: HostPool['spec']['driver'];
  readonly state: SiteState;
}

/** Nothing is made on a host that is not surely ours: another installation's, or the same machine under two names. */
const unclaimed = (host: Host): SiteState | undefined => {
  const claimed = host.status?.conditions?.find(({ type }) => type === 'Claimed');
  if (claimed?.status === 'True') return undefined;
  const gone = claimed?.status === 'False';
  const reason = knownReason(claimed?.reason, 'Connecting');
  return { kind: 'unusable', reason, message: claimed?.message ?? 'The host is being connected.', gone };
};

const stateOf = ({ fleet }: ControllerContext, host: Host): SiteState => {
  const { declaredDown, hostPoolRef, hostName } = host.spec;
  if (declaredDown !== undefined) {
    const message = `The host was declared gone: ${declaredDown.reason}`;
    return { kind: 'unusable', reason: 'DeclaredDown', message, gone: true };
  }
  const seen = fleet.session(hostPoolRef.name)?.hosts().get(hostName);
  if (seen === undefined) return { kind: 'untried' };
  if (seen.kind === 'reachable') return unclaimed(host) ?? { kind: 'usable', facts: seen.facts };
  return {
    kind: 'unusable',
    reason: knownReason(seen.reason, 'HostUnreachable'),
    message: seen.message,
    gone: false,
  };
};

export const siteOf = (context: ControllerContext, host: Host): Site | undefined => {
  const pool = context.kinds.hostPools.store.get(host.spec.hostPoolRef.name);
  return (
    pool && {
      name: host.metadata.name,
      pool: pool.metadata.name,
      host: host.spec.hostName,
      driver: pool.spec.driver,
      state: stateOf(context, host),
    }
  );
};

/** Every Host of these pools, by name. */
export const sitesOf = (context: ControllerContext, pools: readonly string[]): readonly Site[] =>
  pools
    .flatMap((pool) => context.kinds.hosts.store.byIndex('hostPool', pool))
    .flatMap((host) => siteOf(context, host) ?? [])
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Until every host was tried once nothing can be told: a start of the operator writes no status. */
export const awaitTried = (sites: readonly Site[]): void => {
  const untried = sites.find(({ state }) => state.kind === 'untried');
  if (untried !== undefined) {
    throw new Fault('busy', `Host ${untried.name} is being connected.`, { reason: 'Connecting' });
  }
};

/** What readiness of a place on a host hangs on; a change of anything else of the Host does not matter. */
export const siteKey = (host: Host | undefined): string => {
  const claimed = host?.status?.conditions?.find(({ type }) => type === 'Claimed');
  return JSON.stringify([host?.metadata.uid, host?.spec.declaredDown, claimed?.status, claimed?.reason]);
};
