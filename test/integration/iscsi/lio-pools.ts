/** Pools on the LIO of the lab's emulated server, and disks on them. */
import type {
  DiskIdentity,
  DiskServer,
  IscsiWish,
  ServedDisk,
  StorageServer,
} from '../../../src/drivers/storage/contract.ts';
import { createIscsiDriver } from '../../../src/drivers/storage/iscsi/driver.ts';
import { createServerLinks, type ServerLink } from '../../../src/drivers/storage/server-link.ts';
import { dropDisks } from '../../contract/disk-server-fixture.ts';
import { freshUid, mib, never } from '../../contract/fixture.ts';
import { endpointOf, type LioLab, wishOf } from '../../contract/fixtures/lio-guest.ts';

export const size = 8 * mib;
export const identity = { clusterId: 'integration', poolUid: freshUid(), poolName: 'san' };

export interface Pool {
  readonly server: StorageServer;
  readonly disks: DiskServer;
}

export const createLioPools = (lab: () => LioLab) => {
  const links = createServerLinks();
  const driver = createIscsiDriver(links);
  let link: ServerLink | undefined;
  /** Disks of the test that runs, for when it fails in the middle. */
  const left = new Map<DiskIdentity, DiskServer>();

  const drop = async (pool: Pick<Pool, 'disks'>, disk: DiskIdentity): Promise<void> => {
    await dropDisks(pool, disk);
    left.delete(disk);
  };
  return {
    /** As with an operator, whose pools stay open: each connection and program costs seconds to begin. */
    keepConnection: (): void => {
      link = links.open(endpointOf(lab()));
    },
    close: (): void => link?.close(),
    open: (more: Partial<IscsiWish> = {}, poolUid = identity.poolUid, user = 'root'): Pool => {
      const settings = { identity: { ...identity, poolUid }, endpoints: [endpointOf(lab(), user)] };
      const server = driver.open({ ...settings, wish: wishOf(lab(), more) });
      if (server.disks === undefined) throw new Error('no disks');
      return { server, disks: server.disks };
    },
    /** A blank disk that these hosts are let in to. */
    make: async ({ disks }: Pool, ...hosts: string[]): Promise<DiskIdentity> => {
      const disk = { diskUid: freshUid() };
      left.set(disk, disks);
      await disks.take(disk, { kind: 'createBlank', sizeBytes: size }, never);
      for (const iqn of hosts) await disks.take(disk, { kind: 'publish', initiator: { iqn } }, never);
      return disk;
    },
    revoke: async ({ disks }: Pool, disk: DiskIdentity, iqn: string): Promise<void> => {
      await disks.take(disk, { kind: 'revoke', initiator: { iqn } }, never);
    },
    drop,
    dropLeft: async (): Promise<void> => {
      for (const [disk, disks] of left) await drop({ disks }, disk);
    },
    servedOf: async ({ disks }: Pool, disk: DiskIdentity): Promise<ServedDisk> => {
      const sight = await disks.see(disk, never);
      if (sight.kind === 'absent') throw new Error('the disk is absent');
      return sight.served;
    },
  };
};
