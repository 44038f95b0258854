/** Wish against sight: what differs, what it takes, and the step that does it live where the host can. Pure. */
import type { Capability, HostId, Sighting, VmStep } from './contract.ts';
import type { VmShape } from './shape.ts';

export type Impact = 'Live' | 'PowerCycle' | 'Recreate' | 'Unsupported';

/** One difference between the wish and the running machine. `path` is that of the VirtualMachine's spec. */
export interface Delta {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  readonly impact: Impact;
  /** Present exactly when the impact is Live. */
  readonly step?: VmStep | undefined;
}

export interface Comparison {
  /** Against the running hardware; empty when the machine is off. Sorted by path. */
  readonly running: readonly Delta[];
  /** The stored definition differs from the wish: a `redefine` is due (what is live stays as it is). */
  readonly nextDiffers: readonly string[];
}

export type Compare = (
  host: HostId,
  desired: VmShape,
  seen: Sighting,
  capabilities: readonly Capability[],
) => Comparison;
