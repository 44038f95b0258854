/** What makes a disk larger on its pool is held before it is sent, in the turn in which it is found to fit. */
import { FINALIZER } from '../../api/identity.ts';
import { bytesOf } from '../../api/quantity.ts';
import type { VirtualDisk } from '../../api/virtual-disk.ts';
import type { ControllerContext } from '../context.ts';
import { homePoolOf } from '../home-pool.ts';
import { withPromise } from '../storage-promises.ts';
import type { DiskWorld } from './world.ts';

/** How much more the disk is to have than it was promised: all of it without our finalizer. */
export const missingBytes = ({ metadata, spec, status }: VirtualDisk): number => {
  const wanted = bytesOf(spec.size);
  if (status?.size !== undefined) return Math.max(0, wanted - bytesOf(status.size));
  return metadata.finalizers?.includes(FINALIZER) === true ? 0 : wanted;
};

export const promised = <T>(
  context: Pick<ControllerContext, 'promises' | 'clock' | 'kinds'>,
  { disk, move }: DiskWorld,
  run: () => Promise<T>,
): Promise<T> => {
  const pool = homePoolOf(context.kinds, disk, move?.record);
  const bytes = missingBytes(disk);
  return pool === undefined || bytes === 0
    ? run()
    : withPromise(context, pool, disk.metadata.uid, bytes, run);
};
