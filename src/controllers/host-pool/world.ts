/** Everything a pass over one HostPool knows, from stores alone. Plain data. */
import type { Host } from '../../api/host.ts';
import type { HostPool } from '../../api/host-pool.ts';
import type { HostId } from '../../drivers/hypervisor/contract.ts';

export interface HostPoolWorld {
  readonly pool: HostPool;
  /** As the spec lists them. */
  readonly listed: readonly HostId[];
  /** Host objects of the pool, those that are leaving too. */
  readonly hosts: readonly Host[];
  /** `namespace/name` of the machines that name the pool. */
  readonly machines: readonly string[];
}

export type HostPoolStep =
  | { readonly kind: 'addFinalizer' }
  /** Makes the Host object, or puts back a finalizer that somebody removed. */
  | { readonly kind: 'applyHost'; readonly host: HostId }
  | { readonly kind: 'removeFinalizer' };
