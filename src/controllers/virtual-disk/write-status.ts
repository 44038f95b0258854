/** The one way in which the status of a disk, and with it its claim, is written. */
import { API_VERSION } from '../../api/kind.ts';
import type { VirtualDiskStatus } from '../../api/virtual-disk.ts';
import { Fault, isFault } from '../../runtime/fault.ts';
import { FIELD_MANAGER } from '../context.ts';
import { claimOf, homeOf, isLeaving } from './claim.ts';
import { type GatherDeps, gather } from './gather.ts';
import type { DiskSight, DiskWorld } from './world.ts';

/** The API server gives up on a request long before this. */
const lateWriteMs = 180_000;

/** Notes that a claim is on its way, until it is known what became of it. */
const mark = (
  { context, granting }: GatherDeps,
  uid: string,
  { letsGo, grants }: { readonly letsGo: boolean; readonly grants: boolean },
): (() => void) => {
  if (letsGo) context.releasing.add(uid);
  if (grants) granting.add(uid);
  return () => {
    context.releasing.delete(uid);
    granting.delete(uid);
  };
};

/**
 * The claim is computed once more in the very turn in which it is sent: a machine that was switched on meanwhile keeps
 * it, and one that reads the cache while the release is on its way sees `releasing`.
 */
export const writeDiskStatus = async (
  gathering: GatherDeps,
  world: DiskWorld,
  seen: DiskSight | undefined,
  status: VirtualDiskStatus,
  signal: AbortSignal,
): Promise<VirtualDiskStatus | undefined> => {
  const { context } = gathering;
  const { namespace, name, uid } = world.disk.metadata;
  const fresh = gather(gathering, `${namespace}/${name}`);
  const letsGo =
    world.disk.status?.claim !== undefined && status.claim?.vmUid !== world.disk.status.claim.vmUid;
  if (letsGo && (fresh === undefined || claimOf(fresh, seen, homeOf(fresh))?.vmUid !== status.claim?.vmUid)) {
    throw new Fault('conflict', 'The machines of the disk changed meanwhile.');
  }
  const grants = status.claim !== undefined && status.claim.vmUid !== world.disk.status?.claim?.vmUid;
  if (grants && fresh !== undefined && isLeaving(fresh))
    throw new Fault('conflict', 'The disk is to be moved meanwhile.');
  if (grants && fresh?.copying === true) throw new Fault('conflict', 'The disk is being copied meanwhile.');
  const settled = mark(gathering, uid, { letsGo, grants });
  const resourceVersion = (fresh ?? world).disk.metadata.resourceVersion;
  try {
    const written = await context.kinds.disks.resource.applyStatus(
      {
        apiVersion: API_VERSION,
        kind: 'VirtualDisk',
        metadata: { namespace, name, uid, resourceVersion },
        status,
      },
      { fieldManager: FIELD_MANAGER, force: true },
      signal,
    );
    settled();
    return written.status;
  } catch (error) {
    // Refused is refused; a write whose end is unknown may still arrive.
    if (isFault(error) && error.kind !== 'unreachable' && error.kind !== 'busy') settled();
    else context.clock.after(lateWriteMs, settled);
    throw error;
  }
};
