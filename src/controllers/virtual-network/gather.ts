/** The world of one VirtualNetwork, from stores and the fleet's memory. */
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { ControllerContext } from '../context.ts';
import { networkIdentityOf } from '../places.ts';
import { siteOf, sitesOf } from '../sites.ts';
import { shapeOf } from './shape.ts';
import type { NetworkSite, NetworkWorld } from './world.ts';

const keyOf = ({ metadata }: VirtualMachine): string => `${metadata.namespace}/${metadata.name}`;

const usersByHost = (machines: readonly VirtualMachine[]): ReadonlyMap<string, readonly string[]> => {
  const users = new Map<string, string[]>();
  for (const vm of machines) {
    const host = vm.status?.host;
    if (host !== undefined) users.set(host, [...(users.get(host) ?? []), keyOf(vm)]);
  }
  return users;
};

export const gather = (context: ControllerContext, key: string): NetworkWorld | undefined => {
  const { kinds, clusterId } = context;
  const network = kinds.networks.store.get(key);
  if (network === undefined) return undefined;
  const machines = kinds.machines.store.byIndex('network', key);
  const users = usersByHost(machines);
  const { backends } = network.spec;
  const current = backends.flatMap((backend) =>
    sitesOf(context, [backend.hostPoolRef.name]).map(
      (site): NetworkSite => ({
        ...site,
        backend,
        shape: shapeOf(backend),
        machines: users.get(site.name) ?? [],
      }),
    ),
  );
  const names = new Set(current.map(({ name }) => name));
  const retired = (network.status?.hosts ?? [])
    .filter(({ name }) => !names.has(name))
    .flatMap(({ name }): readonly NetworkSite[] => {
      const host = kinds.hosts.store.get(name);
      const site = host && siteOf(context, host);
      return site === undefined
        ? []
        : [{ ...site, backend: undefined, shape: undefined, machines: users.get(name) ?? [] }];
    });
  return {
    network,
    identity: networkIdentityOf(clusterId, network),
    sites: [...current, ...retired].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    missingPools: backends
      .map(({ hostPoolRef }) => hostPoolRef.name)
      .filter((name) => kinds.hostPools.store.get(name) === undefined),
    machines: machines.map(keyOf),
  };
};
