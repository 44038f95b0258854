/** Whether an audit looks at the storage of a pool too. Pure. */
import { type StoragePool, topologyOf } from '../../api/storage-pool.ts';

/** Guests fill their disks without a word: free space on a host's own folder is never told later than this. */
export const restMs = 600_000;

/**
 * A shared folder can be unmounted without a word, and what is then made beneath it is lost from sight: every audit
 * looks. A folder of the host's own stays; what is made there by us is told by events, and a look makes libvirt read
 * the whole folder. What is not ready is looked at until it is.
 */
export const isAuditDue = ({ spec, status }: StoragePool, sinceLookedMs: number): boolean =>
  topologyOf(spec) === 'Shared' ||
  sinceLookedMs >= restMs ||
  status?.hosts === undefined ||
  status.hosts.some(({ ready }) => !ready);
