/** Where a machine's cloud-init seed lies. Pure. */
import type { StoragePlace } from '../../drivers/hypervisor/host-storage.ts';
import type { VmWorld } from './world.ts';

/** Seeds lie beside the machine's first disk that is a file, or was made from one. */
export const seedPlaceOf = (world: Pick<VmWorld, 'disks'>): StoragePlace | undefined =>
  world.disks.find(({ place }) => place !== undefined)?.place;
