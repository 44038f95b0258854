/** Which hosts reach a StoragePool, and whether a disk may be there. No I/O. */
import { hostInitiatorIqn } from '../../api/identity.ts';
import type { StoragePool } from '../../api/storage-pool.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { ControllerContext } from '../context.ts';
import { mayUse } from '../may-use.ts';
import type { HostWorld, Lack } from './world.ts';

/** In the order of their names. */
export const hostsOf = (context: ControllerContext, pool: StoragePool | undefined): readonly HostWorld[] =>
  (pool?.spec.hostPoolRefs ?? [])
    .flatMap((ref) =>
      context.kinds.hosts.store.byIndex('hostPool', ref.name).map((host): HostWorld => {
        const seen = context.fleet.session(ref.name)?.hosts().get(host.spec.hostName);
        const ready = pool?.status?.hosts?.some((it) => it.name === host.metadata.name && it.ready) ?? false;
        return {
          name: host.metadata.name,
          id: host.spec.hostName,
          pool: ref.name,
          usable: seen?.kind === 'reachable' && ready,
          declaredDown: host.spec.declaredDown?.reason,
          initiator: hostInitiatorIqn(host.metadata.uid),
        };
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
