/** Claims of disks, asked once more right before a machine gets them. */
import type { VmStep } from '../../drivers/hypervisor/contract.ts';
import { Fault } from '../../runtime/fault.ts';
import type { VmWorld } from './world.ts';

/** Serials of the disks that the step opens. */
const opened = ({ disks }: VmWorld, step: VmStep): readonly string[] => {
  switch (step.kind) {
    case 'start':
      return disks.flatMap(({ state }) => (state.kind === 'ready' ? [state.shape.serial] : []));
    case 'attachDisk':
      return [step.disk.serial];
    default:
      return [];
  }
};

/** UIDs of these disks. */
export const openedDisks = (world: VmWorld, step: VmStep): readonly string[] => {
  const serials = opened(world, step);
  return world.disks.flatMap(({ state, diskUid }) =>
    state.kind === 'ready' && serials.includes(state.shape.serial) ? (diskUid ?? []) : [],
  );
};

/**
 * A pass takes its time: since it began the machine may have been switched off, and its disks given to another one.
 * `fresh` is the world in the very turn in which the step is sent. Throws Fault `conflict`: the next pass knows.
 */
export const checkClaims = (world: VmWorld, fresh: VmWorld | undefined, step: VmStep): void => {
  const isOurs = (serial: string): boolean =>
    fresh?.identity.uid === world.identity.uid &&
    fresh.disks.some(({ state }) => state.kind === 'ready' && state.claimed && state.shape.serial === serial);
  const switchedOff = step.kind === 'start' && fresh?.vm.spec.powerState !== 'PoweredOn';
  if (switchedOff || !opened(world, step).every(isOurs))
    throw new Fault('conflict', 'The machine or its disks changed meanwhile.');
};
