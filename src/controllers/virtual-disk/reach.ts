/** Which hosts reach a StoragePool, and whether a disk may be there. No I/O. */
import type { Host } from '../../api/host.ts';
import { hostInitiatorIqn } from '../../api/identity.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { ControllerContext } from '../context.ts';
import { mayUse } from '../may-use.ts';
import type { HostWorld, Lack } from './world.ts';

export const hostWorldOf = ({ fleet }: ControllerContext, host: Host, ready: boolean): HostWorld => {
  const pool = host.spec.hostPoolRef.name;
  const seen = fleet.session(pool)?.hosts().get(host.spec.hostName);
  return {
    name: host.metadata.name,
    id: host.spec.hostName,
    pool,
    usable: seen?.kind === 'reachable' && ready,
    declaredDown: host.spec.declaredDown?.reason,
    initiator: hostInitiatorIqn(host.metadata.uid),
  };
};

/** In the order of their names. */
export const hostsOf = (context: ControllerContext, pool: StoragePool | undefined): readonly HostWorld[] =>
  (pool?.spec.hostPoolRefs ?? [])
    .flatMap((ref) =>
      context.kinds.hosts.store.byIndex('hostPool', ref.name).map((host) => {
        const ready = pool?.status?.hosts?.some((it) => it.name === host.metadata.name && it.ready) ?? false;
        return hostWorldOf(context, host, ready);
      }),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Why a disk of that namespace may not be in a pool; `bound`: it is there already. */
export const poolLackOf = (
  context: ControllerContext,
  disk: VirtualDisk,
  pool: StoragePool | undefined,
  bound: boolean,
): Lack | undefined => {
  const { name } = disk.spec.storagePoolRef;
  if (
    pool === undefined ||
    (!bound && !mayUse(context, disk.metadata.namespace, pool.spec.allowedNamespaces))
  ) {
    return {
      reason: 'StoragePoolNotFound',
      message: `StoragePool ${name} does not exist, or this namespace may not use it.`,
    };
  }
  if (!bound && pool.metadata.deletionTimestamp !== undefined)
    return { reason: 'StoragePoolNotFound', message: `StoragePool ${name} is being deleted.` };
  return bound || pool.spec.roles.includes('Disks')
    ? undefined
    : { reason: 'StorageRoleMissing', message: `StoragePool ${name} does not take disks.` };
};
