/** The world of one Host, from stores and the fleet's memory: 0 API calls, 0 host calls. */
import type { Host } from '../../api/host.ts';
import type { ControllerContext } from '../context.ts';
import { listedHosts } from '../fleet-endpoints.ts';
import type { Allocations } from '../virtual-machine/allocations.ts';
import type { HostWorld } from './world.ts';

export interface GatherDeps {
  readonly context: ControllerContext;
  readonly allocations: Pick<Allocations, 'usage'>;
}

const seenOf = ({ fleet }: ControllerContext, { spec }: Host) =>
  fleet.session(spec.hostPoolRef.name)?.hosts().get(spec.hostName);

/** What the host says of itself now, else what it last said. */
const uuidOf = (context: ControllerContext, host: Host): string | undefined =>
  seenOf(context, host)?.facts?.hostUuid ?? host.status?.hostUuid;

const cameBefore = (a: Host, b: Host): boolean =>
  a.metadata.creationTimestamp === b.metadata.creationTimestamp
    ? a.metadata.name < b.metadata.name
    : a.metadata.creationTimestamp < b.metadata.creationTimestamp;

/** A host declared gone does not stand in the way of the same machine under another name. */
const duplicateOf = (context: ControllerContext, host: Host): string | undefined => {
  const uuid = uuidOf(context, host);
  if (uuid === undefined) return undefined;
  const others = context.kinds.hosts.store
    .list()
    .filter(
      (other) =>
        other.metadata.uid !== host.metadata.uid &&
        other.spec.declaredDown === undefined &&
        uuidOf(context, other) === uuid &&
        cameBefore(other, host),
    );
  return others.toSorted((a, b) => (cameBefore(a, b) ? -1 : 1))[0]?.metadata.name;
};

export const gather = ({ context, allocations }: GatherDeps, key: string): HostWorld | undefined => {
  const { kinds, clusterId } = context;
  const host = kinds.hosts.store.get(key);
  if (host === undefined) return undefined;
  const pool = kinds.hostPools.store.get(host.spec.hostPoolRef.name);
  const usage = allocations.usage(key);
  return {
    host,
    clusterId,
    pool,
    listed: pool && listedHosts(pool).find((listed) => listed.host === host.spec.hostName),
    seen: seenOf(context, host),
    duplicateOf: duplicateOf(context, host),
    allocated: { cpus: usage.cpus, memoryMiB: usage.memoryMiB },
    machines: Math.max(usage.machines, kinds.machines.store.byIndex('host', key).length),
    disks: kinds.disks.store
      .byIndex('host', key)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  };
};
