/** The world of one HostPool, from stores alone. */
import type { ControllerContext } from '../context.ts';
import { listedHosts } from '../fleet-endpoints.ts';
import type { HostPoolWorld } from './world.ts';

export const gather = ({ kinds }: ControllerContext, key: string): HostPoolWorld | undefined => {
  const pool = kinds.hostPools.store.get(key);
  if (pool === undefined) return undefined;
  return {
    pool,
    listed: listedHosts(pool).map(({ host }) => host),
    hosts: kinds.hosts.store.byIndex('hostPool', key),
    machines: kinds.machines.store
      .byIndex('hostPool', key)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  };
};
