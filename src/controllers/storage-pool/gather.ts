/** The world of one StoragePool, from stores and the fleet's memory. */
import { diskTargetIqn } from '../../api/identity.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { ControllerContext } from '../context.ts';
import { placeOf } from '../places.ts';
import { isLoggedIn, isServed } from '../served.ts';
import { siteOf, sitesOf } from '../sites.ts';
import { erasesOnDeletion, setupOf } from '../storage-setup.ts';
import type { LoginDisk, StoragePoolWorld, StorageSite } from './world.ts';

const keyOf = ({ metadata }: { readonly metadata: { readonly namespace: string; readonly name: string } }) =>
  `${metadata.namespace}/${metadata.name}`;

const loginsOf = (disks: readonly VirtualDisk[]): readonly LoginDisk[] =>
  disks.map((disk): LoginDisk => {
    const { host, published } = disk.status?.claim ?? {};
    const { uid } = disk.metadata;
    return { key: keyOf(disk), uid, targetIqn: diskTargetIqn(uid), host, published: published === true };
  });

export const gather = (context: ControllerContext, key: string): StoragePoolWorld | undefined => {
  const { kinds, clusterId } = context;
  const pool = kinds.storagePools.store.get(key);
  if (pool === undefined) return undefined;
  // Those that are to come here, and those that have yet to leave.
  const disks = [
    ...new Set([
      ...kinds.disks.store.byIndex('storagePool', key),
      ...kinds.disks.store.byIndex('poolUid', pool.metadata.uid),
    ]),
  ];
  // Where it is bound, and where a machine has it: both keep the storage there.
  const users = new Set(
    disks.flatMap(({ status }) => [status?.host, status?.claim?.host]).filter((name) => name !== undefined),
  );
  const refs = pool.spec.hostPoolRefs.map(({ name }) => name);
  const wanted = sitesOf(context, refs).map(
    (site): StorageSite => ({ ...site, wanted: true, used: users.has(site.name) }),
  );
  const names = new Set(wanted.map(({ name }) => name));
  const retired = (pool.status?.hosts ?? [])
    .filter(({ name }) => !names.has(name))
    .flatMap(({ name }): readonly StorageSite[] => {
      const host = kinds.hosts.store.get(name);
      const site = host && siteOf(context, host);
      return site === undefined ? [] : [{ ...site, wanted: false, used: users.has(name) }];
    });
  return {
    pool,
    place: placeOf(clusterId, pool),
    sites: [...wanted, ...retired],
    missingPools: refs.filter((name) => kinds.hostPools.store.get(name) === undefined),
    disks: disks.map(keyOf),
    images: kinds.images.store.byIndex('storagePool', key).map(keyOf),
    server:
      setupOf(pool, []) === undefined
        ? { kind: 'none' }
        : (context.storage.session(key)?.state(pool.metadata.generation) ?? { kind: 'opening' }),
    logins: isServed(pool) && isLoggedIn(pool) ? loginsOf(disks) : [],
    loginVersion: context.storage.session(key)?.login()?.version,
    erases: erasesOnDeletion(pool),
    allocatedBytes: context.promises.promised(pool),
  };
};
