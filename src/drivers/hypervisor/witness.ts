/**
 * Which hosts that could not be looked at may hold a machine (I1). A status may be lost, forged or older than a crash,
 * so the host that it names is looked at, and takes no other host out of question: only hosts do. Proof is
 * - the machine under our tag on exactly one host: it was defined there after every other host had answered;
 * - that this session removed it itself, or tried to define it on a host that has answered since and has it not: it
 *   was nowhere else before;
 * - a list of its machines that the host gave this session and on which it was not, with no step to define it since
 *   whose end is unknown.
 */
import type { HostId, Sighting, StepOutcome, VmIdentity, VmStep } from './contract.ts';

export interface WitnessOptions {
  /** Whether the host told this session which machines it has. */
  readonly listed: (host: HostId) => boolean;
  /** Whether the machine was on the host when it was last looked at. */
  readonly had: (host: HostId, uuid: string) => boolean;
}

export interface Witness {
  /** Takes the step and remembers what follows from it, also when its reply was lost. */
  during(vm: VmIdentity, step: VmStep, take: () => Promise<StepOutcome>): Promise<StepOutcome>;
  /** Those of the `blind` hosts that may hold the machine; `sightings` is what all others answered. */
  unseen(
    vm: VmIdentity,
    hint: HostId | undefined,
    blind: readonly HostId[],
    sightings: readonly Sighting[],
  ): readonly HostId[];
}

/** More machines than are ever removed while one host is away. */
const MAX_REMOVED = 20_000;

const createRemoved = () => {
  const uuids = new Set<string>();
  return {
    has: (uuid: string): boolean => uuids.has(uuid),
    add: (uuid: string): void => {
      uuids.add(uuid);
      for (const oldest of uuids) {
        if (uuids.size <= MAX_REMOVED) return;
        uuids.delete(oldest);
      }
    },
    delete: (uuid: string): void => {
      uuids.delete(uuid);
    },
  };
};

export const createWitness = ({ listed, had }: WitnessOptions): Witness => {
  const removed = createRemoved();
  /** Where a machine is being defined, or may have been: the reply was lost. */
  const defining = new Map<string, { readonly host: HostId; readonly ended: boolean }>();

  const mayHold = (host: HostId, { uuid }: VmIdentity, hint: HostId | undefined): boolean => {
    if (host === hint || defining.get(uuid)?.host === host) return true;
    if (removed.has(uuid)) return false;
    return hint === undefined || !listed(host) || had(host, uuid);
  };

  return {
    during: async ({ uuid }, step, take) => {
      if (step.kind === 'define') {
        removed.delete(uuid);
        defining.set(uuid, { host: step.host, ended: false });
      }
      try {
        const outcome = await take();
        if (step.kind === 'define') defining.delete(uuid);
        const gone = outcome.kind === 'done' && outcome.sighting === undefined;
        if (step.kind === 'undefine' && gone) removed.add(uuid);
        return outcome;
      } catch (error) {
        if (step.kind === 'define') defining.set(uuid, { host: step.host, ended: true });
        throw error;
      }
    },
    unseen: (vm, hint, blind, sightings) => {
      const tried = defining.get(vm.uuid);
      // The host answered meanwhile, and its answer is among the sightings.
      if (tried?.ended === true && !blind.includes(tried.host)) {
        defining.delete(vm.uuid);
        if (sightings.length === 0) removed.add(vm.uuid);
      }
      const [only, ...others] = sightings;
      const isProved = only?.ownership.kind === 'ours' && others.length === 0;
      return blind.filter((host) => (isProved ? host === hint : mayHold(host, vm, hint)));
    },
  };
};
