import type { LeaseClient, StoredLease } from '../runtime/lease.ts';
import type { Resource } from './contract.ts';
import type { Lease } from './core-kinds.ts';
import type { ObjectName } from './types.ts';

const toStored = ({ metadata, spec = {} }: Lease): StoredLease => ({
  resourceVersion: metadata.resourceVersion,
  spec,
});

/**
 * The narrow view that leader election has of one Lease. An update is a JSON patch of `spec` alone, so that labels
 * and annotations which others keep on the object stay.
 */
export const createLeaseClient = (
  leases: Pick<Resource<Lease>, 'get' | 'create' | 'patchJson'>,
  name: Required<ObjectName>,
): LeaseClient => ({
  get: async (signal) => {
    const lease = await leases.get(name, signal);
    return lease && toStored(lease);
  },
  create: async (spec, signal) => {
    const lease = { metadata: name, spec };
    return toStored(await leases.create(lease, signal));
  },
  update: async (spec, resourceVersion, signal) => {
    const patch = [
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'add', path: '/spec', value: spec },
    ] as const;
    return toStored(await leases.patchJson(name, patch, {}, signal));
  },
});
