/** What was read of a domain, in the contract's words. */
import type { GuestSeen, HostId, Sighting, VmIdentity, VmSummary } from '../contract.ts';
import type { VmShape } from '../shape.ts';
import { type DomainRead, readDiskSizes, withSizes } from './domains.ts';
import type { Machine } from './inventory.ts';
import { powerOf } from './power.ts';
import type { Remote } from './remote.ts';
import { ownershipFor } from './tag.ts';

export const sightingOf = async (
  remote: Remote,
  host: HostId,
  vm: VmIdentity,
  read: DomainRead,
  guest: GuestSeen | undefined,
  signal: AbortSignal,
): Promise<Sighting> => {
  const { running, next, autostart } = read;
  const started = (shape: VmShape): VmShape => ({ ...shape, autostart });
  const hasDisks = running !== undefined && running.shape.disks.length > 0;
  const sizes = hasDisks ? await readDiskSizes(remote, vm.uuid, signal) : new Map<string, number>();
  return {
    host,
    ownership: ownershipFor(read.record, vm),
    power: read.power,
    ...(running === undefined ? {} : { running: started(withSizes(running.shape, running, sizes)) }),
    ...(next === undefined ? {} : { next: started(next.shape) }),
    ...(guest === undefined ? {} : { guest }),
    ...(running?.vncPort === undefined ? {} : { vncPort: running.vncPort }),
  };
};

/** A survey speaks for every installation: what carries a tag is somebody's machine, and the tag says whose. */
export const summaryOf = ({ uuid, name, state, reason, record }: Machine): VmSummary => ({
  uuid,
  domainName: name,
  power: powerOf(state, reason, record),
  ownership: record === undefined ? { kind: 'none' } : { kind: 'ours', record },
});
